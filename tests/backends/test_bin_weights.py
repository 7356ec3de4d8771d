from __future__ import annotations

import os
import pickle

import pytest
import torch

from runner.errors import CheckpointError


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_an_old_repository_loads_the_same_weights(uer, gpt2, loaded):
    old, new = loaded(uer), loaded(gpt2)
    for name, weight in new.network.state_dict().items():
        assert torch.equal(old.network.state_dict()[name], weight), name
    assert old.processor("床前明月光")["input_ids"] == new.processor("床前明月光")["input_ids"]
    assert type(old.processor).__name__ == "BertTokenizer"


def test_a_file_from_before_torch_1_6_loads(uer, gpt2, loaded):
    weights = torch.load(uer / "pytorch_model.bin")
    torch.save(weights, uer / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    assert torch.equal(loaded(uer).network.lm_head.weight, loaded(gpt2).network.lm_head.weight)


@pytest.mark.parametrize("archive", [True, False])
def test_a_pickle_with_code_is_refused_and_not_run(uer, tmp_path, loaded, archive):
    content = {"transformer.wte.weight": torch.ones(2, 2), "x": Evil(tmp_path / "PWNED")}
    torch.save(content, uer / "pytorch_model.bin", _use_new_zipfile_serialization=archive)
    with pytest.raises(
        CheckpointError, match=r"refused: pytorch_model.bin holds more than weights \(pickle global \w+.system\)"
    ):
        loaded(uer)
    assert not (tmp_path / "PWNED").exists()


def test_a_bare_pickle_with_code_is_refused_and_not_run(uer, tmp_path, loaded):
    (uer / "pytorch_model.bin").write_bytes(pickle.dumps(Evil(tmp_path / "PWNED")))
    with pytest.raises(CheckpointError, match="is refused: pytorch_model.bin holds more than weights"):
        loaded(uer)
    assert not (tmp_path / "PWNED").exists()


def test_safetensors_are_preferred_and_a_pickle_beside_them_is_not_read(gpt2, tmp_path, loaded):
    torch.save(Evil(tmp_path / "PWNED"), gpt2 / "pytorch_model.bin")
    loaded(gpt2)
    assert not (tmp_path / "PWNED").exists()


@pytest.mark.parametrize("size", [0, 1000])
def test_a_truncated_bin_is_refused(uer, loaded, size):
    weights = uer / "pytorch_model.bin"
    weights.write_bytes(weights.read_bytes()[:size])
    with pytest.raises(
        CheckpointError, match=rf"pytorch_model.bin is damaged \({size} bytes, not a whole torch file\)"
    ):
        loaded(uer)


def test_a_truncated_old_file_is_refused(uer, loaded):
    path = uer / "pytorch_model.bin"
    torch.save(torch.load(path), path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(CheckpointError, match="its weights"):
        loaded(uer)
