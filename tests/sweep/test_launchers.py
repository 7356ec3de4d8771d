"""The same plan over Hydra's launchers: whatever happens to those that work on it, every job comes to the same."""

from __future__ import annotations

import json
import os
import signal

import pytest

from runner.files import sha256
from tests.sweep.processes import alive, below, command, until

ROWS = 9


def results(outputs):
    """sha256 of what each run answered, by its fingerprint."""
    return {path.parent.name[-8:]: sha256(path) for path in outputs.glob("*/*/predictions.jsonl")}


def statuses(home):
    """What each run says of itself, and how many rows it has answered."""
    found = []
    for path in home.glob("outputs/*/*/status.json"):
        rows = path.with_name("predictions.jsonl")
        found.append(json.loads(path.read_text()) | {"rows": rows.read_text().count("\n") if rows.exists() else 0})
    return found


def begun(status):
    """It has answered rows, and is seconds from its end."""
    return status["state"] == "running" and 0 < status["rows"] <= ROWS // 3


@pytest.fixture
def sweep(rules, tiny, tmp_path):
    """Six jobs of some rows each, which take a while."""
    rows = tmp_path / "rows.txt"
    rows.write_text("春\n江\n花\n" * (ROWS // 3))
    return (
        "-m", f"checkpoint.name_or_path={tiny}", "data=files", f"data.path={rows}", "decode.max_new_tokens=2",
        "engine.threads=1", "decode=step", "decode.rule._target_=sweep_rules.Does", "decode.rule.what=slow",
        "seed=range(0,6)", "sweep.wait_s=0", "hydra.launcher.n_jobs=2",
    )  # fmt: skip


@pytest.fixture
def own(rules, monkeypatch):
    """The environment of a process that finds the user's own rule."""
    return {"PYTHONPATH": f"{os.path.dirname(os.path.dirname(os.path.dirname(__file__)))}:{rules}"}


def read_to(process, beginning):
    """Read what is printed until a line begins so."""
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith(beginning):
            return
    raise AssertionError("".join(said))


@pytest.mark.parametrize("launcher", ["joblib", "submitit"])
def test_workers_started_by_a_launcher_of_hydras_come_to_the_same(cli, sweep, launcher):
    assert cli(*sweep, "output_dir=here").code == 0
    ended = cli(*sweep, f"hydra/launcher={launcher}")
    assert ended.code == 0 and "6 of 6 done" in ended.out, ended.out + ended.err
    assert results(cli.home / "outputs") == results(cli.home / "here") and len(cli.runs) == 6
    (folder,) = cli.home.glob("outputs/sweeps/*")
    assert len(list(folder.glob("workers-*.log"))) == 2  # both have worked, each on its own
    assert len({status["pid"] for status in statuses(cli.home)}) == 2
    assert not list(folder.glob("crew-*"))


def hosts(process):
    """The processes that submitit has started."""
    return [pid for pid in below(process.pid) if "submitit.core._submit" in command(pid)]


def test_a_killed_host_loses_nothing(cli, spawn, sweep, own):
    process = spawn(*sweep, "hydra/launcher=submitit_local", cwd=cli.home, env=own)
    read_to(process, "done ")
    working = until(lambda: {status["pid"] for status in statuses(cli.home) if begun(status)})
    first, under = next((host, found) for host in hosts(process) if working & set(found := below(host)))
    os.kill(first, signal.SIGKILL)
    told, _ = process.communicate(timeout=120)
    assert process.returncode == 0 and "6 of 6 done" in told, told
    assert not alive([first, *under])
    assert sorted(status["attempt"] for status in statuses(cli.home)) == [1, 1, 1, 1, 1, 2]
    logs = [(run / "log.txt").read_text() for run in cli.runs]
    assert sum(f"of {ROWS} rows kept from before" in log for log in logs) == 1  # it went on, it did not begin again
    for path in cli.home.glob("outputs/*/*/predictions.jsonl"):
        assert [json.loads(line)["row"] for line in path.open()] == list(range(ROWS))


def test_a_host_whose_time_is_up_hands_its_job_on(cli, spawn, sweep, own):
    process = spawn(*sweep, "sweep.attempts=1", "hydra/launcher=submitit_local", cwd=cli.home, env=own)
    read_to(process, "done ")
    working = until(lambda: {status["pid"] for status in statuses(cli.home) if status["state"] == "running"})
    first = next(host for host in hosts(process) if working & set(below(host)))
    os.kill(first, signal.SIGUSR2)  # as Slurm does it before the time limit
    told, _ = process.communicate(timeout=120)
    assert process.returncode == 0 and "6 of 6 done" in told and "FAILED" not in told, (
        told
    )  # it is no attempt of the job
    for path in cli.home.glob("outputs/*/*/predictions.jsonl"):
        assert [json.loads(line)["row"] for line in path.open()] == list(range(ROWS))


def test_hosts_of_a_killed_sweep_end_and_the_sweep_goes_on_anywhere(cli, spawn, sweep, own):
    process = spawn(*sweep, "hydra/launcher=submitit_local", cwd=cli.home, env=own)
    read_to(process, "done ")
    under = below(process.pid)
    process.kill()
    until(lambda: not alive(under), 20)
    assert 0 < len(results(cli.home / "outputs")) < 6
    assert cli(*sweep, "output_dir=whole").code == 0
    assert list(cli.home.glob("outputs/sweeps/*/crew-1"))
    ended = cli(*sweep)
    assert ended.code == 0 and "6 of 6 done" in ended.out, ended.out + ended.err
    assert results(cli.home / "outputs") == results(cli.home / "whole")
    assert not list(cli.home.glob("outputs/sweeps/*/crew-*"))


def test_a_stop_reaches_every_host(cli, spawn, sweep, own):
    process = spawn(*sweep, "hydra/launcher=submitit_local", cwd=cli.home, env=own)
    read_to(process, "done ")
    under = below(process.pid)
    process.send_signal(signal.SIGTERM)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 75, told
    assert not alive(under) and {status["state"] for status in statuses(cli.home)} <= {"done", "stopped"}


def test_ctrl_c_at_a_terminal_stops_jobs_rather_than_killing_their_hosts(cli, spawn, sweep, own):
    process = spawn(*sweep, "hydra/launcher=submitit_local", cwd=cli.home, env=own)
    read_to(process, "done ")
    under = below(process.pid)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does it
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in told and "FAILED" not in told, told
    assert not alive(under) and {status["state"] for status in statuses(cli.home)} <= {"done", "stopped"}


def test_the_limits_of_a_job_hold_everywhere(cli, doing):
    arguments = [text for text in doing("eat", "hang", "leave", "work") if "n_jobs" not in text]
    ended = cli(
        *arguments, "hydra/launcher=submitit_local", "hydra.launcher.n_jobs=1", "hydra.launcher.timeout_s=4",
        "hydra.launcher.memory_mb=1200",
    )  # fmt: skip
    assert ended.code == 1, ended.out + ended.err
    for expected in ("what=hang", "stopped after 4 s", "process ended with code 5", "used more than 1200 MB"):
        assert expected in ended.out
    assert [line.split()[1] for line in ended.out.splitlines() if line.startswith("done ")] == ["decode.rule.what=work"]


def test_a_launcher_that_starts_nothing_is_told_in_one_line(cli, sweep):
    ended = cli(*sweep, "hydra/launcher=submitit_slurm")
    assert ended.code == 1 and ended.err.count("\n") == 1, ended.err
    assert "no worker can begin" in ended.err and "slurm" in ended.err.lower()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["hydra/launcher=basic"], "hydra/launcher=basic  cannot run these jobs; known: joblib, local, ray, submitit"),
        (["hydra/launcher=submitit_local", "hydra.launcher.timeout_mn=3"],
         "hydra.launcher.timeout_mn  is no option of hydra/launcher=submitit_local; nearest: timeout_min"),
        (["hydra/launcher=joblib", "hydra.launcher.n_jobs=two"], "hydra.launcher.n_jobs  Value 'two'"),
        (["hydra/launcher=joblib", "hydra.launcher.timeout_s=0"], "hydra.launcher.timeout_s  timeout_s > 0 must hold"),
        (["hydra/launcher=joblib", "hydra.launcher.n_jobs=90000"], "90000 workers of 400 MB do not fit into"),
        (["hydra/launcher=joblib", "hydra.launcher._target_=os.system"], "_target_  is no option"),
    ],
)  # fmt: skip
def test_a_launcher_that_cannot_be_used_so_is_refused_before_any_job(cli, common, given, expected):
    ended = cli("-m", *common, "decode.top_k=5,7", *given)
    assert ended.code == 2 and expected in ended.err and not cli.runs, ended.err
