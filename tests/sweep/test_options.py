from __future__ import annotations

import pytest

from runner.errors import ConfigError
from runner.sweep.grid import grid
from runner.sweep.options import SweepConfig, split
from runner.sweep.plugins import before


def points(*overrides, **options):
    return list(grid(overrides, SweepConfig(**options)))


GRIDS = {  # what is said -> the values that the points have
    "choice": (["a=1,2"], [["a=1"], ["a=2"]]),
    "range": (["a=range(1,4)"], [["a=1"], ["a=2"], ["a=3"]]),
    "range with steps": (["a=range(0,1,step=0.5)"], [["a=0.0"], ["a=0.5"]]),
    "tag": (["a=tag(log,choice(1,2))"], [["a=1"], ["a=2"]]),
    "sort": (["a=sort(3,1,2,reverse=true)"], [["a=3"], ["a=2"], ["a=1"]]),
    "one value": (["a=1", "b=x"], [["a=1", "b=x"]]),
    "two keys": (["a=1,2", "b=3,4"], [["a=1", "b=3"], ["a=1", "b=4"], ["a=2", "b=3"], ["a=2", "b=4"]]),
    "lists": (["a=[1],[2,3]"], [["a=[1]"], ["a=[2,3]"]]),
    "plus": (["+a=1,2"], [["+a=1"], ["+a=2"]]),
    "last one counts": (["a=1,2", "a=3"], [["a=3"]]),
}


@pytest.mark.parametrize("kind", GRIDS)
def test_a_grid_has_every_combination_in_the_order_of_its_keys(kind):
    given, expected = GRIDS[kind]
    assert points(*given) == expected
    assert len(grid(given, SweepConfig())) == len(expected)


def test_numbers_of_a_range_are_without_the_digits_of_rounding():
    assert points("a=range(0.1,0.5,0.1)") == [["a=0.1"], ["a=0.2"], ["a=0.3"], ["a=0.4"]]
    assert points("a=sort(range(3,0,-1))") == [["a=1"], ["a=2"], ["a=3"]]


def test_a_glob_sees_every_folder_of_groups(tmp_path):
    (tmp_path / "decode").mkdir()
    (tmp_path / "decode" / "mine.yaml").write_text("top_k: 1\n")
    assert list(grid(["decode=glob(m*)"], SweepConfig(), [tmp_path])) == [["decode=mine"]]
    with pytest.raises(ConfigError, match="decode  is an empty range"):
        grid(["decode=glob(m*)"], SweepConfig())


def test_shuffled_values_are_all_there():
    assert sorted(points("a=shuffle(range(0,6))")) == [[f"a={at}"] for at in range(6)]


def test_keys_that_are_tied_move_together():
    assert points("a=1,2", "b=7", "c=3,4", tied=[["a", "c"]]) == [["a=1", "c=3", "b=7"], ["a=2", "c=4", "b=7"]]


def test_a_key_is_varied_only_where_its_condition_holds():
    found = points("s=true,false", "t=1,2", when={"t": "s=true"})
    assert found == [["s=True", "t=1"], ["s=True", "t=2"], ["s=False"], ["s=False"]]


def test_seeds_are_a_dimension():
    assert points("a=1,2", seeds=2) == [["a=1", "seed=0"], ["a=1", "seed=1"], ["a=2", "seed=0"], ["a=2", "seed=1"]]
    assert points("seed=7", seeds=2) == points("++seed=7", seeds=2) == [["seed=7"], ["seed=8"]]


def test_a_first_look_sees_every_value_once():
    found = [list(around) for around in grid(["a=1,2,3", "b=4,5", "c=6"], SweepConfig()).samples()]
    first = [["a=1", "b=4"], ["a=2", "b=4"], ["a=3", "b=4"], ["a=1", "b=4"], ["a=1", "b=5"]]
    assert [around[0] for around in found] == [[*one, "c=6"] for one in first]
    assert found[1] == [["a=2", "b=4", "c=6"], ["a=2", "b=5", "c=6"]]  # what may go together where a=2 b=4 does not
    assert found[3] == [["a=1", "b=4", "c=6"], ["a=2", "b=4", "c=6"], ["a=3", "b=4", "c=6"]]
    assert [list(around) for around in grid(["c=6"], SweepConfig()).samples()] == [[["c=6"]]]


def test_a_first_look_at_very_many_values_sees_some_and_the_last():
    found = [next(around) for around in grid(["a=range(0,10000)"], SweepConfig()).samples()]
    assert found[0] == ["a=0"] and found[-1] == ["a=9999"] and len(found) <= 102


