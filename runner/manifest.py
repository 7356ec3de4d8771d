"""What a number may depend on: code, packages, machine, threads, weights, data, settings."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from runner import __version__
from runner.config import Config
from runner.files import read_json, sha256
from runner.fingerprint import determining

PACKAGES = (
    "torch",
    "transformers",
    "tokenizers",
    "datasets",
    "accelerate",
    "peft",
    "safetensors",
    "numpy",
    "hydra-core",
    "omegaconf",
)
SETTINGS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "PYTHONHASHSEED")


@dataclass(frozen=True)
class Inputs:
    """The sha256 of every file that a run is made from."""

    checkpoint: Mapping[str, str]  # file name -> sha256, of the checkpoint that the run begins with
    data: Mapping[str, str]  # split/file name -> sha256
    code: Mapping[str, str]  # module of the user's own -> sha256

    @staticmethod
    def of(config: Config, weights: Mapping[str, str], splits: Mapping[str, Any]) -> Inputs:
        """Those of a run whose checkpoint has been found and whose classes have been built."""
        data = {f"{name}/{file}": digest for name, split in splits.items() for file, digest in split.files.items()}
        return Inputs(dict(weights), data, {name: sha256(path) for name, path in _own_code(determining(config))})

    def changed(self, known: Mapping[str, Any], shared: bool = False) -> list[str]:
        """Names of what is new, gone or other than in a manifest; a name that is told once may stand for several.

        `shared`: of what both have alone.
        """
        before = Inputs(_files(known, "checkpoint"), _files(known, "data"), known.get("code") or {})
        found: set[str] = set()
        for then, now in ((before.checkpoint, self.checkpoint), (before.data, self.data), (before.code, self.code)):
            names = then.keys() & now.keys() if shared else then.keys() | now.keys()
            different = [name for name in names if then.get(name) != now.get(name)]
            found |= {f"{name.rpartition('/')[2]}{_lost(name, then, now)}" for name in different}
        return sorted(found)


def manifest(record: Any, inputs: Inputs, source: Any, model: Any, splits: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that is needed to make the run again, and to say why a number differs.

    Args:
        inputs: what the run began with.
        source: what `model` was loaded from: the checkpoint of the inputs, or the one trained from it.
    """
    config = record.config
    return {
        "command": command(record.overrides),
        "id": record.id,
        "name": config.name,
        "seed": config.seed,
        "runner": __version__,
        "git": code(),
        "started": record.status["started"],
        "packages": packages(),
        "machine": machine(),
        "checkpoint": {
            "name": model.name,
            "commit": source.commit,
            "parameters": model.parameters,
            "dtype": str(model.network.dtype).removeprefix("torch."),
            "device": str(model.network.device),
            "attention": getattr(model.config, "_attn_implementation", None),
            "random_weights": model.random_weights,
            "files": inputs.checkpoint,
            "trained": None if source.files == inputs.checkpoint else dict(source.files),
        },
        "data": {
            "name": splits["rows"].name,
            "rows": splits["rows"].count,
            "rejected": splits["rows"].rejected,
            "files": inputs.data,
        },
        "code": inputs.code,
        "decoding": None,  # known when rows are generated
        "notes": [],  # filled in when the run ends
    }


def read_manifest(directory: Path) -> dict[str, Any] | None:
    """The manifest of a run directory; empty when there is none, None when it is not what is written here."""
    path = directory / "manifest.json"
    if not path.exists():
        return {}
    known = read_json(path)
    return known if isinstance(known, dict) and _whole(known) else None


def other_code(known: Mapping[str, Any]) -> str | None:
    """One line when a run was made or begun with other packages, or another state of this code."""
    then, now = known.get("packages") or {}, packages()
    told = [f"{name} {then.get(name)}, now {now.get(name)}" for name in PACKAGES if then.get(name) != now.get(name)]
    before, after = known.get("git") or {}, code() or {}
    if known.get("runner") != __version__:
        told.append(f"runner {known.get('runner')}, now {__version__}")
    if before.get("commit") != after.get("commit"):
        told.append(f"runner at commit {str(before.get('commit'))[:8]}, now {str(after.get('commit'))[:8]}")
    elif before != after:
        told.append("other changes to the runner that are not committed")
    return f"this run began with {'; '.join(told)}" if told else None


