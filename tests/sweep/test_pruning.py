"""What is clearly worse in the middle is given up, while it answers and while it trains, here and over a launcher."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter

import pytest

from runner import answering
from runner.sweep.pruning import Best
from runner.sweep.worker import Outcome
from tests.sweep.hosts import Host
from tests.sweep.trials import study, told

LINE = "春山水月花江天人日夜云雨雪白青红一二三千万里空明来去归长短高低远近上下东西南北\n"


@pytest.fixture
def unlike(tiny, tmp_path):
    """A search among two checkpoints, the second much worse, on rows that keep either busy for a while."""
    import torch
    from transformers import GPT2LMHeadModel

    worse = tmp_path / "worse"
    model = GPT2LMHeadModel.from_pretrained(tiny)
    with torch.no_grad():
        model.transformer.wte.weight *= 4
    model.save_pretrained(worse)
    for path in tiny.iterdir():
        if not (worse / path.name).exists():
            (worse / path.name).write_bytes(path.read_bytes())
    rows = tmp_path / "rows.txt"
    rows.write_text(LINE * 1200)
    return [
        "-m", f"checkpoint.name_or_path={tiny},{worse}", "data=files", f"data.path={rows}", "mode=evaluate",
        "engine.threads=1", "engine.batch_tokens=512", "data.window_rows=100", "seed=tag(int,interval(0,1000))",
        "hydra/sweeper=search", "hydra.sweeper.sampler=random", "hydra.sweeper.n_trials=7", "hydra.sweeper.startup=2",
        "hydra.sweeper.metric=loss", "hydra.launcher.n_jobs=1",
    ]  # fmt: skip


def statuses(home):
    return [json.loads(path.read_text()) for path in home.glob("outputs/*/*/status.json")]


@pytest.mark.parametrize(("launcher", "pruner"), [("local", "median"), ("local", "wilcoxon"), ("joblib", "median")])
def test_a_worse_checkpoint_is_given_up_among_its_rows(cli, unlike, launcher, pruner):
    ended = cli(*unlike, f"hydra.sweeper.pruner={pruner}", f"hydra/launcher={launcher}")
    assert ended.code == 0, ended.out + ended.err
    worse = {
        trial.number for trial in study(cli.home).trials if trial.params["checkpoint.name_or_path"].endswith("worse")
    }
    pruned = {trial.number for trial in study(cli.home).trials if trial.state.name == "PRUNED"}
    assert pruned and pruned <= worse
    assert Counter(status["state"] for status in statuses(cli.home)) == {"done": 7 - len(pruned), "pruned": len(pruned)}
    for status in statuses(cli.home):
        assert status["state"] == "done" or status["error"].startswith("given up at ")


@pytest.mark.parametrize("pruner", ["median", "halving"])
def test_a_rate_that_teaches_nothing_is_given_up_between_its_steps(cli, tiny, tmp_path, pruner):
    (tmp_path / "lines").mkdir()
    for name in ("train", "validation"):
        (tmp_path / "lines" / f"{name}.txt").write_text(LINE * 40)
    arguments = (
        "-m", f"checkpoint.name_or_path={tiny}", f"data.path={tmp_path / 'lines'}", "train=full", "engine.threads=1",
        "train.max_steps=60", "train.evaluate_every=5", "train.save_every=5", "train.batch_size=4",
        "train.arguments.eval_on_start=true", "train.learning_rate=1e-2,1e-9", "seed=tag(int,interval(0,1000))",
        "hydra/sweeper=search", "hydra.sweeper.sampler=random", "hydra.sweeper.n_trials=6", "hydra.sweeper.startup=2",
        "hydra.sweeper.metric=loss", "hydra.launcher.n_jobs=1",
    )  # fmt: skip
    refused = cli(*arguments, "hydra.sweeper.pruner=wilcoxon")
    assert refused.code == 2 and "wilcoxon compares rows, and trainings report none" in refused.err
    ended = cli(*arguments, f"hydra.sweeper.pruner={pruner}")
    assert ended.code == 0, ended.out + ended.err
    found = study(cli.home).trials
    pruned = {trial.number for trial in found if trial.state.name == "PRUNED"}
    useless = {trial.number for trial in found if trial.params["train.learning_rate"] == "1e-09"}
    assert pruned and {number for number in useless if number >= 2} <= pruned
    assert all(max(found[number].intermediate_values) < 60 for number in pruned)
    assert not list(cli.home.glob("outputs/*/*/training"))  # no checkpoint is left that nobody goes on with


def test_at_one_look_halving_asks_for_a_quarter_not_for_a_quarter_of_a_quarter(tmp_path):
    """Nine runs that are looked at after 16 steps first, and 6 of them worse than the one before."""
    host = Host(tmp_path, "a", n_trials=10, pruner="halving", warmup_steps=9)
    values = [8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 7.5, 6.5]
    given_up = []
    for value in values:
        job = host.search.next()
        assert not host.looked_at(job, -value, 0) and not host.looked_at(job, -value, 8)  # while it warms up
        given_up.append(host.looked_at(job, value, 16))
        host.search.ended(job, Outcome("pruned" if given_up[-1] else "done", "there", metrics={"x": {"value": value}}))
    assert given_up == [
        False,
        *[True] * 7,
        False,
        True,
    ]  # of nine two go on, the second best of them; the third does not


@pytest.mark.parametrize("sampler", ["gp", "tpe"])
def test_a_sampler_that_learns_from_whole_runs_alone_gets_some(tmp_path, sampler):
    host = Host(tmp_path, "a", pruner="halving", sampler=sampler, startup=3)
    given_up = []
    for value in (5.0, 4.0, 3.0, 2.0):
        job = host.search.next()
        given_up.append(host.looked_at(job, value, 5))
        host.search.ended(job, Outcome("pruned" if given_up[-1] else "done", "there", metrics={"x": {"value": value}}))
    assert given_up == ([False, False, False, True] if sampler == "gp" else [False, True, True, True])


def test_what_has_ended_is_not_given_up_when_it_is_done_again(tmp_path):
    host = Host(tmp_path, "a", pruner="median", startup=1)
    jobs = [host.search.next() for _ in range(3)]
    for job in jobs:
        host.looked_at(job, 5.0, 5)
        host.end(job, 5.0)
    assert not any(host.looked_at(job, 0.0, 10) for job in jobs)
    assert {trial.value for trial in host.search.study.trials} == {5.0}


def test_a_resumed_search_knows_where_rows_came_from_before(tmp_path):
    before = Host(tmp_path, "a", pruner="wilcoxon")
    jobs = [before.search.next() for _ in range(2)]
    before.end(jobs[1])  # the first one was under way when the search was killed
    other = dataclasses.replace(jobs[1], config={"data": {"path": "elsewhere"}})
    again = Host(tmp_path, "a", {0: jobs[0], 1: other}, pruner="wilcoxon")
    assert not again.looked_at(again.search.next(), 0.0, 8)


@pytest.mark.parametrize(
    ("rows", "looks"),
    [(6, []), (32, [8, 12, 16, 20, 24, 28]), (320, [10, 20, 40, 80, 120, 160, 200, 240, 280])],
)
def test_a_few_rows_say_nothing(rows, looks):
    assert answering._looks(rows) == looks


def lines(folder, values):
    folder.mkdir()
    rows = (json.dumps({"row": at, "scores": {"right": value}}) for at, value in enumerate(values))
    (folder / "predictions.jsonl").write_text("\n".join(rows) + "\n")
    return folder


@pytest.mark.parametrize(
    ("other", "larger", "worse"),
    [
        # 8 rows lower by 1 to 8: one of the 2**8 ways to give them signs, p = 0.004
        ([10 - at for at in range(1, 9)], 1, True),
        ([10 - at for at in range(1, 9)], -1, False),
        ([10 + at for at in range(1, 9)], -1, True),
        # two of three lower: the one that is higher has the rank 3 of 6
        ([9, 8, 13], 1, False),
        ([10] * 8, 1, False),
        ([10, 10, 10, 9, 9, 9, 9], 1, False),  # of unequal ones all four are lower: 1 / 16
        ([10, 10, 9, 9, 9, 9, 9], 1, True),  # all five: 1 / 32
        ([9.9] * 70 + [10.2] * 10, 1, True),  # z = (10 * 75.5 - 1620) / 190.5
        ([9.9] * 40 + [10.1] * 40, 1, False),
    ],
)  # fmt: skip
def test_rows_are_compared_by_their_signed_ranks(tmp_path, other, larger, worse):
    best = lines(tmp_path / "best", [10] * 80)
    assert Best().beats(best, "right", dict(enumerate(other)), larger) is worse
    assert not Best().beats(best, "right", {99: 0.0}, 1)  # no row that both have


@pytest.mark.parametrize(
    ("best", "rows", "worse"),
    [
        ([1, 1, 1, 1], {2: 1}, True),  # nothing is better than what is perfect
        ([1, 0, 1, 1], {0: 1}, False),  # row 1 is still to come
        ([1, 0, 1, 1], {0: 0}, True),  # it makes up for row 0 at best
        ([1, 0, 0, 1], {0: 0}, False),
        ([1, 0, 0, 1], {0: 0, 1: 0}, True),
        ([1, 0.5, 0.5, 1], {0: 0.5}, False),
        ([1, 0.5, 0.5, 1], {3: 0}, True),
        ([1, 0, 1, 1], {9: 0}, False),  # no row that both have
    ],
)  # fmt: skip
def test_a_run_that_can_come_to_no_more_than_the_best_is_given_up(tmp_path, best, rows, worse):
    directory = lines(tmp_path / "best", best)
    assert Best().beats(directory, "right", rows, 1, perfect=1.0) is worse
    assert Best().beats(directory, "right", rows, 1) is False
    costs = lines(tmp_path / "costs", [1 - value for value in best])
    assert Best().beats(costs, "right", {row: 1 - value for row, value in rows.items()}, -1, perfect=0.0) is worse


def test_where_rows_are_left_out_nobody_knows_what_others_come_to(tmp_path):
    best = lines(tmp_path / "best", [1, 1, 1, 1])
    assert Best().beats(best, "right", {0: 1}, 1, perfect=1.0)
    assert not Best().beats(best, "right", {0: 1, 4: 1}, 1, perfect=1.0)  # the best one has not scored row 4
    with (best / "predictions.jsonl").open("a") as file:
        file.write(json.dumps({"row": 4, "scores": {}}) + "\n")
    assert not Best().beats(best, "right", {0: 1}, 1, perfect=1.0)


def test_a_perfect_run_leaves_the_others_little_to_do(cli, tmp_path):
    (tmp_path / "rows.txt").write_text("春江潮水连海平，\n" * 480)
    arguments = (
        "-m", "checkpoint=poem_gpt2", "data=files", f"data.path={tmp_path / 'rows.txt'}", "decode=greedy",
        "engine.threads=1", "seed=tag(int,interval(0,1000))", "hydra/sweeper=search", "hydra.sweeper.n_trials=3",
        "hydra.sweeper.pruner=wilcoxon", "hydra.sweeper.metric=well_formed", "hydra.launcher.n_jobs=1",
    )  # fmt: skip
    ended = cli(*arguments)
    assert ended.code == 0, ended.out + ended.err
    assert [trial.state.name for trial in study(cli.home).trials] == ["COMPLETE", "PRUNED", "PRUNED"]
    assert study(cli.home).best_value == 1.0
    before = told(study(cli.home))
    again = cli(*arguments, "sweep.done=redo")
    assert again.code == 0 and told(study(cli.home)) == before, again.out
    assert Counter(status["state"] for status in statuses(cli.home)) == {"done": 1, "pruned": 2}
    assert [status["attempt"] for status in statuses(cli.home) if status["state"] == "done"] == [2]


def test_nothing_is_given_up_before_its_warm_up(cli, unlike):
    unlike = [*unlike, "hydra.sweeper.pruner=wilcoxon"]
    ended = cli(*unlike, "hydra.sweeper.warmup_steps=700")
    assert ended.code == 0, ended.out + ended.err
    pruned = [trial for trial in study(cli.home).trials if trial.state.name == "PRUNED"]
    assert pruned and all(max(trial.intermediate_values) >= 700 for trial in pruned)  # of 1200 rows
    assert cli(*unlike, "hydra.sweeper.warmup_steps=2000", "sweep.name=whole").code == 0
    assert {trial.state.name for trial in study(cli.home, "whole*").trials} == {
        "COMPLETE"
    }  # another search gave some up


def test_what_breaks_a_condition_is_no_best_to_be_compared_with(cli, unlike):
    assert cli(*[text for text in unlike if "sweeper" not in text and "seed" not in text], "sweep.name=both").code == 0
    good, bad = sorted(
        json.loads(path.read_text())["loss"]["value"] for path in cli.home.glob("outputs/*/*/metrics.json")
    )
    unlike = [text.replace("sampler=random", "sampler=tpe") for text in unlike]
    ended = cli(*unlike, "hydra.sweeper.pruner=wilcoxon", f"hydra.sweeper.constraints=['loss>={(good + bad) / 2}']")
    assert ended.code == 0, ended.out + ended.err
    found = study(cli.home, "causal*")
    assert found.best_trial.params["checkpoint.name_or_path"].endswith("worse")
    assert {trial.state.name for trial in found.trials} == {"COMPLETE"}
