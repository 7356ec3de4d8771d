"""The launcher that was chosen: our own, for this machine, or one of Hydra's that starts workers elsewhere."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from hydra.core.utils import JobStatus
from hydra.types import HydraContext
from omegaconf import DictConfig, open_dict

from runner.errors import ConfigError
from runner.sweep.crew import Limits
from runner.sweep.host import Host
from runner.sweep.plugins import LAUNCHER, OWN
from runner.sweep.pool import Local, fair_threads
from runner.sweep.remote import Remote
from runner.sweep.workers import Pool

HERE = (*OWN[LAUNCHER], "joblib", "submitit_local")  # those that start workers on this machine
ELSEWHERE = 8  # workers, unless said otherwise
WORKER_MB = 400  # at least, of a worker that has imported everything


@dataclass(frozen=True)
class Launcher:
    """What Hydra has composed of it.

    Fields:
        context: of Hydra.
        config: all of the first composition, with Hydra's own section.
    """

    context: HydraContext
    config: DictConfig

    @property
    def name(self) -> str:
        """As it was chosen."""
        return str(self.config.hydra.runtime.choices[LAUNCHER])

    def limits(self, asked: Mapping[str, Any]) -> Limits:
        """What was asked for comes to.

        Raises:
            ConfigError: it breaks a law, or does not fit into this machine's memory.
        """
        found = [
            f"hydra.launcher.{name}  {name} > 0 must hold, but got {value}"
            for name, value in asked.items()
            if value is not None and value <= 0
        ]
        usual = max(1, len(os.sched_getaffinity(0)) // 4) if self.name in HERE else ELSEWHERE
        workers = asked["n_jobs"] or usual
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6
        each = max(WORKER_MB, asked["memory_mb"] or 0)
        if not found and self.name in HERE and workers * each > there:
            found.append(f"hydra.launcher.n_jobs  {workers} workers of {each:,.0f} MB do not fit into {there:,.0f} MB")
        if found:
            raise ConfigError(found)
        return Limits(workers, asked["timeout_s"], asked["memory_mb"])

    def pool(self, directory: Path, attempt: int, limits: Limits, jobs: int) -> Pool:
        """Workers for an attempt at so many jobs in this directory."""
        threads = fair_threads(limits.workers) if self.name in HERE else None
        if self.name in OWN[LAUNCHER]:
            return Local(directory / "workers.log", threads)
        folder = directory.absolute() / f"crew-{attempt}"
        host = Host(str(folder), str(directory.absolute() / "workers-{}.log"), threads)

        def launch(count: int, first: int) -> None:
            made = self._made(directory, count, host)
            for ended in made.launch([[] for _ in range(count)], first):
                if ended.status == JobStatus.FAILED:
                    raise ended._return_value

        return Remote(folder, launch, max(1, min(limits.workers, jobs)))

    def _made(self, directory: Path, count: int, host: Host) -> Any:
        """Hydra's launcher, for hosts that need nothing of the configuration but their number."""
        config = copy.deepcopy(self.config)
        with open_dict(config):
            config.hydra.sweep.dir, config.hydra.sweep.subdir = str(directory.absolute() / "launcher"), "."
            if "n_jobs" in config.hydra.launcher:
                config.hydra.launcher.n_jobs = count
            if "ray" in config.hydra.launcher:
                _for_ray(config.hydra.launcher.ray.init)
        context = HydraContext(Fixed(config), self.context.callbacks)  # type: ignore[arg-type]
        return Plugins.instance().instantiate_launcher(hydra_context=context, task_function=host, config=config)


def _for_ray(init: DictConfig) -> None:
    """What ray.init needs beside what was said, in place: a cluster that is there refuses the launcher's default."""
    if init.get("address") or "RAY_ADDRESS" in os.environ:
        init.setdefault("object_store_memory", None)
    init.setdefault("logging_level", "error")


@dataclass
class Fixed:
    """Hydra's ConfigLoader, as far as launchers use it: what a host needs stays, whatever becomes of YAML files."""

    config: DictConfig

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: Sequence[str]) -> DictConfig:
        """See ConfigLoader."""
        return copy.deepcopy(self.config)
