"""What a number may depend on: code, packages, machine, threads, weights, data, settings."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from runner import __version__
from runner.files import read_json

PACKAGES = (
    "torch",
    "transformers",
    "tokenizers",
    "datasets",
    "accelerate",
    "safetensors",
    "numpy",
    "hydra-core",
    "omegaconf",
)
SETTINGS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "PYTHONHASHSEED")


def manifest(
    record: Any, source: Any, model: Any, splits: Mapping[str, Any], decoding: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Everything that is needed to make the run again, and to say why a number differs."""
    config = record.config
    before = read_json(record.directory / "manifest.json") or {}
    return {
        "command": command(record.overrides),
        "id": record.id,
        "name": config.name,
        "seed": config.seed,
        "runner": __version__,
        "git": git(),
        "started": record.status["started"],
        "packages": {name: v for name in PACKAGES if (v := _version(name))},
        "machine": machine(),
        "checkpoint": {
            "name": model.name,
            "commit": source.commit,
            "parameters": model.parameters,
            "dtype": str(model.network.dtype).removeprefix("torch."),
            "device": str(model.network.device),
            "attention": getattr(model.config, "_attn_implementation", None),
            "random_weights": model.random_weights,
            "files": before.get("checkpoint", {}).get("files") or dict(source.files),
        },
        "data": {
            "name": splits["rows"].name,
            "rows": splits["rows"].count,
            "rejected": splits["rows"].rejected,
            "files": data_files(splits),
        },
        "decoding": decoding,
        "notes": [],  # filled in when the run ends
    }


def data_files(splits: Mapping[str, Any]) -> dict[str, str]:
    """Path -> sha256 of all files that the splits of a run are read from."""
    return {path: digest for split in splits.values() for path, digest in split.files.items()}


def changed_inputs(known: Mapping[str, Any], weights: Mapping[str, str], data: Mapping[str, str]) -> list[str]:
    """Names of the files whose content is not what the run began with."""
    before = known.get("checkpoint", {}).get("files", {}) | known.get("data", {}).get("files", {})
    return sorted(
        {Path(name).name for name, digest in {**weights, **data}.items() if before.get(name, digest) != digest}
    )


def command(overrides: Sequence[str]) -> str:
    """The command line that makes the run again."""
    return shlex.join(["python", "-m", "runner", *overrides])


def git() -> dict[str, str] | None:
    """Commit of the checkout that the code lies in, and a hash of what is not committed; None outside of one."""
    folder = Path(__file__).resolve().parent.parent
    if not (folder / ".git").exists():
        return None
    try:
        commit = _git(folder, "rev-parse", "HEAD").strip()
        changes = _git(folder, "diff", "HEAD")
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
