"""Sampled texts depend on seed and row alone, and a run on nothing that ran before it."""

from __future__ import annotations

import pytest

SAMPLED = ("checkpoint=pretrained", "data=files", "decode=sample", "decode.temperature=1.2", "decode.top_p=0.95",
           "decode.max_new_tokens=40", "engine.threads=1", "seed=5")  # fmt: skip


def predictions(outputs):
    (path,) = outputs.glob("*/*/predictions.jsonl")
    return path.read_bytes()


@pytest.fixture
def arguments(tiny, rows):
    return (*SAMPLED, f"checkpoint.name_or_path={tiny}", f"data.path={rows(60)}")


def test_sampled_texts_do_not_depend_on_slots_windows_or_kills(cli, fork, arguments):
    assert cli(*arguments, "engine.slots=1", "output_dir=one").code == 0
    assert cli(*arguments, "engine.slots=8", "data.window_rows=20", "output_dir=eight").code == 0
    job = fork(*arguments, "engine.slots=1", "output_dir=killed", sync_s=0)
    job.until(lambda: any(path.stat().st_size for path in cli.home.glob("killed/*/*/predictions.jsonl")))
    job.kill()
    kept = predictions(cli.home / "killed").count(b"\n")
    assert 0 < kept < 60
    ended = cli(*arguments, "engine.slots=8", "output_dir=killed")
    assert f"{kept} of 60 rows kept from before" in ended.out
    one = predictions(cli.home / "one")
    assert one.count(b"\n") == 60
    assert one == predictions(cli.home / "eight") == predictions(cli.home / "killed")


def test_a_job_twice_in_one_process_equals_the_job_alone(cli, fork, tiny, training):
    """Between the two another job draws random numbers and takes other threads."""
    sampled = (*SAMPLED, f"checkpoint.name_or_path={tiny}", "data=prompts", "data.prompts=['山水','春风','明月']")
    trained = (*training.arguments, "train.max_steps=4")
    for place in ("first", "second"):
        assert cli(*sampled, f"output_dir={place}").code == 0
        assert cli(*trained, f"output_dir={place}-trained").code == 0
        assert (
            cli(*sampled, "seed=9", "engine.threads=2", "engine.dtype=bfloat16", f"output_dir={place}-other").code == 0
        )
    assert fork(*sampled, "output_dir=alone").wait() == 0
    assert fork(*trained, "output_dir=alone-trained").wait() == 0
    read = {name: predictions(cli.home / name) for name in ("first", "second", "alone")}
    assert read["first"] == read["second"] == read["alone"]
    files = [
        sorted((path.name, path.read_bytes()) for path in cli.home.glob(f"{name}-trained/*/*/m*.json"))
        + sorted(path.read_bytes() for path in cli.home.glob(f"{name}-trained/*/*/checkpoint/model.safetensors"))
        for name in ("first", "second", "alone")
    ]
    for found in files:
        assert [item[0] for item in found[:-1]] == ["manifest.json", "metrics.json"]
    assert files[0][1:] == files[1][1:] == files[2][1:]
