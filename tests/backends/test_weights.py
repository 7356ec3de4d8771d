from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from runner.backends.weights import weight_files
from runner.errors import CheckpointError

BROKEN = Path(__file__).parents[3] / "shared" / "checkpoints" / "broken_truncated_minilm"


def test_a_whole_file_passes(gpt2):
    assert [file.name for file in weight_files(gpt2)] == ["model.safetensors"]


@pytest.mark.parametrize("lost", [1, 100, 5000])
def test_a_truncated_file_is_refused_with_both_sizes(gpt2, lost):
    weights = gpt2 / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-lost])
    with pytest.raises(CheckpointError) as error:
        weight_files(gpt2)
    assert str(error.value) == (
        f"checkpoint {gpt2}: model.safetensors is damaged ({len(content) - lost} bytes, "
        f"its header asks for {len(content)}): copy it again"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is damaged \(0 bytes, its header alone needs 8\)"),
        (b"\x10\0\0\0\0\0\0\0{}", r"is damaged \(10 bytes, its header asks for 24\)"),
        (b"\x02\0\0\0\0\0\0\0{}xx", r"is damaged \(12 bytes, its header asks for 10\)"),
        (b"\x02\0\0\0\0\0\0\0[]", r"is damaged \(10 bytes, its header cannot be read\)"),
        (b"<html>Not found</html>", r"is damaged \(22 bytes, no safetensors header\)"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a Git LFS pointer, .*git lfs pull"),
    ],
)
def test_what_is_no_safetensors_file_is_refused(gpt2, content, message):
    (gpt2 / "model.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match=f"model.safetensors {message}"):
        weight_files(gpt2)


@pytest.mark.skipif(not BROKEN.is_dir(), reason="the workplace's broken checkpoint is not here")
def test_a_real_truncated_checkpoint_is_refused():
    with pytest.raises(CheckpointError, match=r"damaged \(851968 bytes, its header asks for 90868376\): copy it again"):
        weight_files(BROKEN)


def test_no_weights_tells_what_is_there(gpt2):
    (gpt2 / "model.safetensors").rename(gpt2 / "tf_model.h5")
    with pytest.raises(
        CheckpointError, match=r"has no weights: expected model.safetensors .* it holds config.json.*tf_model"
    ):
        weight_files(gpt2)


@pytest.fixture
def sharded(gpt2, tmp_path):
    from transformers import GPT2LMHeadModel

    folder = tmp_path / "sharded"
    GPT2LMHeadModel.from_pretrained(gpt2).save_pretrained(folder, max_shard_size="10KB")
    shutil.copy(gpt2 / "tokenizer.json", folder)
    shutil.copy(gpt2 / "tokenizer_config.json", folder)
    return folder


def test_shards_load(sharded, gpt2, loaded):
    assert len(weight_files(sharded)) > 2
    assert loaded(sharded).parameters == loaded(gpt2).parameters


def test_a_missing_shard_is_named(sharded):
    shard = next(sharded.glob("model-00002-*"))
    shard.unlink()
    with pytest.raises(CheckpointError, match=rf"shard {shard.name} is missing \(model.safetensors.index.json names"):
        weight_files(sharded)


def test_a_damaged_shard_is_named(sharded):
    shard = next(sharded.glob("model-00002-*"))
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=f"{shard.name} is damaged"):
        weight_files(sharded)


@pytest.mark.parametrize("content", ["", "{}", '{"weight_map": {}}', '{"weight_map": {"a": 3}}'])
def test_a_damaged_index_is_named(sharded, content):
    (sharded / "model.safetensors.index.json").write_text(content)
    with pytest.raises(CheckpointError, match="model.safetensors.index.json is damaged"):
        weight_files(sharded)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a\0b", "..\\x"])
def test_an_index_cannot_name_files_elsewhere(sharded, name):
    (sharded / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(CheckpointError, match="weight_map must give a file name"):
        weight_files(sharded)
