"""A sweep is stopped, killed, extended, started beside another one: every point is run once, and comes to the same."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from runner.files import sha256
from tests.sweep.processes import alive, below

KILLS = int(os.environ.get("RUNNER_KILLS", "3"))


def results(outputs: Path) -> dict[str, str]:
    """sha256 of what each run answered, by its fingerprint."""
    return {path.parent.name[-8:]: sha256(path) for path in outputs.glob("*/*/predictions.jsonl")}


def states(home: Path) -> list[str]:
    return [json.loads(path.read_text())["state"] for path in home.glob("outputs/*/*/status.json")]


@pytest.fixture
def sweep(tiny, tmp_path):
    """24 jobs of some rows each."""
    rows = tmp_path / "rows.txt"
    rows.write_text("春\n江\n花\n" * 8)
    return (
        "-m", f"checkpoint.name_or_path={tiny}", "data=files", f"data.path={rows}", "engine.threads=1",
        "decode.do_sample=true", "decode.max_new_tokens=12", "decode.temperature=0.7,0.9,1.1,1.3",
        "decode.top_k=5,10,20", "seeds=2", "hydra.launcher.n_jobs=2",
    )  # fmt: skip


def test_a_sweep_killed_again_and_again_comes_to_what_an_uninterrupted_one_does(cli, spawn, sweep, tmp_path):
    whole = cli(*sweep, "output_dir=whole")
    assert whole.code == 0, whole.err
    draw, home = random.Random(5), cli.home
    for number in range(KILLS):
        process = spawn(*sweep, cwd=home)
        while not (under := below(process.pid)) and process.poll() is None:
            time.sleep(0.05)
        time.sleep(draw.random() * 4)
        under = below(process.pid) or under
        if number % 3 == 1:  # a worker, or the server that they come from
            with suppress(ProcessLookupError):
                os.kill(under[-1], signal.SIGKILL)
            process.wait(timeout=120)
        else:
            process.kill() if number % 3 else os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=30)
            time.sleep(1.0)
            assert not alive(under)
    ended = cli(*sweep)
    assert ended.code == 0, ended.out + ended.err
    assert results(home / "outputs") == results(home / "whole") and len(results(home / "whole")) == 24
    assert set(states(home)) == {"done"}
    assert not [path for path in home.rglob("outputs/**/.*") if path.name not in (".lock",)]
    plan = [json.loads(line) for line in next(home.glob("outputs/sweeps/*/plan.jsonl")).open()]
    assert len(plan) == 25 and plan[-1] == {"jobs": 24, "points": 24}


def test_a_sweep_killed_half_way_skips_what_is_done_and_runs_the_rest(cli, spawn, common):
    """Sixty jobs; bench/plans.py does it with a thousand, and measures how soon the next one begins."""
    arguments = ("-m", *common, "decode.do_sample=true", "seed=range(0,60)", "hydra.launcher.n_jobs=1")
    process, done = spawn(*arguments, cwd=cli.home), 0
    for line in process.stdout:
        done += line.startswith("done ")
        if done == 30:
            break
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(1.0)
    before = {path: path.stat().st_mtime_ns for path in cli.home.glob("outputs/*/*/status.json")
              if json.loads(path.read_text())["state"] == "done"}  # fmt: skip
    ended = cli(*arguments)
    assert ended.code == 0 and "60 of 60 done" in ended.out, ended.out + ended.err
    assert 30 <= len(before) < 60 and all(path.stat().st_mtime_ns == when for path, when in before.items())
    counts = json.loads(next(cli.home.glob("outputs/sweeps/*/sweep.json")).read_text())["counts"]
    assert counts == {"done": 60 - len(before), "skipped": len(before), "pruned": 0, "failed": 0, "stopped": 0}
    assert sum(line.startswith("done ") for line in ended.out.splitlines()) == 60 - len(before)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_stopped_sweep_leaves_nothing_behind_and_goes_on(cli, spawn, sweep, number, code):
    process = spawn(*sweep, cwd=cli.home)
    for line in process.stdout:
        if line.startswith("done "):
            break
    under = below(process.pid)
    asked = time.monotonic()
    process.send_signal(number)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == code, told
    assert time.monotonic() - asked < 15
    time.sleep(0.5)
    assert not alive(under)
    (facts,) = cli.home.glob("outputs/sweeps/*/sweep.json")
    assert json.loads(facts.read_text())["state"] == "stopped"
    ended = cli(*sweep)
    assert ended.code == 0 and "24 of 24 done" in ended.out, ended.out


def test_files_edited_while_a_sweep_runs_change_no_job_of_its_plan(cli, spawn, tiny, tmp_path):
    """The first kill comes when the plan stands; then the user's own group is edited."""
    (tmp_path / "own" / "decode").mkdir(parents=True)
    group = tmp_path / "own" / "decode" / "mine.yaml"
    group.write_text("max_new_tokens: 3\ndo_sample: true\n")
    arguments = ("--config-dir", str(tmp_path / "own"), "-m", f"checkpoint.name_or_path={tiny}", "decode=mine",
                 "data.prompts=[春]", "engine.threads=1", "seeds=3")  # fmt: skip
    process = spawn(*arguments, cwd=cli.home)
    for line in process.stdout:
        if line.startswith("done "):
            break
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    group.write_text("max_new_tokens: 9\ndo_sample: true\n")
    ended = cli(*arguments)
    assert ended.code == 0, ended.out + ended.err
    lengths = {len(json.loads(line)["prediction"]) for path in cli.home.glob("outputs/*/*/predictions.jsonl")
               for line in path.open()}  # fmt: skip
    assert len(cli.runs) == 3 and max(lengths) <= 1 + 2 * 3


