"""Several hosts in one study: each runs what it began, none runs what another one did, all learn from all."""

from __future__ import annotations

import json

import pytest

from runner.errors import RecordError
from runner.sweep.plan import Job
from tests.sweep.hosts import Host
from tests.sweep.trials import told

optuna = pytest.importorskip("optuna")


@pytest.mark.parametrize("sampler", ["random", "qmc", "grid", "tpe"])
def test_hosts_in_turn_draw_what_one_alone_draws(tmp_path, sampler):
    folders = [tmp_path / name for name in ("alone", "shared")]
    for folder in folders:
        folder.mkdir()
    alone = Host(folders[0], "a", sampler=sampler)
    hosts = [Host(folders[1], "a", sampler=sampler), Host(folders[1], "b", sampler=sampler)]
    for number in range(6):
        for host in (alone, hosts[number % 2]):
            host.end(host.search.next(), number % 4)
    assert [host.search.next() for host in (alone, *hosts)] == [None] * 3
    assert told(alone.search.study) == told(hosts[0].search.study)
    if sampler == "grid":
        assert len({str(trial.params) for trial in alone.search.study.trials}) == 6
    assert set(hosts[0].jobs) == {0, 2, 4} and [host.search.total for host in hosts] == [3, 3]


@pytest.mark.parametrize("sampler", ["random", "qmc", "grid", "tpe"])
def test_a_trial_that_was_killed_between_two_draws_draws_the_rest_of_the_same(tmp_path, sampler):
    hosts = []
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
        hosts.append(Host(tmp_path / name, "a", sampler=sampler))
    for _ in range(6):
        whole, killed = (host.search for host in hosts)
        hosts[0].end(job := whole.next())
        half = optuna.trial.Trial(killed.study, killed._trial_to_run()._trial_id)
        expected, one = whole.study.trials[job.number].params["a"], whole.space.drawn["a"]
        half.storage.set_trial_param(half._trial_id, "a", one.to_internal_repr(expected), one)
        hosts[1].end(killed.next())
        assert killed.study.trials[-1].params == whole.study.trials[job.number].params


def test_points_do_not_depend_on_who_is_first(tmp_path):
    """Both begin a trial before either of them draws."""
    for sampler in ("random", "qmc"):
        folder = tmp_path / sampler
        folder.mkdir()
        hosts = [Host(folder, name, sampler=sampler) for name in "ab"]
        trials = [host.search._trial_to_run() for host in hosts]
        later, earlier = hosts[1].search._params(trials[1]), hosts[0].search._params(trials[0])
        alone = Host(folder, "c", sampler=sampler).options
        from runner.sweep.samplers import sampler as made

        whole = optuna.create_study(sampler=made(alone, hosts[0].search.space, 0))
        expected = []
        for number in range(2):
            whole.sampler = made(alone, hosts[0].search.space, number)
            expected.append(whole.ask(dict(hosts[0].search.space.drawn)).params)
        assert [earlier, later] == expected
        assert (
            sampler == "random" or earlier["b"] != later["b"]
        )  # of two points of a Sobol sequence one is in each half


def test_a_trial_of_another_host_is_left_alone(tmp_path):
    first, second = (Host(tmp_path, name, n_trials=3) for name in "ab")
    job = first.search.next()
    assert [second.search.next().number for _ in range(2)] == [1, 2] and second.search.next() is None
    again = Host(tmp_path, "a", n_trials=3)
    assert again.search.next().overrides == job.overrides and again.search.next() is None
    again.end(job, 7.0)
    (best,) = json.loads((tmp_path / "a/best.json").read_text())
    assert (best["trial"], best["host"], best["directory"]) == (0, "a", "runs/0")
    assert second.search.next() is None
    assert json.loads((tmp_path / "b/best.json").read_text()) == [best]


def test_two_hosts_at_the_limit_run_no_more_than_was_asked_for(tmp_path):
    first, second = (Host(tmp_path, name, n_trials=1) for name in "ab")
    add = first.search.study.add_trial

    def late(trial):
        assert second.search.next().number == 0  # between the count and the new trial
        add(trial)

    first.search.study.add_trial = late
    assert first.search.next() is None
    states = [(trial.state.name, "not_run" in trial.user_attrs) for trial in first.search.study.trials]
    assert states == [("RUNNING", False), ("FAIL", True)]
    more = Host(tmp_path, "b", n_trials=3)
    assert [more.search.next().number for _ in range(3)] == [0, 2, 3] and more.search.next() is None


def test_a_storage_that_does_not_fit_the_plan_is_refused(tmp_path):
    host = Host(tmp_path, "a")
    job = host.search.next()
    other = Host(tmp_path, "a")
    other.search.begun = {0: Job(0, 0, "", ["a=9", "b=1"], ["a=9", "b=1"], "", {})}
    with pytest.raises(
        RecordError, match=f"trial 0 in sqlite:///{tmp_path}/trials.db is {' '.join(job.differs)}, in .* a=9 b=1"
    ):
        other.search.next()