@pytest.mark.parametrize(
    ("given", "options", "told"),
    [
        (["a=interval(0,1)"], {}, "a  is a continuous range: hydra/sweeper=search draws from it"),
        (["a=range(3,1)"], {}, "a  is an empty range"),
        (["a=1,2", "b=1"], {"tied": [["a", "b"]]}, "sweep.tied  keys that move together .* a has 2, b has 1"),
        (["a=1,2"], {"tied": [["a", "bb"]]}, "sweep.tied  bb has no values here"),
        (
            ["a=1,2", "b=1,2"],
            {"when": {"a": "b=3"}},
            "sweep.when  b=3 is not among the values given; nearest: b=2, b=1",
        ),
        (["a=1,2"], {"when": {"a": "c=3"}}, "sweep.when  c has no values here"),
        (["seed=1,2"], {"seeds": 3}, "seeds  stands beside several values of seed"),
        (["a=(1"], {}, r"a=\(1"),
    ],
)
def test_what_spans_no_grid_is_refused(given, options, told):
    with pytest.raises(ConfigError, match=told):
        points(*given, **options)


def test_options_of_a_sweep_are_told_from_those_of_its_jobs():
    options, rest = split(["seeds=5", "a=1,2", "sweep.when={b: a=1}", "on_error=0.2", "sweep.tied=[[a,b],[c,d]]"])
    assert (options.seeds, options.bearable, options.when) == (5, 0.2, {"b": "a=1"})
    assert options.tied == [["a", "b"], ["c", "d"]] and rest == ["a=1,2"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("sweep.sed=1", "sweep.sed  no such key; nearest: seeds"),
        ("sweep.seeds=2", "sweep.seeds  no such key; nearest: seeds"),
        ("seeds=0", "seeds  seeds >= 1 must hold, but got 0"),
        ("seeds=many", "seeds  .*many.*"),
        ("seeds=1,2", "seeds=1,2  is one value for the whole sweep"),
        ("on_error=perhaps", "on_error  continue, stop, or a share from 0 to 1 must hold, but got perhaps"),
        ("sweep.done=again", "sweep.done  one of skip, redo must hold, but got again"),
        ("sweep.attempts=0", "sweep.attempts  attempts >= 1 must hold, but got 0"),
    ],
)
def test_options_that_mean_nothing_are_refused(given, told):
    with pytest.raises(ConfigError, match=told):
        split([given])


REFUSED = {
    "hydra/launcher=loky": "hydra/launcher=loky  cannot run these jobs; known: joblib, local, ray, submitit, submitit_",
    "hydra/launcher=rya": "hydra/launcher=rya  cannot run these jobs; nearest: ray",
    "hydra/sweeper=basic": "hydra/sweeper=basic  cannot run these jobs; known: grid, search",
    "hydra.launcher.njobs=2": "hydra.launcher.njobs  is no option of hydra/launcher=local; nearest: n_jobs",
    "hydra.launcher.n_jobs=two": "hydra.launcher.n_jobs  Value 'two' of type 'str' could not be",
    "hydra.launcher.n_jobs=0": "hydra.launcher.n_jobs  n_jobs > 0 must hold, but got 0",
    "hydra.sweeper.n_trials=3": "hydra.sweeper.n_trials  is no option of hydra/sweeper=grid; hydra/sweeper=search has",
    "rerun=true": "rerun  is said of a sweep by sweep.done=redo",
    "decode=greedy,baem": "decode=baem  no such choice; nearest: beam",
    "checkpoint.name_or_path=a,b data=poem": "data=poem  no such choice; nearest: poems",
    "sweep.metric=acuracy": "sweep.metric  acuracy is no number of these jobs; known: well_formed",
}


@pytest.mark.parametrize("given", REFUSED)
def test_what_no_sweep_can_have_is_told(cli, given):
    ended = cli("-m", *given.split(), "seed=1,2")
    assert (ended.code, list(cli.home.iterdir())) == (2, []), ended.err
    assert REFUSED[given] in ended.err and "Traceback" not in ended.err


def test_a_search_without_optuna_says_what_to_install(cli, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *_: None)
    ended = cli("-m", "hydra/sweeper=search", "seed=1,2")
    assert ended.code == 2 and "hydra/sweeper=search  needs optuna: pip install 'runner[search]'" in ended.err


def test_a_launcher_that_is_not_installed_says_what_to_install(cli, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *_: None)
    ended = cli("-m", "hydra/launcher=ray", "seed=1,2")
    assert ended.code == 2 and "hydra/launcher=ray  needs a package: pip install 'runner[ray]'" in ended.err


def test_options_of_several_runs_ask_for_them(cli):
    assert "sweep  add -m: these options are of several runs" in cli("seeds=3").err


def test_what_limits_a_job_still_counts_with_another_launcher():
    known = ["hydra/launcher=submitit", "hydra.launcher.n_jobs=16", "hydra.launcher.partition=gpu",
             "hydra.launcher.timeout_s=60", "hydra.launcher.memory_mb=900", "hydra.sweeper.n_trials=3"]  # fmt: skip
    assert before(known, ["hydra/launcher=local", "hydra.launcher.memory_mb=700"]) == [
        "hydra.launcher.timeout_s=60", "hydra.sweeper.n_trials=3"
    ]  # fmt: skip
    assert before(known, ["hydra/launcher=submitit", "hydra.launcher.n_jobs=2"]) == [*known[2:]]
