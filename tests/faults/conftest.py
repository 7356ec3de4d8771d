"""Commands that can be killed, disks that are full, and a training that was interrupted."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHARACTERS = "山水风月花鸟春秋江天人日夜云雨雪白青红一二三千万里空明来去归长短高低远近上下东西南北"
TRAINING = (
    "train=full", "data=files", "checkpoint=pretrained", "engine.threads=1", "train.max_steps=12", "train.save_every=2",
    "train.evaluate_every=2", "train.log_every=1", "train.batch_size=4", "train.learning_rate=1e-3",
)  # fmt: skip


def until(holds: Callable[[], Any], seconds: float = 120) -> Any:
    """Waits, and returns what held."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.001)
    return found


@dataclass
class Fork:
    """A command under way in a process of its own."""

    ask: Callable[[Any], Any]
    pid: int
    output: Path
    code: int | None = None

    def poll(self) -> int | None:
        if self.code is None:
            self.code = self.ask({"poll": self.pid})
        return self.code

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        if self.poll() is None:
            self.signal(signal.SIGKILL)
        self.wait()

    def wait(self) -> int:
        until(lambda: self.poll() is not None)
        assert self.code is not None
        return self.code

    def until(self, holds: Callable[[], Any]) -> Any:
        """Wait for something that the command does before it ends."""
        return until(lambda: holds() or (self.poll() is not None and pytest.fail(f"ended: {self.told}")))

    @property
    def told(self) -> str:
        return self.output.read_text() if self.output.exists() else ""


@dataclass
class Server:
    """See forks.py."""

    process: Any
    folder: Path
    count: int = 0

    def ask(self, question: Any) -> Any:
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def run(self, *arguments: str, cwd: Path, **options: Any) -> Fork:
        """`sync_s`: seconds between syncs of the rows; `ignored`: signals ignored at the start; `env`: variables."""
        self.count += 1
        output = self.folder / f"{self.count}.txt"
        job = {"arguments": list(arguments), "cwd": str(cwd), "output": str(output)} | options
        return Fork(self.ask, self.ask(job), output)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("forks.py"))],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    yield Server(process, tmp_path_factory.mktemp("forks"))
    process.kill()
    process.wait()


@pytest.fixture
def fork(server: Server, cli: Any) -> Iterator[Callable[..., Fork]]:
    """A command in a process of its own, started in 10 ms, in the directory of `cli`."""
    started: list[Fork] = []

    def start(*arguments: str, **options: Any) -> Fork:
        started.append(server.run(*arguments, cwd=cli.home, **options))
        return started[-1]

    yield start
    for one in started:
        one.kill()


@pytest.fixture
def rows(tmp_path: Path) -> Callable[..., Path]:
    """A file of texts, a row each, as .jsonl."""

    def write(count: int, name: str = "rows.jsonl", seed: int = 0) -> Path:
        return write_rows(tmp_path / name, count, seed)

    return write


def write_rows(path: Path, count: int, seed: int) -> Path:
    draw = random.Random(seed)
    texts = ("".join(draw.choices(CHARACTERS, k=draw.randint(4, 12))) for _ in range(count))
    path.write_text("".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts))
    return path


@dataclass(frozen=True)
class Training:
    """A training that ended, and the same one killed after checkpoint-8 was sealed."""

    arguments: tuple[str, ...]
    whole: Path  # outputs
    half: Path  # outputs

    @property
    def weights(self) -> str:
        """sha256 of the uninterrupted training's weights."""
        return weights(self.whole)

    def interrupted(self, home: Path) -> Path:
        """The run directory of the killed one, for a test's own."""
        shutil.copytree(self.half, home / "outputs", symlinks=True)
        (status,) = (home / "outputs").glob("*/*/status.json")
        return status.parent


def weights(outputs: Path) -> str:
    (path,) = outputs.glob("*/*/checkpoint/model.safetensors")
    return sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="session")
def training(server: Server, tiny_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Training:
    """Twelve steps with dropout, saved at every second one."""
    home = tmp_path_factory.mktemp("training")
    texts = home / "texts"
    texts.mkdir()
    for number, (name, count) in enumerate({"train": 40, "valid": 6, "test": 6}.items()):
        write_rows(texts / f"{name}.jsonl", count, seed=number)
    arguments = (*TRAINING, f"checkpoint.name_or_path={tiny_template}", f"data.path={texts}")
    whole = server.run(*arguments, "output_dir=whole", cwd=home)
    half = server.run(*arguments, "output_dir=half", cwd=home)
    half.until(lambda: list(home.glob("half/*/*/training/checkpoint-8/SEAL.json")))
    half.kill()
    assert whole.wait() == 0, whole.told
    return Training(arguments, home / "whole", home / "half")


@pytest.fixture
def contents() -> Callable[[Path], dict[str, str]]:
    """The sha256 of each file below a folder."""

    def read(folder: Path) -> dict[str, str]:
        files = (path for path in sorted(folder.rglob("*")) if path.is_file())
        return {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in files}

    return read


@dataclass
class Disk:
    """Takes so many bytes until it is told to take more: a file system of its own, else a limit on each file."""

    path: Path
    mounted: bool

    def free(self) -> None:
        if self.mounted:
            subprocess.run(["mount", "-o", "remount,size=100m", self.path], check=True)
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, resource.getrlimit(resource.RLIMIT_FSIZE)[1:] * 2)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[int], Disk]]:
    """Where mounting is not allowed, no file of this process may be larger than a quarter of the disk."""
    path, limits = tmp_path / "disk", resource.getrlimit(resource.RLIMIT_FSIZE)
    path.mkdir()
    mounted: list[Path] = []

    def make(size: int) -> Disk:
        if (
            shutil.which("mount")
            and not subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], capture_output=True
            ).returncode
        ):
            mounted.append(path)
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size // 4, limits[1]))
        return Disk(path, bool(mounted))

    yield make
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    for one in mounted:
        subprocess.run(["umount", "-l", one], check=True)
