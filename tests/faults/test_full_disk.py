"""A disk that is full or read-only, before and during a run."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from runner.train.seal import SEAL


@pytest.fixture
def generation(tiny, rows):
    return ("checkpoint=pretrained", f"checkpoint.name_or_path={tiny}", "data=files", f"data.path={rows(300)}",
            "engine.threads=1", "decode.max_new_tokens=30")  # fmt: skip


def runs(outputs):
    return [path.parent for path in outputs.glob("*/*/status.json")]


def test_a_full_disk_leaves_whole_rows_and_the_same_command_finishes(cli, disk, generation):
    small = disk(100_000)
    outputs = small.path / "outputs"
    ended = cli(*generation, f"output_dir={outputs}")
    assert ended.code == 1, ended.out
    (run,) = runs(outputs)
    path = run / "predictions.jsonl"
    assert ended.err.startswith(f"RunFailed: no space left writing {path} (")
    assert " KB free)\n" in ended.err  # the run directory may follow
    assert "Traceback" not in ended.err
    assert json.loads((run / "status.json").read_text())["state"] in ("running", "failed")
    kept = [json.loads(line)["row"] for line in path.read_text().splitlines()]
    assert not list(run.glob(".*.jsonl.*"))
    small.free()
    again = cli(*generation, f"output_dir={outputs}")
    assert again.code == 0, again.err
    assert not kept or f"{len(kept)} of 300 rows kept from before" in again.out
    assert [json.loads(line)["row"] for line in path.read_text().splitlines()] == list(range(300))


def test_a_disk_that_is_full_during_a_checkpoint_keeps_the_sealed_one(cli, disk, training):
    """One checkpoint of this model takes about 400 kB."""
    small = disk(1_000_000)
    outputs = small.path / "outputs"
    if not small.mounted:
        pytest.skip("needs a file system of its own")
    ended = cli(*training.arguments, f"output_dir={outputs}")
    assert ended.code == 1
    (run,) = runs(outputs)
    assert ended.err.startswith(f"RunFailed: no space left writing {run}/training/checkpoint-")
    assert "Traceback" not in ended.err
    sealed = [path.parent.name for path in run.glob(f"training/checkpoint-*/{SEAL}")]
    assert sealed
    small.free()
    again = cli(*training.arguments, f"output_dir={outputs}")
    assert again.code == 0, again.err
    assert f"continuing at step {max(int(name.partition('-')[2]) for name in sealed)} (sealed checkpoint)" in again.out
    (weights,) = outputs.glob("*/*/checkpoint/model.safetensors")
    (expected,) = training.whole.glob("*/*/checkpoint/model.safetensors")
    assert weights.read_bytes() == expected.read_bytes()


def test_a_torch_file_that_meets_a_limit_is_told_as_a_full_disk(cli, disk, training):
    """torch.save says 'unexpected pos' and never 'disk'."""
    import resource

    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (180_000, hard))  # between the weights and the optimizer's state
    try:
        ended = cli(*training.arguments)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert ended.code == 1
    assert "RunFailed: no space left writing " in ended.err
    assert "/training/checkpoint-2" in ended.err
    assert cli.status()["state"] == "failed"


def test_a_disk_that_is_full_from_the_start_is_refused(cli, disk, generation):
    small = disk(8192)
    if not small.mounted:
        pytest.skip("needs a file system of its own")
    (small.path / "filler").write_bytes(bytes(4096))
    ended = cli(*generation, f"output_dir={small.path}/outputs")
    assert ended.code == 2
    assert ended.err.startswith(f"RecordError: cannot write to {small.path}/outputs/causal_lm/")
    assert ended.err.endswith(": no space left on device\n")
    assert [path.name for path in small.path.iterdir()] == ["filler"]


def test_a_read_only_disk_is_refused(cli, disk, generation):
    small = disk(1_000_000)
    if not small.mounted:
        pytest.skip("needs a file system of its own")
    subprocess.run(["mount", "-o", "remount,ro", small.path], check=True)
    ended = cli(*generation, f"output_dir={small.path}/outputs")
    assert ended.code == 2
    assert ended.err.startswith(f"RecordError: cannot write to {small.path}/outputs/causal_lm/")
    assert ended.err.endswith(": read-only file system\n")
    assert list(small.path.iterdir()) == []


def test_an_output_directory_below_a_file_is_refused(cli, generation):
    (cli.home / "file").write_text("kept")
    ended = cli(*generation, "output_dir=file/outputs")
    assert ended.code == 2
    assert ended.err.startswith("RecordError: cannot write to file/outputs/causal_lm/")
    assert ended.err.endswith(": not a directory\n")
    assert (cli.home / "file").read_text() == "kept"
    assert [path.name for path in cli.home.iterdir()] == ["file"]


def test_a_full_disk_does_not_touch_a_finished_run(cli, disk, generation, contents):
    small = disk(1_000_000)
    if not small.mounted:
        pytest.skip("needs a file system of its own")
    outputs = small.path / "outputs"
    assert cli(*generation, f"output_dir={outputs}").code == 0
    before = contents(outputs)
    with (small.path / "filler").open("wb") as file:
        free = shutil.disk_usage(small.path).free
        file.write(bytes(free))
    again = cli(*generation, f"output_dir={outputs}")
    assert (again.code, again.err) == (0, "")
    other = cli(*generation, f"output_dir={outputs}", "seed=1")
    assert other.code == 2
    assert "no space left on device" in other.err
    assert contents(outputs) == before