def test_an_extended_and_reordered_grid_runs_only_what_is_new(cli, common):
    cli("-m", *common, "decode.top_k=5,10", "decode.do_sample=true")
    before = {path: path.stat().st_mtime_ns for path in cli.home.glob("outputs/*/*/status.json")}
    ended = cli("-m", *common, "decode.top_k=20,10,5", "decode.do_sample=true")
    assert ended.code == 0 and "3 of 3 done" in ended.out
    assert [line.split()[1] for line in ended.out.splitlines() if line.startswith("done ")] == ["decode.top_k=20"]
    assert len(cli.runs) == 3 and all(path.stat().st_mtime_ns == when for path, when in before.items())


def test_points_that_are_the_same_are_run_once(cli, common):
    ended = cli("-m", *common, "decode.top_k=5,5,7", "decode.do_sample=true")
    assert ended.code == 0 and len(cli.runs) == 2


def test_two_sweeps_at_once_share_their_points(cli, spawn, sweep, common):
    first = spawn(*sweep, cwd=cli.home)
    second = spawn(*sweep, "decode.top_k=20,40", cwd=cli.home)
    told = [process.communicate(timeout=200)[0] for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], "\n".join(told)
    assert len(cli.runs) == 4 * 4 * 2 and set(states(cli.home)) == {"done"}
    for path in cli.home.glob("outputs/*/*/predictions.jsonl"):
        rows = [json.loads(line)["row"] for line in path.open()]
        assert rows == list(range(24))


def test_the_same_sweep_twice_at_once_is_refused(cli, spawn, sweep):
    process = spawn(*sweep, cwd=cli.home)
    for line in process.stdout:
        if line.startswith("done "):
            break
    ended = cli(*sweep)
    assert ended.code == 2 and "is in use by pid" in ended.err
    os.killpg(process.pid, signal.SIGKILL)


def test_a_job_in_a_sweep_is_the_same_job_alone(cli, sweep, common):
    assert cli(*sweep).code == 0
    one = next(path for path in cli.runs)
    overrides = (one / "overrides.txt").read_text().split("\n")[:-1]
    alone = cli(*overrides, "output_dir=alone")
    assert alone.code == 0, alone.err
    (other,) = cli.home.glob("alone/*/*/predictions.jsonl")
    assert other.parent.name[-8:] == one.name[-8:]
    for name in ("predictions.jsonl", "metrics.json", "config.yaml"):
        here, there = (one / name).read_text(), (other.parent / name).read_text()
        assert here.replace("output_dir: outputs", "output_dir: alone") == there, name


