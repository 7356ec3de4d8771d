"""A search draws the same points, whatever happens to it in the middle, and counts each of them once."""

from __future__ import annotations

import json
import os
import random
import signal
import time

import pytest

from runner.sweep.directory import alive, begin
from tests.sweep.trials import study, told

optuna = pytest.importorskip("optuna")
KILLS = int(os.environ.get("RUNNER_KILLS", "3"))


@pytest.fixture
def searched(tiny, tmp_path):
    """The arguments of a search for the share of a character, which rises with the temperature's distance from 2."""
    rows = tmp_path / "rows.txt"
    rows.write_text("春\n江\n花\n" * 8)
    return (
        "-m", "hydra/sweeper=search", "hydra.sweeper.n_trials=9", "hydra.sweeper.startup=3",
        f"checkpoint.name_or_path={tiny}", "data=files", f"data.path={rows}", "engine.threads=1", "mode=evaluate",
        "hydra.sweeper.metric=perplexity", "seed=tag(int,interval(0,50))", "data.limit=2,4,8,16",
    )  # fmt: skip


def test_a_search_ends_with_its_best_point_as_an_ordinary_run(cli, searched):
    ended = cli(*searched)
    assert ended.code == 0, ended.err
    found = study(cli.home)
    assert len(found.trials) == 9 and {trial.state.name for trial in found.trials} == {"COMPLETE"}
    (best, *_) = json.loads(next(cli.home.glob("outputs/sweeps/*/best.json")).read_text())
    assert best["values"]["perplexity"] == found.best_value
    run = cli.home / best["directory"]
    assert json.loads((run / "metrics.json").read_text())["perplexity"]["value"] == found.best_value
    alone = cli(*(run / "overrides.txt").read_text().split("\n")[:-1], "output_dir=alone")
    assert alone.code == 0, alone.err
    (again,) = cli.home.glob("alone/*/*/metrics.json")
    assert again.read_text() == (run / "metrics.json").read_text()


def test_a_search_killed_again_and_again_is_the_uninterrupted_one(cli, spawn, searched):
    assert cli(*searched, "output_dir=whole").code == 0
    whole = optuna.load_study(
        study_name=next(cli.home.glob("whole/sweeps/*")).name,
        storage=f"sqlite:///{next(cli.home.glob('whole/sweeps/*/study.db'))}",
    )
    draw = random.Random(3)
    for _ in range(KILLS):
        process, begun = spawn(*searched, cwd=cli.home), time.monotonic()
        while not list(cli.home.glob("outputs/*/*/status.json")) and time.monotonic() - begun < 60:
            time.sleep(0.05)
        time.sleep(0.3 + draw.random())
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    ended = cli(*searched)
    assert ended.code == 0, ended.out + ended.err
    found = study(cli.home)
    assert told(found) == told(whole)
    assert not [trial for trial in found.trials if trial.state.name == "RUNNING"]


def test_more_trials_go_on_from_those_that_are_there(cli, searched):
    fewer = [text.replace("n_trials=9", "n_trials=4") for text in searched]
    assert cli(*fewer).code == 0 and len(study(cli.home).trials) == 4
    assert cli(*searched).code == 0 and len(study(cli.home).trials) == 9


def test_a_directory_is_resumed_and_shown_by_its_name(cli, searched):
    assert cli(*[text.replace("n_trials=9", "n_trials=4") for text in searched]).code == 0
    (directory,) = cli.home.glob("outputs/sweeps/*")
    where = f"{directory.relative_to(cli.home)}"
    ended = cli(f"sweep.resume={where}", "hydra.sweeper.n_trials=5")
    assert ended.code == 0, ended.err
    assert len(study(cli.home).trials) == 5
    shown = cli(f"sweep.show={where}")
    assert shown.code == 0 and "perplexity" in shown.out and "\n1  " in shown.out
    refused = cli(f"sweep.resume={where}", "data.limit=3")
    assert refused.code == 2 and f"{where} holds a different sweep: data.limit=3" in refused.err
    assert cli("sweep.resume=nowhere").err.startswith("RecordError: nowhere holds no sweep")