def other_threads(known: Mapping[str, Any]) -> str | None:
    """One line when sums are now made by another number of threads: their last digits, and weights, are others."""
    import torch

    then, now = (known.get("machine") or {}).get("threads"), torch.get_num_threads()
    if then in (None, now):
        return None
    return f"this run began with {then} processor threads, now {now}: last digits differ; engine.threads sets them"


@cache
def packages() -> dict[str, str]:
    """The installed versions of what a number may depend on."""
    return {name: v for name in PACKAGES if (v := _version(name))}


def command(overrides: Sequence[str]) -> str:
    """The command line that makes the run again."""
    return shlex.join(["python", "-m", "runner", *overrides])


@cache
def code() -> dict[str, str] | None:
    """As `git`, looked at once: what runs is what was loaded then."""
    return git()


def git() -> dict[str, str] | None:
    """Commit of the checkout that the code lies in, and a hash of what is not committed; None outside of one.

    What lies outside of runner/ and conf/ makes no number.
    """
    folder = Path(__file__).resolve().parent.parent
    if not (folder / ".git").exists():
        return None
    try:
        commit = _git(folder, "rev-parse", "HEAD").strip()
        code = ("--", "runner", "conf")
        changes = _git(folder, "status", "--porcelain", *code) + _git(folder, "diff", "HEAD", *code)
        new = _git(folder, "ls-files", "--others", "--exclude-standard", *code).splitlines()
        changes += "".join(sha256(folder / name) for name in new if (folder / name).is_file())
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit} | ({"dirty_sha256": hashlib.sha256(changes.encode()).hexdigest()} if changes else {})


def machine() -> dict[str, Any]:
    """Processor, memory, threads and the settings that change numbers."""
    import torch

    facts: dict[str, Any] = {
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "python": sys.version.split()[0],
        "cpu": _processor(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "threads": torch.get_num_threads(),
        "torch_build": torch.__version__,
        "environment": {name: os.environ[name] for name in SETTINGS if name in os.environ},
    }
    if torch.cuda.is_available():
        facts["gpus"] = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        facts["cuda"] = torch.version.cuda
    return facts


def _own_code(node: Any) -> Iterator[tuple[str, Path]]:
    """(module, its file) of every class that a configuration names in a package of the user's own."""
    if isinstance(node, Mapping):
        module, _, name = str(node.get("_target_") or "").rpartition(".")
        if module and module.partition(".")[0] != "runner":
            own = sys.modules[getattr(sys.modules[module], name).__module__]
            if own.__file__ is not None:
                yield own.__name__, Path(own.__file__)
        for value in node.values():
            yield from _own_code(value)
    elif isinstance(node, list):
        for value in node:
            yield from _own_code(value)


def _whole(known: Mapping[str, Any]) -> bool:
    """Whether every section that is read again is a mapping or absent, and names map to hashes."""
    sections = [known.get(name) or {} for name in ("checkpoint", "data", "code", "packages", "machine", "git")]
    if not known or not all(isinstance(section, dict) for section in sections):
        return False
    checkpoint, data, code, packages, *_ = sections
    names = [checkpoint.get("files") or {}, checkpoint.get("trained") or {}, data.get("files") or {}, code, packages]
    return isinstance(checkpoint.get("dtype") or "", str) and all(
        isinstance(found, dict) and all(isinstance(value, str) for value in found.values()) for found in names
    )


def _files(known: Mapping[str, Any], section: str) -> dict[str, str]:
    return dict((known.get(section) or {}).get("files") or {})


def _lost(name: str, then: Mapping[str, str], now: Mapping[str, str]) -> str:
    return "" if name in then and name in now else " is new" if name in now else " is gone"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, errors="replace", timeout=10, check=True
    )
    return done.stdout


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
