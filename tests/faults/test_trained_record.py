"""What a trained run records of its base, and what is done with its checkpoint later."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path

import pytest


@pytest.fixture
def run(cli, training):
    """A finished training."""
    shutil.copytree(training.whole, cli.home / "outputs", symlinks=True)
    (found,) = cli.runs
    return found


def digest(path):
    return sha256(path.read_bytes()).hexdigest()


def test_the_manifest_names_the_base_and_knows_both_checkpoints(run, tiny_template):
    checkpoint = json.loads((run / "manifest.json").read_text())["checkpoint"]
    assert checkpoint["name"] == "tiny (fine-tuned)"
    assert checkpoint["files"]["model.safetensors"] == digest(tiny_template / "model.safetensors")
    assert checkpoint["trained"]["model.safetensors"] == digest(run / "checkpoint" / "model.safetensors")


def test_both_loads_are_timed(cli, training, monkeypatch):
    """One clock tick a reading: each phase takes 1 s, and there are two loads."""
    import runner.running

    ticks = iter(range(10_000))
    monkeypatch.setattr(runner.running.time, "perf_counter", lambda: float(next(ticks)))
    assert cli(*training.arguments, "train.max_steps=2").code == 0
    phases = json.loads((cli.runs[0] / "timing.json").read_text())["phases"]
    assert phases["load"] >= 2


def test_options_and_trust_that_still_apply_survive_training(cli, training, run, monkeypatch):
    import runner.loading
    from runner.config import CheckpointConfig

    for name in ("predictions.jsonl", "metrics.json", "status.json"):
        (run / name).unlink()
    seen = []
    find = runner.loading.find

    def recorded(checkpoint, auto_class):
        seen.append(checkpoint)
        return find(checkpoint, auto_class)

    monkeypatch.setattr(runner.loading, "find", recorded)
    options = "{ignore_mismatched_sizes: true, layer_norm_epsilon: 1e-6}"
    arguments = (*training.arguments, "train.max_steps=2", f"checkpoint.options={options}")
    assert cli(*arguments, "checkpoint.trust_remote_code=true").code == 0
    base, trained = seen
    assert base.options["ignore_mismatched_sizes"] is True
    assert trained == CheckpointConfig(
        str(Path(trained.name_or_path)), options={"layer_norm_epsilon": 1e-6}, trust_remote_code=True
    )


def zero(path):
    with path.open("r+b") as file:
        file.seek(1000)
        file.write(bytes(4096))


@pytest.mark.parametrize(("damage", "told"), [(zero, "damaged"), (Path.unlink, "gone")])
def test_a_trained_checkpoint_that_was_damaged_is_not_used(cli, training, run, damage, told):
    whole = (run / "predictions.jsonl").read_bytes()
    (run / "status.json").unlink()
    damage(run / "checkpoint" / "model.safetensors")
    ended = cli(*training.arguments)
    assert (ended.code, ended.err) == (0, "")
    assert f"checkpoint/model.safetensors is {told}: trained again" in ended.out
    assert "kept from before" not in ended.out
    assert digest(run / "checkpoint" / "model.safetensors") == training.weights
    assert (run / "predictions.jsonl").read_bytes() == whole