def test_a_failed_trial_is_told_and_the_search_goes_on(cli, doing, tmp_path):
    arguments = [text for text in doing("work", "raise", "also") if not text.startswith("hydra.sweeper")]
    ended = cli(*arguments, "hydra/sweeper=search", "hydra.sweeper.n_trials=6", "hydra.sweeper.sampler=random")
    states = [trial.state.name for trial in study(cli.home).trials]
    assert len(states) == 6 and set(states) == {"COMPLETE", "FAIL"} and ended.code == 1


@pytest.mark.parametrize("sampler", ["tpe", "gp", "cmaes", "random", "qmc", "grid", "nsga2"])
def test_every_sampler_draws_the_same_points_again(sampler, tmp_path):
    from runner.sweep.aims import SearchConfig
    from runner.sweep.samplers import sampler as made
    from runner.sweep.space import space

    drawn = space(["a=range(0,1,0.25)", "b=1,2,3"], {})
    options = SearchConfig(sampler=sampler, startup=2, seed=4)

    def points(name, interrupted):
        opening = {"storage": f"sqlite:///{tmp_path / name}", "study_name": "one", "load_if_exists": True}
        found = optuna.create_study(**opening, sampler=made(options, drawn, 0))
        for number in range(6):
            if interrupted:
                found = optuna.create_study(**opening)
            found.sampler = made(options, drawn, number)
            trial = found.ask(dict(drawn.drawn))
            found.tell(trial, trial.params["a"] * int(trial.params["b"]))
        return [trial.params for trial in found.trials]

    once = points("once.db", interrupted=False)
    assert points("again.db", interrupted=True) == once and len(once) == 6


def test_several_goals_leave_those_that_nothing_beats(cli, searched):
    arguments = [text for text in searched if "metric" not in text]
    ended = cli(*arguments, "hydra.sweeper.metric=[perplexity,accuracy]", "hydra.sweeper.sampler=nsga2")
    assert ended.code == 0, ended.err
    front = json.loads(next(cli.home.glob("outputs/sweeps/*/best.json")).read_text())
    values = [(one["values"]["perplexity"], -one["values"]["accuracy"]) for one in front]
    assert not any(a <= c and b <= d and (a, b) != (c, d) for a, b in values for c, d in values)


