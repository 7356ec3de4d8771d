from __future__ import annotations

import json
import signal
import subprocess

import pytest

SLOW = ("checkpoint=pretrained", "data=files", "engine.threads=1", "engine.slots=1", "decode.max_new_tokens=40",
        "decode.min_new_tokens=40")  # fmt: skip


def predictions(home):
    (path,) = home.glob("outputs/*/*/predictions.jsonl")
    return path


def answered(home):
    """Whether a row has been written."""
    return any(path.stat().st_size for path in home.glob("outputs/*/*/predictions.jsonl"))


def where(cli):
    return f"{cli.runs[0].relative_to(cli.home)}        report.html"


def whole_rows(path):
    """The rows of the file, each of which must be whole."""
    return [json.loads(line)["row"] for line in path.read_text().splitlines()]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_signal_stops_after_the_batch_and_keeps_every_finished_row(cli, fork, tiny, rows, number, code):
    arguments = (*SLOW, f"checkpoint.name_or_path={tiny}", f"data.path={rows(120)}")
    job = fork(*arguments, sync_s=0)
    job.until(lambda: answered(cli.home))
    job.signal(number)
    assert job.wait() == code
    kept = whole_rows(predictions(cli.home))
    assert 0 < len(kept) < 120
    assert "stopping after this batch (again to stop now)" in job.told
    assert f"stopped at {len(kept)} of 120 rows; the same command goes on\n{where(cli)}" in job.told
    assert "Traceback" not in job.told
    assert cli.status()["state"] == "stopped"
    log = (cli.runs[0] / "log.txt").read_text()
    assert f"stopped: stopped at {len(kept)} of 120 rows" in log
    again = fork(*arguments, "engine.slots=32")
    assert again.wait() == 0
    assert f"{len(kept)} of 120 rows kept from before" in again.told
    assert whole_rows(predictions(cli.home)) == list(range(120))
    assert (cli.status()["state"], cli.status()["attempt"]) == ("done", 2)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130), (signal.SIGHUP, 75)])
def test_a_row_that_takes_long_does_not_hold_up_a_stop(cli, fork, tiny, number, code):
    """4,000 tokens take far longer than the two seconds that a row under way is given."""
    job = fork(
        "checkpoint=random", f"checkpoint.tokenizer={tiny}", "data.prompts=[山水]", "decode.min_new_tokens=4000",
        "checkpoint.architecture={model_type: gpt2, n_layer: 12, n_embd: 64, n_head: 2, n_positions: 4096}",
    )  # fmt: skip
    job.until(lambda: "loaded in" in job.told)
    job.signal(number)
    assert job.wait() == code, job.told
    assert "stopped at 0 of 1 row; the same command goes on" in job.told
    assert cli.status()["state"] == "stopped"


def test_a_stop_while_the_checkpoint_loads_begins_no_row(cli, fork, tiny, rows):
    job = fork(*SLOW, f"checkpoint.name_or_path={tiny}", f"data.path={rows(120)}")
    job.until(lambda: list((cli.home / "outputs").glob("*/*/status.json")))
    job.signal(signal.SIGTERM)
    assert job.wait() == 75, job.told
    assert cli.status()["state"] == "stopped"


def test_a_second_signal_stops_at_once_and_leaves_whole_rows(cli, fork, tiny, rows):
    arguments = (*SLOW, f"checkpoint.name_or_path={tiny}", f"data.path={rows(120)}", "decode.num_beams=2",
                 "engine.slots=400")  # fmt: skip
    job = fork(*arguments)
    job.until(lambda: "120 prompts of" in job.told)
    job.signal(signal.SIGINT)
    job.until(lambda: "stopping after this batch (again to stop now)" in job.told)
    job.signal(signal.SIGINT)
    assert job.wait() == 130
    assert job.told.rstrip().endswith(f"interrupted\n{where(cli)}")
    assert "Traceback" not in job.told
    assert cli.status()["state"] == "stopped"


def test_ctrl_c_works_where_signals_were_ignored_at_the_start(cli, fork, tiny, rows):
    """nohup, or a job in the background of a script."""
    arguments = (*SLOW, f"checkpoint.name_or_path={tiny}", f"data.path={rows(120)}")
    job = fork(*arguments, sync_s=0, ignored=[signal.SIGINT, signal.SIGTERM])
    job.until(lambda: answered(cli.home))
    job.signal(signal.SIGINT)
    assert job.wait() == 130
    assert "stopping after this batch (again to stop now)" in job.told
    assert cli.status()["state"] == "stopped"


def test_a_kill_loses_no_row_that_was_synced(cli, fork, tiny, rows):
    arguments = (*SLOW, f"checkpoint.name_or_path={tiny}", f"data.path={rows(120)}")
    job = fork(*arguments, sync_s=0)
    job.until(lambda: answered(cli.home))
    job.kill()
    before = [line for line in predictions(cli.home).read_text().splitlines(keepends=True) if line.endswith("\n")]
    assert 0 < len(before) < 120
    assert cli.status()["state"] == "running"
    ended = cli(*arguments, "engine.slots=32")
    assert ended.code == 0
    assert f"{len(before)} of 120 rows kept from before" in ended.out
    assert set(before) <= set(predictions(cli.home).read_text().splitlines(keepends=True))
    assert whole_rows(predictions(cli.home)) == list(range(120))


def test_two_processes_do_not_share_a_directory(cli, fork, tiny, rows, contents):
    arguments = (*SLOW, f"checkpoint.name_or_path={tiny}", f"data.path={rows(120)}")
    first = fork(*arguments, sync_s=0)
    first.until(lambda: answered(cli.home))
    first.signal(signal.SIGSTOP)
    before = contents(cli.runs[0])
    second = cli(*arguments)
    third = cli(*arguments, "rerun=true")
    assert contents(cli.runs[0]) == before
    first.signal(signal.SIGCONT)
    host = subprocess.run(["hostname"], capture_output=True, text=True).stdout.strip()
    told = f"RecordError: {cli.runs[0].relative_to(cli.home)} is in use by pid {first.pid} on {host}\n"
    assert (second.code, second.err) == (2, told)
    assert (third.code, third.err) == (2, told)
    first.signal(signal.SIGTERM)
    assert first.wait() == 75


def test_other_seeds_started_in_the_same_second_have_other_directories(cli, fork, tiny):
    arguments = (
        "checkpoint=pretrained",
        f"checkpoint.name_or_path={tiny}",
        "data.prompts=['山水']",
        "engine.threads=1",
    )
    jobs = [fork(*arguments, f"seed={seed}") for seed in (1, 2)]
    assert [job.wait() for job in jobs] == [0, 0]
    first, second = cli.runs
    assert first != second
    started = [json.loads((run / "status.json").read_text())["started"] for run in cli.runs]
    assert {json.loads((run / "status.json").read_text())["pid"] for run in cli.runs} == {job.pid for job in jobs}
    assert len(started) == 2