def test_a_checkpoint_is_loaded_once(cli, common):
    ended = cli("-m", *common, "decode.do_sample=true", "decode.temperature=range(1,9)", "hydra.launcher.n_jobs=1")
    assert ended.code == 0 and len(cli.runs) == 8
    logs = [(run / "log.txt").read_text() for run in cli.runs]
    assert sum("checkpoint kept from the job before" in log for log in logs) == 7


def test_a_stop_that_reaches_every_process_leaves_everything_resumable(cli, spawn, sweep):
    """As a batch system sends it: the server of the workers gets it, too."""
    process = spawn(*sweep, cwd=cli.home)
    for line in process.stdout:
        if line.startswith("done "):
            break
    under = below(process.pid)
    for pid in (process.pid, *under):
        os.kill(pid, signal.SIGTERM)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 75, told
    time.sleep(0.5)
    assert not alive(under) and "failed" not in states(cli.home)
    assert cli(*sweep).code == 0


def test_shuffled_values_stay_as_they_were_planned(cli, spawn, common):
    arguments = ("-m", *common, "decode.do_sample=true", "seed=shuffle(range(0,40))", "hydra.launcher.n_jobs=1")
    for _ in range(2):
        process = spawn(*arguments, cwd=cli.home)
        for line in process.stdout:
            if line.startswith("done "):
                break
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert cli(*arguments).code == 0
    assert len(cli.runs) == 40


def test_a_sweep_is_resumed_where_it_was_planned(cli, common, tmp_path, monkeypatch):
    assert cli("-m", *common, "decode.top_k=5,7").code == 0
    (folder,) = cli.home.glob("outputs/sweeps/*")
    monkeypatch.chdir(tmp_path)
    ended = cli(f"sweep.resume={folder}")
    assert ended.code == 2 and f"{folder} was planned in {cli.home}" in ended.err


def test_a_run_is_done_again_by_a_word_of_the_sweep(cli, common):
    ended = cli("-m", *common, "decode.top_k=5,7", "rerun=true")
    assert ended.code == 2 and "rerun  is said of a sweep by sweep.done=redo" in ended.err


def test_a_torn_plan_is_cut_to_whole_lines(cli, common):
    arguments = ("-m", *common, "decode.top_k=5,7,9", "decode.do_sample=true")
    assert cli(*arguments).code == 0
    (plan,) = cli.home.glob("outputs/sweeps/*/plan.jsonl")
    lines = plan.read_text().splitlines(keepends=True)
    plan.write_text("".join(lines[:2]) + lines[2][:40])
    (half := plan.with_name(".sweep.parquet.x1y2z3")).write_text("PAR1")  # as a kill leaves it
    assert cli(f"sweep.show={plan.parent.relative_to(cli.home)}").code == 0
    assert cli(*arguments).code == 0
    assert plan.read_text().splitlines(keepends=True) == lines and not half.exists()
    plan.write_text("nonsense\n" + "".join(lines))
    ended = cli(*arguments)
    assert ended.code == 2 and "plan.jsonl is damaged at line 1" in ended.err


@pytest.mark.parametrize("damage", ["", "[1]", '{"well_formed": 3}', '{"well_formed": {"value": "x"}}'])
def test_numbers_of_a_finished_run_that_are_damaged_are_mended(cli, common, damage):
    arguments = ("-m", *common, "decode.top_k=5,7", "decode.do_sample=true")
    assert cli(*arguments).code == 0
    before = {run: (run / "metrics.json").read_text() for run in cli.runs}
    for run in cli.runs:
        (run / "metrics.json").write_text(damage)
    ended = cli(*arguments)
    assert ended.code == 0 and "2 of 2 done" in ended.out, ended.out + ended.err
    assert {run: (run / "metrics.json").read_text() for run in cli.runs} == before