def test_a_point_that_breaks_a_condition_is_not_the_best(cli, searched):
    assert cli(*searched).code == 0
    values = sorted(trial.value for trial in study(cli.home).trials)
    bound = values[len(values) // 2]
    ended = cli(*searched, f"hydra.sweeper.constraints=['perplexity>={bound}']", "sweep.name=bound")
    assert ended.code == 0, ended.err
    (best, *_) = json.loads(next(cli.home.glob("outputs/sweeps/bound*/best.json")).read_text())
    assert best["values"]["perplexity"] >= bound
    first = next(line for line in ended.out.splitlines() if line.startswith("1  "))
    assert float(first.split()[1]) == pytest.approx(best["values"]["perplexity"], rel=1e-3) and "breaks" not in first
    assert f"breaks perplexity>={bound}" in ended.out
    html = next(cli.home.glob("outputs/sweeps/bound*/sweep.html")).read_text()
    assert f"with perplexity&gt;={bound}" in html and f"breaks perplexity&gt;={bound}" in html


def test_a_condition_of_a_range_holds_whatever_rounding_leaves_of_it(cli, common):
    """Counted up in steps it is 0.30000000000000004."""
    keys = ("decode.top_p=range(0.1,0.5,0.1)", "decode.temperature=0.7,0.9")
    ended = cli("-m", *common, "decode.do_sample=true", "hydra/sweeper=search", "hydra.sweeper.sampler=grid", *keys,
                "hydra.sweeper.n_trials=8", "sweep.when.decode.temperature=decode.top_p=0.3")  # fmt: skip
    assert ended.code == 0 and len(cli.runs) == 5, ended.out + ended.err
    best = json.loads(next(cli.home.glob("outputs/sweeps/*/best.json")).read_text())
    had = [(one["parameters"].get("decode.top_p"), "decode.temperature" in one["parameters"]) for one in best]
    assert all(there == (abs(p - 0.3) < 1e-9) for p, there in had)
    refused = cli("-m", *common, "hydra/sweeper=search", *keys, "sweep.when.decode.temperature=decode.top_p=0.7")
    assert refused.code == 2 and "decode.top_p=0.7 is not among the values given" in refused.err


def test_a_killed_attempt_counts_in_the_budget_as_long_as_it_gave_signs_of_life(tmp_path):
    asked, this = {"command": []}, {"done": "skip"}
    facts, _ = begin(tmp_path, asked, {}, this)
    alive(tmp_path)
    last = float((tmp_path / "alive").read_text())
    assert 0 <= last - facts["since"] < 60
    (tmp_path / "alive").write_text(f"{facts['since'] + 100}\n")
    again, _ = begin(tmp_path, asked, {}, this)
    assert again["used_s"] == pytest.approx(100, abs=0.1)


def test_the_time_that_a_search_may_take_is_kept(cli, doing):
    arguments = [*doing("slow", "work"), "hydra/sweeper=search", "hydra.sweeper.n_trials=1000",
                 "seed=tag(int,interval(0,100000))"]  # fmt: skip
    ended = cli(*arguments, "hydra.sweeper.budget_s=8")
    assert (ended.code, "the budget of 8 s is used" in ended.out) == (0, True), ended.out
    (facts,) = cli.home.glob("outputs/sweeps/*/sweep.json")
    first, count = json.loads(facts.read_text())["used_s"], len(cli.runs)
    assert first >= 8
    again = cli(*arguments, "hydra.sweeper.budget_s=8")
    assert (again.code, len(cli.runs)) == (0, count) and "the budget of 8 s is used" in again.out
    assert cli(*arguments, f"hydra.sweeper.budget_s={first + 8}").code == 0
    assert len(cli.runs) > count


BAD = {
    "metric": (
        ["hydra.sweeper.metric=acuracy"],
        "hydra.sweeper.metric  acuracy is no number of these jobs; nearest: accuracy",
    ),
    "sampler": (["hydra.sweeper.sampler=foo"], "hydra.sweeper.sampler  must be one of tpe, gp"),
    "pruner": (["hydra.sweeper.pruner=foo"], "hydra.sweeper.pruner  must be one of median"),
    "a cost": (
        ["hydra.sweeper.pruner=median", "hydra.sweeper.metric=seconds"],
        "hydra.sweeper.pruner  must be null: seconds is known at the end alone",
    ),
    "trials": (["hydra.sweeper.n_trials=0"], "hydra.sweeper.n_trials  n_trials >= 1 must hold, but got 0"),
    "condition": (["hydra.sweeper.constraints=[fast]"], "hydra.sweeper.constraints  fast is no condition"),
    "bound": (
        ["hydra.sweeper.constraints=['seconds<=nan']"],
        "hydra.sweeper.constraints  seconds<=nan is no condition",
    ),
    "option": (["hydra.sweeper.trials=3"], "trials"),
    "grid of an interval": (
        ["hydra.sweeper.sampler=grid", "decode.top_p=interval(0.5,1)"],
        "decode.top_p  is continuous",
    ),
    "range": (["decode.top_k=range(5,1)"], "decode.top_k  is an empty range"),
    "value": (["decode.top_p=interval(0.5,2)"], "0 < top_p <= 1 must hold, but got 2"),
    "jobs": (["hydra.launcher.n_jobs=100000"], "hydra.launcher.n_jobs  100000 workers of 400 MB do not fit into"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_be_searched_is_refused_before_any_job(cli, searched, kind):
    given, expected = BAD[kind]
    ended = cli(*searched, *given)
    assert (ended.code in (1, 2), cli.runs) == (True, []), ended.out
    assert expected in ended.err and "Traceback" not in ended.err
