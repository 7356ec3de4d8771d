from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from runner.train.seal import NEEDED, SEAL, newest_sealed, seal

KILLS = int(os.environ.get("RUNNER_KILLS", "20"))


def weights(outputs: Path) -> str:
    from hashlib import sha256

    (path,) = outputs.glob("*/*/checkpoint/model.safetensors")
    return sha256(path.read_bytes()).hexdigest()


def state(run: Path) -> str:
    return json.loads((run / "status.json").read_text())["state"]


def saved(home: Path) -> dict[int, bool]:
    """Steps of the checkpoints on disk, and whether they are sealed."""
    found = home.glob("outputs/*/*/training/checkpoint-*")
    return {int(path.name.partition("-")[2]): (path / SEAL).exists() for path in found}


def being_saved(home: Path, step: int, since: int) -> bool:
    """Whether a checkpoint is there that was not there before, without its seal."""
    found = list(home.glob(f"outputs/*/*/training/checkpoint-{step}"))
    try:
        return bool(found) and not (found[0] / SEAL).exists() and found[0].stat().st_mtime_ns > since
    except FileNotFoundError:  # the one from before has just been removed
        return False


def test_kills_during_saves_leave_the_weights_of_an_uninterrupted_training(cli, fork, training):
    draw, unfinished, kills = random.Random(7), 0, 0
    while kills < KILLS and not saved(cli.home).get(12):
        sealed = max((step for step, whole in saved(cli.home).items() if whole), default=0)
        target = min(12, sealed + 2 * draw.randint(1, 2))
        job = fork(*training.arguments)
        job.until(partial(being_saved, cli.home, target, since=time.time_ns()))
        time.sleep(draw.random() / 50)
        job.kill()
        kills += 1
        unfinished += saved(cli.home).get(target) is False  # it may be just being removed
    last = fork(*training.arguments)
    assert last.wait() == 0, last.told
    log = (cli.runs[0] / "log.txt").read_text()
    assert unfinished
    assert log.count("is unfinished") == unfinished, log
    assert "continuing at step" in log
    assert weights(cli.home / "outputs") == training.weights
    assert cli.status()["attempt"] == kills + 1
    assert not (cli.runs[0] / "training").exists()
    assert not [path for path in cli.runs[0].rglob(".*") if path.name != ".lock"]
    print(f"{kills} kills, {unfinished} of them left an unfinished checkpoint")


