"""hydra/sweeper=grid: every combination of the values given."""

from dataclasses import dataclass

from hydra.core.config_store import ConfigStore

from runner.sweep.adapter import Handing


@dataclass
class GridSweeperConf:
    """Without options: those of a sweep are said by sweep.* itself."""

    _target_: str = "hydra_plugins.runner_sweep.grid.GridSweeper"


ConfigStore.instance().store(group="hydra/sweeper", name="grid", node=GridSweeperConf, provider="runner")


class GridSweeper(Handing):
    """See Sweep.grid."""

    def sweep(self, arguments: list[str]) -> None:
        """See Sweeper; the arguments are in the work already."""
        self.work.grid(self.launcher)
