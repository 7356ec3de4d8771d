"""How much memory keys and values may take, and how to tell that there was too little."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import DynamicCache

from runner.config import EngineConfig
from runner.engine.request import Job, Request
from runner.errors import RunFailed

SHARE = 0.25  # of the free memory
EXHAUSTED = ("can't allocate memory", "not enough memory", "out of memory", "cannot allocate memory")


def cache_bytes(engine: EngineConfig, device: torch.device) -> int:
    """Bytes that the cache may take: engine.memory_mb, else a quarter of what is free on the device."""
    if engine.memory_mb is not None:
        return engine.memory_mb * 2**20
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0] * SHARE)
    return int(_free_ram() * SHARE)


def bytes_per_token(cache: DynamicCache, dtype: torch.dtype) -> int:
    """Bytes of the keys and values of one token in all layers, kept in `dtype`."""
    states = [tensor for layer in cache.layers for tensor in (layer.keys, layer.values)]
    return int(sum(tensor.shape[1] * tensor.shape[3] for tensor in states)) * dtype.itemsize


def out_of_memory(error: BaseException) -> bool:
    """Whether an allocator raised this; the CPU's raises a plain RuntimeError."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in EXHAUSTED)


def fewer(job: Job, requests: Sequence[Request], rows: int, error: BaseException) -> int:
    """Half as many rows, after memory ran out with so many.

    Raises:
        RunFailed: it was one row.
    """
    if rows <= 1:
        tokens = max((len(request.ids) for request in requests), default=0)
        law = f"one row at a time, with a prompt of {tokens} tokens, does not fit into memory"
        raise RunFailed(f"{law}: shorten prompts or outputs, or choose a smaller checkpoint") from error
    job.order.say(f"memory ran out with {rows} rows at a time: going on with {rows // 2}")
    return rows // 2


def _free_ram() -> int:
    """Bytes that this process can still take: of the machine, or of its control group when that has less."""
    free = [2**32]  # where neither file exists
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        kilobytes = next(
            line.split()[1] for line in meminfo.read_text().splitlines() if line.startswith("MemAvailable")
        )
        free = [int(kilobytes) * 1024]
    group = Path("/sys/fs/cgroup")
    if (group / "memory.max").exists() and (most := (group / "memory.max").read_text().strip()) != "max":
        free.append(max(0, int(most) - int((group / "memory.current").read_text())))
    return min(free)