@pytest.mark.parametrize("name", ["trainer_state.json", "optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_a_checkpoint_that_lacks_a_file_is_skipped(cli, training, name):
    run = training.interrupted(cli.home)
    (run / "training" / "checkpoint-8" / name).unlink()
    ended = cli(*training.arguments)
    assert ended.code == 0
    assert f"skipping checkpoint-8: lacks {name}" in ended.out
    assert "continuing at step 6 (sealed checkpoint)" in ended.out
    assert weights(cli.home / "outputs") == training.weights


def zero(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(bytes(4096))


def cut(path: Path) -> None:
    os.truncate(path, max(path.stat().st_size - 100, 0))


@pytest.mark.parametrize("damage", [zero, cut])
def test_a_checkpoint_with_damaged_weights_is_skipped(cli, training, damage):
    run = training.interrupted(cli.home)
    damage(run / "training" / "checkpoint-8" / "model.safetensors")
    ended = cli(*training.arguments)
    assert ended.code == 0
    assert "skipping checkpoint-8: model.safetensors does not match its seal" in ended.out
    assert weights(cli.home / "outputs") == training.weights


def test_where_no_checkpoint_is_whole_training_ends_and_a_rerun_begins_again(cli, training, contents):
    run = training.interrupted(cli.home)
    for path in run.glob("training/checkpoint-*/optimizer.pt"):
        path.write_bytes(b"")
    before = contents(run / "training")
    names = sorted(path.name for path in run.glob("training/checkpoint-*"))
    told = ", ".join(f"damaged-{name}" for name in names)
    for attempt in (1, 2):
        ended = cli(*training.arguments)
        assert (ended.code, f"({told}): rerun=true trains from the start\n" in ended.err) == (1, True)
        assert ("skipping checkpoint-8: optimizer.pt does not match its seal" in ended.out) == (attempt == 1)
    assert contents(run / "training") == {f"damaged-{name}": digest for name, digest in before.items()}
    ended = cli(*training.arguments, "rerun=true")
    assert (ended.code, ended.err) == (0, "")
    assert weights(cli.home / "outputs") == training.weights


def test_a_rerun_whose_checkpoints_are_all_damaged_can_be_run_again(cli, training):
    run = training.interrupted(cli.home)
    (run / ".before").mkdir()  # what the rerun is to replace
    for path in run.glob("training/checkpoint-*/optimizer.pt"):
        path.write_bytes(b"")
    assert cli(*training.arguments, "rerun=true").code == 1
    assert cli(*training.arguments, "rerun=true").code == 0
    assert weights(cli.home / "outputs") == training.weights


def test_a_kill_before_the_first_seal_begins_again(cli, training):
    run = training.interrupted(cli.home)
    for path in run.glob("training/checkpoint-*"):
        (path / SEAL).unlink()
    ended = cli(*training.arguments)
    assert (ended.code, ended.err) == (0, "")
    assert "skipping checkpoint-8: is unfinished" in ended.out
    assert "continuing" not in ended.out
    assert weights(cli.home / "outputs") == training.weights


@pytest.mark.parametrize("content", ["", "[1]", "[" * 100_000, '{"optimizer.pt": 5}', "sealed"])
def test_a_seal_that_is_none_is_no_seal(cli, training, content):
    run = training.interrupted(cli.home)
    path = run / "training" / "checkpoint-8" / SEAL
    if content == "sealed":  # all names, no facts
        content = json.dumps(dict.fromkeys(json.loads(path.read_text()), [5]))
    path.write_text(content)
    ended = cli(*training.arguments)
    assert (ended.code, ended.err) == (0, "")
    assert "skipping checkpoint-8: " in ended.out
    assert "continuing at step 6 (sealed checkpoint)" in ended.out
    assert weights(cli.home / "outputs") == training.weights


def test_a_file_with_the_name_of_a_checkpoint_is_set_aside(cli, training):
    run = training.interrupted(cli.home)
    (run / "training" / "checkpoint-99").write_text("x")
    ended = cli(*training.arguments)
    assert (ended.code, ended.err) == (0, "")
    assert "skipping checkpoint-99: is no folder" in ended.out
    assert "continuing at step 8 (sealed checkpoint)" in ended.out


def test_a_checkpoint_whose_best_is_damaged_is_skipped(tmp_path):
    for step, best in ((2, 2), (4, 4), (6, 4)):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        for name in NEEDED:
            (folder / name).write_text(json.dumps({"best_model_checkpoint": f"elsewhere/checkpoint-{best}"}))
        seal(folder)
    said = []
    assert newest_sealed(tmp_path, said.append) == tmp_path / "checkpoint-6"
    cut(tmp_path / "checkpoint-4" / "optimizer.pt")
    assert newest_sealed(tmp_path, said.append) == tmp_path / "checkpoint-2"
    assert said == [
        "skipping checkpoint-6: of the best so far, checkpoint-4: optimizer.pt does not match its seal",
        "skipping checkpoint-4: optimizer.pt does not match its seal",
    ]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_stopped_training_is_sealed_and_goes_on_to_the_same_weights(cli, fork, training, number, code):
    job = fork(*training.arguments)
    job.until(lambda: saved(cli.home).get(2))
    job.signal(number)
    assert job.wait() == code, job.told
    step = max(saved(cli.home))
    assert 2 <= step < 12
    assert f"stopped at step {step} of 12" in job.told
    assert "stopping after this batch (again to stop now)" in job.told
    assert "Traceback" not in job.told
    assert saved(cli.home)[step]
    assert cli.status()["state"] == "stopped"
    assert not (cli.runs[0] / "checkpoint").exists()
    ended = cli(*training.arguments)
    assert ended.code == 0
    assert f"continuing at step {step} (sealed checkpoint)" in ended.out
    assert weights(cli.home / "outputs") == training.weights


def test_a_kill_during_the_export_of_the_weights_is_made_good(cli, fork, training):
    training.interrupted(cli.home)
    job = fork(*training.arguments)
    job.until(lambda: list(cli.home.glob("outputs/*/*/.checkpoint")))
    job.kill()
    ended = cli(*training.arguments)
    assert ended.code == 0, ended.err
    assert weights(cli.home / "outputs") == training.weights
    assert not (cli.runs[0] / "training").exists()
    assert not (cli.runs[0] / ".checkpoint").exists()


def test_a_kill_between_training_and_evaluation_trains_no_second_time(cli, training):
    shutil.copytree(training.whole, cli.home / "outputs", symlinks=True)
    (run,) = cli.runs
    metrics = (run / "metrics.json").read_bytes()
    for name in ("predictions.jsonl", "metrics.json", "status.json"):
        (run / name).unlink()
    shutil.copytree(run / "checkpoint", run / "training" / "checkpoint-12")
    ended = cli(*training.arguments)
    assert ended.code == 0
    assert "train " not in ended.out
    assert not (run / "training").exists()
    assert (run / "metrics.json").read_bytes() == metrics


def test_a_loss_that_is_no_number_ends_the_run_and_the_last_good_checkpoint_stays(cli, training, contents):
    run = training.interrupted(cli.home)
    sealed = {name: digest for name, digest in contents(run / "training").items() if name.startswith("checkpoint-8/")}
    config = json.loads((run / "training" / "checkpoint-8" / SEAL).read_text())
    assert set(sealed) == {f"checkpoint-8/{name}" for name in (*config, SEAL)}
    ended = cli(*training.arguments, "train.learning_rate=1e30")
    assert ended.code == 1
    told = r"the loss is nan at step \d+|the weights are not finite after step \d+|validation at step \d+: non-finite"
    assert re.match(f"RunFailed: ({told})", ended.err)
    assert "Traceback" not in ended.err
    (failed,) = (one for one in cli.runs if one != run)
    assert state(failed) == "failed"
    assert all((path / SEAL).exists() for path in failed.glob("training/checkpoint-*"))
    assert sealed.items() <= contents(run / "training").items()


def test_weights_that_are_no_numbers_are_not_saved_over_good_ones(cli, training, monkeypatch):
    """The loss is logged more rarely than weights are saved, and diverges after checkpoint-4."""
    import torch

    from runner.train.lesson import Lesson

    step = Lesson.training_step

    def poisoned(self, *args, **options):
        loss = step(self, *args, **options)
        if self.state.global_step == 4:
            next(self.model.parameters()).grad.fill_(torch.nan)
        return loss

    monkeypatch.setattr(Lesson, "training_step", poisoned)
    ended = cli(*training.arguments, "train.log_every=100")
    assert ended.code == 1
    assert "RunFailed: the weights are not finite after step 6: try a lower train.learning_rate" in ended.err
    assert saved(cli.home) == {2: True, 4: True}
    assert cli.status()["state"] == "failed"
    monkeypatch.undo()
    os.chdir(cli.home)
    ended = cli(*training.arguments, "train.log_every=100")
    assert ended.code == 0
    assert "continuing at step 4 (sealed checkpoint)" in ended.out
    assert weights(cli.home / "outputs") == training.weights
