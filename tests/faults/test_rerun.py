"""rerun=true replaces a result only when the new one is there."""

from __future__ import annotations

import json

import pytest
import yaml

SLOW = ("checkpoint=pretrained", "data=files", "engine.threads=1", "engine.slots=1", "decode.max_new_tokens=40",
        "decode.min_new_tokens=40", "decode.do_sample=true")  # fmt: skip


@pytest.fixture
def arguments(tiny, rows):
    return (*SLOW, f"checkpoint.name_or_path={tiny}", f"data.path={rows(120)}")


@pytest.fixture
def run(cli, arguments):
    """A finished run."""
    assert cli(*arguments, "engine.slots=32").code == 0
    (found,) = cli.runs
    return found


def killed(cli, fork, run, *arguments):
    """Kills a rerun once it has written rows; how many it kept."""
    job = fork(*arguments, "rerun=true", sync_s=0)
    job.until(lambda: (run / ".before").is_dir() and (run / "predictions.jsonl").exists()
              and (run / "predictions.jsonl").stat().st_size)  # fmt: skip
    job.kill()
    return (run / "predictions.jsonl").read_bytes().count(b"\n")


def test_the_result_stays_until_the_rerun_is_done(cli, fork, arguments, run, contents):
    before = contents(run)
    kept = killed(cli, fork, run, *arguments)
    assert {f".before/{name}": digest for name, digest in before.items() if name != ".lock"}.items() <= contents(
        run
    ).items()
    ended = cli(*arguments, "engine.slots=32", "rerun=true")
    assert ended.code == 0
    assert f"{kept} of 120 rows kept from before" in ended.out
    assert contents(run)["predictions.jsonl"] == before["predictions.jsonl"]
    assert [path.name for path in run.glob(".*")] == [".lock"]
    assert (cli.status()["state"], cli.status()["attempt"]) == ("done", 3)


def test_an_unfinished_rerun_goes_on_by_the_plain_command_too(cli, fork, arguments, run):
    kept = killed(cli, fork, run, *arguments)
    ended = cli(*arguments, "engine.slots=32")
    assert f"{kept} of 120 rows kept from before" in ended.out
    assert [path.name for path in run.glob(".*")] == [".lock"]


def test_a_rerun_that_is_done_is_run_again(cli, arguments, run):
    for attempt in (2, 3):
        ended = cli(*arguments, "engine.slots=32", "rerun=true")
        assert "kept from before" not in ended.out
        assert f"what was here is kept in {run.relative_to(cli.home)}/.before until this run is done" in ended.out
        assert cli.status()["attempt"] == attempt


def test_a_rerun_whose_inputs_change_begins_again_and_the_result_stays(cli, fork, arguments, run, rows, contents):
    before = contents(run)
    killed(cli, fork, run, *arguments)
    rows(120, seed=1)
    refused = cli(*arguments, "engine.slots=32")
    assert (refused.code, "inputs changed since this run (rows.jsonl)" in refused.err) == (2, True)
    job = fork(*arguments, "rerun=true", sync_s=0)
    job.until(lambda: "0 rows" in job.told or "prompts of" in job.told)
    job.kill()
    assert contents(run)[".before/predictions.jsonl"] == before["predictions.jsonl"]
    ended = cli(*arguments, "engine.slots=32", "rerun=true")
    assert ended.code == 0
    assert contents(run)["predictions.jsonl"] != before["predictions.jsonl"]
    assert [path.name for path in run.glob(".*")] == [".lock"]


@pytest.mark.parametrize("moves", range(1, 9, 2))
def test_a_kill_while_a_result_is_set_aside_loses_nothing(cli, arguments, run, monkeypatch, contents, moves):
    """Not done, and all of it is in one place after the next start."""
    from pathlib import Path

    before = contents(run)
    rename, left = Path.rename, [moves]

    class Killed(BaseException):
        pass

    def counted(self, target):
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", counted)
    with pytest.raises(Killed):
        cli(*arguments, "rerun=true")
    monkeypatch.undo()
    import os

    os.chdir(cli.home)
    assert not (run / "status.json").exists()
    kept = {name.rpartition("/")[2]: digest for name, digest in contents(run).items()}
    assert all(kept[name] == digest for name, digest in before.items() if "/" not in name and name != ".lock")
    ended = cli(*arguments, "engine.slots=32", "rerun=true")
    assert ended.code == 0
    assert "kept from before" not in ended.out
    assert contents(run)["predictions.jsonl"] == before["predictions.jsonl"]
    assert [path.name for path in run.glob(".*")] == [".lock"]


def test_what_is_recorded_replaces_nothing(cli, arguments, run):
    assert cli(*arguments, "engine.slots=32", "rerun=true").code == 0
    assert yaml.safe_load((run / "config.yaml").read_text())["rerun"] is False
    assert "rerun" not in (run / "overrides.txt").read_text()
    assert "rerun" not in json.loads((run / "manifest.json").read_text())["command"]


def test_a_rerun_of_nothing_is_a_run(cli, arguments):
    ended = cli(*arguments, "engine.slots=32", "rerun=true")
    assert ended.code == 0
    assert "what was here" not in ended.out
