"""hydra/launcher=local: worker processes on this machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher


@dataclass
class LocalLauncherConf:
    """Options of hydra.launcher; null: as it fits the machine, or no limit."""

    _target_: str = "hydra_plugins.runner_sweep.local.LocalLauncher"
    n_jobs: int | None = None  # workers at a time; null: one for every four processors
    timeout_s: float | None = None  # seconds of a job
    memory_mb: float | None = None  # of a worker


ConfigStore.instance().store(group="hydra/launcher", name="local", node=LocalLauncherConf, provider="runner")


class LocalLauncher(Launcher):
    """Workers that stay: libraries are imported once, a checkpoint is loaded once."""

    def __init__(self, n_jobs: int | None, timeout_s: float | None, memory_mb: float | None) -> None:
        self.n_jobs, self.timeout_s, self.memory_mb = n_jobs, timeout_s, memory_mb

    def setup(self, *, hydra_context: Any, task_function: Any, config: Any) -> None:
        """See Launcher; its options are all that it is asked for."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Never: the runner's own sweepers hand their plan to workers, and others are refused."""
        raise RuntimeError("hydra/launcher=local is for hydra/sweeper=grid and search")
