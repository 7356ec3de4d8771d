"""A job that fails costs only itself, its cause is told at once and at the end, and the same command tries it again."""

from __future__ import annotations

import pytest

from tests.sweep.conftest import states, status

CAUSES = {
    "raise": "ZeroDivisionError: boom",
    "exit": "process ended with code 7",
    "leave": "process ended with code 5",
    "kill": "killed by signal 9 (out of memory?)",
}


@pytest.mark.parametrize("what", CAUSES)
def test_a_job_that_fails_costs_only_itself(cli, doing, what):
    ended = cli(*doing("work", what, "also"), "sweep.attempts=1")
    assert ended.code == 1, ended.err
    assert states(cli.home) == {"work": "done", what: "failed", "also": "done"}
    told = [line for line in ended.out.splitlines() if line.startswith("FAILED") and CAUSES[what] in line]
    assert len(told) == 2 and "outputs/causal_lm/" in told[0], ended.out  # when it happens, and at the end
    assert CAUSES[what] in status(cli.home, what)["error"] or what == "raise"


def test_a_job_that_hangs_is_stopped(cli, doing):
    ended = cli(*doing("work", "hang", "also"), "hydra.launcher.timeout_s=2")
    assert ended.code == 1
    assert states(cli.home) == {"work": "done", "hang": "failed", "also": "done"}
    assert "stopped after 2 s" in ended.out and status(cli.home, "hang")["error"] == "stopped after 2 s"


def test_a_job_that_takes_too_much_memory_is_stopped(cli, doing):
    ended = cli(*doing("work", "eat", "also"), "hydra.launcher.memory_mb=1500")
    assert ended.code == 1
    assert states(cli.home) == {"work": "done", "eat": "failed", "also": "done"}
    assert "used more than 1500 MB" in ended.out


def test_the_same_command_runs_only_what_failed(cli, doing, tmp_path):
    first = cli(*doing("raise", "work", mark=tmp_path / "mark"), "sweep.attempts=1")
    assert (first.code, states(cli.home)) == (1, {"raise": "failed", "work": "done"})
    before = {path: path.stat().st_mtime_ns for path in cli.home.glob("outputs/causal_lm/*/predictions.jsonl")}
    again = cli(*doing("raise", "work", mark=tmp_path / "mark"), "sweep.attempts=1")
    assert (again.code, states(cli.home)) == (0, {"raise": "done", "work": "done"}), again.out
    assert status(cli.home, "raise")["attempt"] == 2 and status(cli.home, "work")["attempt"] == 1
    kept = [path for path, when in before.items() if path.stat().st_mtime_ns == when]
    assert len(kept) >= 1


def test_what_failed_may_be_left_as_it_is(cli, doing, tmp_path):
    cli(*doing("raise", "work", mark=tmp_path / "mark"), "sweep.attempts=1")
    again = cli(*doing("raise", "work", mark=tmp_path / "mark"), "sweep.failed=skip")
    assert (again.code, states(cli.home)["raise"]) == (1, "failed")
    assert status(cli.home, "raise")["attempt"] == 1


def test_what_is_done_may_be_done_again(cli, doing):
    cli(*doing("work", "also"))
    again = cli(*doing("work", "also"), "sweep.done=redo")
    assert again.code == 0, again.err
    assert [status(cli.home, what)["attempt"] for what in ("work", "also")] == [2, 2]


def test_a_cause_that_may_pass_gets_another_attempt(cli, doing, tmp_path):
    ended = cli(*doing("kill", mark=tmp_path / "mark"), "sweep.attempts=2")
    assert ended.code == 0, ended.out
    assert status(cli.home, "kill")["attempt"] == 2


@pytest.mark.parametrize(("policy", "done"), [("stop", 0), ("0.3", 0), ("0.5", 1), ("continue", 2)])
def test_how_many_may_fail_is_said(cli, doing, policy, done):
    ended = cli(*doing("raise", "leave", "work", "also"), f"on_error={policy}", "sweep.attempts=1")
    assert ended.code == 1
    found = states(cli.home)
    assert [found.get(what) for what in ("work", "also")].count("done") == (2 if policy in ("continue", "0.5") else 0)
    assert ("on_error=" in ended.out) == (policy in ("stop", "0.3"))


def test_a_job_that_stops_when_its_time_is_up_leaves_its_worker_s_place_to_another(cli, doing, tmp_path):
    """It stops between two rows by itself; the next job is not held responsible."""
    rows = tmp_path / "rows.txt"
    rows.write_text("春\n" * 60)
    arguments = [text for text in doing("slow", "work") if not text.startswith("data.")]
    ended = cli(*arguments, "data=files", f"data.path={rows}", "hydra.launcher.timeout_s=4", "engine.threads=1")
    assert states(cli.home) == {"slow": "failed", "work": "done"}, ended.out
    assert status(cli.home, "slow")["error"] == "stopped after 4 s" and ended.code == 1


def test_a_dry_run_tells_what_would_be_done_and_writes_nothing(cli, doing):
    asked = doing("work", "also")
    listed = cli(*asked, "dry_run=true")
    assert listed.code == 0 and not list(cli.home.iterdir())
    assert [line.split()[:2] for line in listed.out.splitlines()[:2]] == [["to", "do"], ["to", "do"]]
    assert "2 to do" in listed.out
    cli(*doing("work"))
    listed = cli(*asked, "dry_run=true")
    assert listed.out.splitlines()[0].startswith("done") and "1 to do, about" in listed.out
    cli(*asked)
    (plan,) = [path for path in cli.home.glob("outputs/sweeps/*/plan.jsonl") if "also" in path.read_text()]
    planned = plan.read_bytes()
    for torn in (b"", planned[:40]):
        plan.write_bytes(planned + torn)
        listed = cli(*asked, "dry_run=true")
        states = [line.split()[0] for line in listed.out.splitlines()]
        assert states == ["done", "done", "0"] and plan.read_bytes() == planned + torn


def test_workers_that_cannot_begin_end_the_sweep(cli, doing):
    first = cli(*doing("work", "also"), "dry_run=true")
    assert first.code == 0
    cli(*doing("work"))
    (folder,) = cli.home.glob("outputs/sweeps/*")
    (folder / "workers.log").unlink()
    (folder / "workers.log").mkdir()
    ended = cli(*doing("work"), "sweep.done=redo")
    assert (ended.code, "no worker can begin" in ended.err) == (1, True), ended.err
