from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runner.config import CheckpointConfig, EngineConfig
from tests.backends.hub import HubServer
from tests.backends.made import VOCABULARY


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    """A hub of our own with an empty cache; waits between retries are left out."""
    from huggingface_hub import constants, file_download
    from huggingface_hub.utils import _http

    without_waits = SimpleNamespace(sleep=lambda _: None, time=lambda: 0.0)
    monkeypatch.setattr(file_download, "time", without_waits)
    monkeypatch.setattr(_http, "time", without_waits)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with HubServer() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.split("/{repo_id}")[1]
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"{server.url}/{{repo_id}}{template}")
        yield server


@pytest.fixture(scope="session")
def gpt2_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint as save_pretrained writes it: two layers, a character vocabulary."""
    import torch
    from transformers import BertTokenizer, GPT2Config, GPT2LMHeadModel

    folder = tmp_path_factory.mktemp("templates") / "tiny"
    torch.manual_seed(1)
    config = GPT2Config(
        vocab_size=len(VOCABULARY), n_positions=32, n_embd=16, n_layer=2, n_head=2, bos_token_id=2, eos_token_id=3
    )
    GPT2LMHeadModel(config).save_pretrained(folder)
    BertTokenizer(vocab={t: i for i, t in enumerate(VOCABULARY)}, do_lower_case=False).save_pretrained(folder)
    return folder


@pytest.fixture
def gpt2(gpt2_template: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(gpt2_template, tmp_path / "tiny"))


@pytest.fixture
def uer(gpt2_template: Path, tmp_path: Path) -> Path:
    """The files of uer/gpt2-chinese-poem: a state dict saved by torch.save, vocab.txt, and no tokenizer.json."""
    import torch
    from transformers import GPT2LMHeadModel

    folder = tmp_path / "uer"
    folder.mkdir()
    config = json.loads((gpt2_template / "config.json").read_text())
    known = ("activation_function", "architectures", "model_type", "n_embd", "n_head", "n_layer", "n_positions")
    old = {key: config[key] for key in (*known, "vocab_size")} | {"tokenizer_class": "BertTokenizer", "n_ctx": 32}
    (folder / "config.json").write_text(json.dumps(old | {"gradient_checkpointing": False, "output_past": True}))
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in VOCABULARY), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false, "model_max_length": 32}')
    weights = GPT2LMHeadModel.from_pretrained(gpt2_template).state_dict()
    for layer in range(2):  # buffers that old versions kept in the file
        weights[f"transformer.h.{layer}.attn.bias"] = torch.ones(1, 1, 32, 32, dtype=torch.uint8).tril()
        weights[f"transformer.h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
    torch.save(weights, folder / "pytorch_model.bin")
    return folder


@pytest.fixture
def loaded() -> Callable[..., Any]:
    """Find and load in one call."""
    from runner.backends.checkpoint import find
    from runner.backends.torch import load

    def call(
        name: str | Path | None,
        *,
        auto_class: str = "AutoModelForCausalLM",
        new: bool = False,
        seed: int = 0,
        dtype: str = "float32",
        attention: str | None = None,
        device: str = "cpu",
        **checkpoint: Any,
    ) -> Any:
        config = CheckpointConfig(name_or_path=None if name is None else str(name), **checkpoint)
        engine = EngineConfig(dtype=dtype, attention=attention, device=device)
        return load(find(config, auto_class), config, auto_class, "AutoTokenizer", engine, seed, new)

    return call
