"""What every test shares: no network but loopback, a tiny checkpoint, the command line in this process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.browser import chromium, tab  # noqa: F401

ROOT = Path(__file__).resolve().parent.parent
CHARACTERS = "，。？！；山水风月花鸟春秋江天人日夜云雨雪白青红一二三千万里空明来去归长短高低远近上下东西南北"
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *CHARACTERS]


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise OSError(f"a test wanted to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def _same_threads_after() -> Iterator[None]:
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(2)


@pytest.fixture(scope="session")
def tiny_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers of random weights over a small vocabulary of characters, as save_pretrained writes them."""
    import torch
    from transformers import BertTokenizer, GPT2Config, GPT2LMHeadModel

    folder = tmp_path_factory.mktemp("templates") / "tiny"
    torch.manual_seed(1)
    config = GPT2Config(
        vocab_size=len(VOCABULARY), n_positions=64, n_embd=32, n_layer=2, n_head=2,
        bos_token_id=2, eos_token_id=3, pad_token_id=0, initializer_range=0.3,
    )  # fmt: skip
    GPT2LMHeadModel(config).save_pretrained(folder)
    BertTokenizer(vocab={t: i for i, t in enumerate(VOCABULARY)}, do_lower_case=False).save_pretrained(folder)
    return folder


@pytest.fixture
def tiny(tiny_template: Path, tmp_path: Path) -> Path:
    """A copy of the tiny checkpoint that a test may damage."""
    import shutil

    return Path(shutil.copytree(tiny_template, tmp_path / "tiny"))


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class CommandLine:
    """`python -m runner` in this process, from an empty directory, with outputs/ below it."""

    home: Path
    capture: Any

    def __call__(self, *arguments: str) -> Ended:
        from hydra.core.global_hydra import GlobalHydra

        from runner.__main__ import main

        GlobalHydra.instance().clear()
        self.capture.readouterr()
        try:
            code = main(list(arguments))
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 1
        told = self.capture.readouterr()
        return Ended(code, told.out, told.err)

    @property
    def runs(self) -> list[Path]:
        """All run directories below outputs/."""
        return sorted(path.parent for path in (self.home / "outputs").glob("*/*/status.json"))

    def status(self) -> dict[str, Any]:
        """status.json of the only run."""
        (run,) = self.runs
        status: dict[str, Any] = json.loads((run / "status.json").read_text())
        return status


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    return CommandLine(home, capsys)


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """`python -m runner` as a process of its own, one thread; killed at the end of the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **options: Any) -> subprocess.Popen[str]:
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        environment |= options.pop("env", {})
        process = subprocess.Popen(
            [sys.executable, "-m", "runner", *arguments],
            text=True, env=environment, start_new_session=True,
            **({"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "cwd": tmp_path} | options),
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
