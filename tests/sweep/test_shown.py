"""What is told of a sweep afterwards: from anywhere, whatever its runs or its inputs have come to."""

from __future__ import annotations

import csv
import fcntl
import json
import shutil
import signal
import subprocess

from runner.sweep.workers import Worker


def folder(home):
    (found,) = home.glob("outputs/sweeps/*")
    return found


def rows(directory):
    with (directory / "sweep.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_sweep_is_shown_from_anywhere_and_after_it_has_moved(cli, common, monkeypatch, tmp_path):
    cli("-m", *common, "decode.top_k=5,7", "decode.do_sample=true")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    shutil.move(cli.home / "outputs", tmp_path / "moved" / "outputs")
    (there,) = (tmp_path / "moved").glob("outputs/sweeps/*")
    ended = cli(f"sweep.show={there}")
    assert ended.code == 0 and "2 of 2 done" in ended.out and "ties with 1" in ended.out, ended.out
    assert [row["state"] for row in rows(there)] == ["done", "done"]


def test_a_sweep_that_is_worked_off_keeps_its_files(cli, common):
    cli("-m", *common, "decode.top_k=5,7", "decode.do_sample=true")
    directory = folder(cli.home)
    facts = json.loads((directory / "sweep.json").read_text())
    (directory / "sweep.json").write_text(json.dumps(facts | {"state": "running"}))
    (directory / "sweep.html").unlink()
    with (directory / ".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        ended = cli(f"sweep.show={directory}")
        assert ended.code == 0 and f"{directory} · running" in ended.out and "is in use by" in ended.out
        assert not (directory / "sweep.html").exists()
    ended = cli(f"sweep.show={directory}")
    assert f"{directory} · killed" in ended.out and (directory / "sweep.html").exists()


def test_a_job_that_failed_before_it_had_a_directory_is_told_again(cli, common, tmp_path):
    data = tmp_path / "rows.txt"
    data.write_text("春\n")
    arguments = [text for text in common if not text.startswith("data.")]
    ended = cli("-m", *arguments, "data=files", f"data.path={data},{tmp_path}/none.txt")
    said = [line for line in ended.out.splitlines() if line.startswith("FAILED")]
    assert ended.code == 1 and len(said) == 2 and said[0] == said[1] and "none.txt" in said[0]
    done, failed = rows(folder(cli.home))
    assert (done["state"], failed["state"]) == ("done", "failed") and "none.txt" in failed["error"]
    shown = cli(f"sweep.show={folder(cli.home)}")
    assert "1 of 2 done · 1 failed" in shown.out and said[0] in shown.out


def test_runs_of_inputs_that_have_changed_are_no_done_ones(cli, common, tmp_path):
    data = tmp_path / "rows.txt"
    data.write_text("春\n江\n")
    arguments = [text for text in common if not text.startswith("data.")]
    asked = ("-m", *arguments, "data=files", f"data.path={data}", "decode.do_sample=true")
    assert cli(*asked, "decode.top_k=5,7,9").code == 0
    data.write_text("春\n花\n月\n")
    ended = cli(*asked, "decode.top_k=5,7,9")
    assert ended.code == 1 and "3 failed" in ended.out and "ties with" not in ended.out
    said = "inputs changed since this run (rows.txt); sweep.done=redo replaces it"
    assert [row["error"] for row in rows(folder(cli.home))] == [said] * 3 and said in ended.out.partition("3 failed")[2]
    ended = cli(*asked, "decode.top_k=5,7,9", "sweep.done=redo", "dry_run=true")
    assert ended.out.count("to do") == 4 and "3 to do" in ended.out
    ended = cli(*asked, "decode.top_k=5,7,9", "sweep.done=redo")
    assert ended.code == 0 and "3 of 3 done" in ended.out
    assert [len(path.read_text().splitlines()) for path in cli.home.glob("outputs/*/*/predictions.jsonl")] == [3, 3, 3]


def test_each_finished_run_is_compared_with_the_files_of_today(cli, common, tmp_path):
    """One that was done again since says nothing of the others; where nothing can be compared all stay done."""
    data = tmp_path / "rows.txt"
    data.write_text("春\n江\n")
    arguments = [text for text in common if not text.startswith("data.")]
    asked = ("-m", *arguments, "data=files", f"data.path={data}", "decode.do_sample=true")
    assert cli(*asked, "decode.top_k=5,7,9", "sweep.name=all").code == 0
    data.write_text("春\n花\n月\n")
    assert cli(*asked, "decode.top_k=5", "sweep.name=one", "sweep.done=redo").code == 0
    ended = cli(*asked, "decode.top_k=5,7,9", "sweep.name=all")
    assert ended.code == 1 and "1 of 3 done · 2 failed" in ended.out, ended.out
    (all_,) = cli.home.glob("outputs/sweeps/all*")
    assert [row["state"] for row in rows(all_)] == ["done", "failed", "failed"]
    assert cli(*asked, "decode.top_k=5,7,9", "sweep.name=all", "on_error=stop").code == 1
    data.unlink()
    ended = cli(*asked, "decode.top_k=5,7,9", "sweep.name=all")
    assert ended.code == 0 and "3 of 3 done" in ended.out and "not compared with its inputs: " in ended.out, ended.out


def test_a_finished_sweep_is_shown_without_a_worker(cli, common):
    asked = ("-m", *common, "decode.top_k=5,7", "decode.do_sample=true")
    cli(*asked)
    (folder(cli.home) / "workers.log").unlink()
    ended = cli(*asked)
    assert ended.code == 0 and "2 of 2 done" in ended.out and not (folder(cli.home) / "workers.log").exists()


def test_what_could_not_be_composed_is_once_it_can(cli, common, tmp_path):
    """The plan has a line for it: that is written anew, the others stay."""
    (tmp_path / "own" / "decode").mkdir(parents=True)
    for name, beams in (("wide", 2), ("thin", 1)):
        (tmp_path / "own" / "decode" / f"{name}.yaml").write_text(f"num_beams: {beams}\n")
    asked = (
        "--config-dir",
        str(tmp_path / "own"),
        "-m",
        *common,
        "decode=glob([w*,t*])",
        "decode.num_return_sequences=1,2",
    )
    ended = cli(*asked)
    assert ended.code == 1 and "3 of 4 done · 1 failed" in ended.out and "equal answers" in ended.out, ended.out
    (tmp_path / "own" / "decode" / "thin.yaml").write_text("num_beams: 2\nlength_penalty: 0.5\n")
    ended = cli(*asked)
    assert ended.code == 0 and "4 of 4 done" in ended.out and ended.out.count("\ndone ") == 1, ended.out
    plan = [json.loads(line) for line in (folder(cli.home) / "plan.jsonl").open()]
    assert [one.get("error") for one in plan] == ["", "", "", "", None] and plan[-1] == {"jobs": 4, "points": 4}


def test_a_resumed_sweep_is_not_another_one(cli, common):
    cli("-m", *common, "decode.do_sample=true", "seeds=2")
    for more in ("seeds=3", "sweep.tied=[[decode.top_k,seed]]"):
        ended = cli(f"sweep.resume={folder(cli.home)}", more)
        assert ended.code == 2 and "holds a different sweep" in ended.err, ended.err
    assert cli(f"sweep.resume={folder(cli.home)}", "seeds=2").code == 0


def test_whoever_has_seen_enough_may_close_the_pipe(cli, common, spawn):
    cli("-m", *common, "decode.top_k=5,7", "decode.do_sample=true")
    process = spawn(f"sweep.show={folder(cli.home)}", cwd=cli.home, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert "Traceback" not in process.stderr.read() and process.wait(timeout=60) in (0, 1)


def test_one_that_is_to_stop_may_get_less_time():
    """A worker whose job has ended in time needs none of its grace."""
    line = Signals()
    worker = Worker(line)
    worker.end("stopped after 3 s", grace_s=60.0)
    first = worker.ending
    worker.end("", grace_s=0.0)
    assert worker.ending < first and worker.why == "stopped after 3 s" and line.sent == [signal.SIGTERM]
    ending = worker.ending
    worker.end("", grace_s=60.0)
    assert worker.ending == ending


class Signals:
    """The line to a worker that is nowhere."""

    pid, memory_mb = None, 0.0

    def __init__(self):
        self.sent = []

    def send(self, order):
        """Nobody is there."""
        return False

    def signal(self, number):
        """Remembered."""
        self.sent.append(number)
