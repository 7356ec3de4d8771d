"""hydra/sweeper=grid: every combination of the values given."""

from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper


@dataclass
class GridSweeperConf:
    """Without options: those of a sweep are said by sweep.* itself."""

    _target_: str = "hydra_plugins.runner_sweep.grid.GridSweeper"


ConfigStore.instance().store(group="hydra/sweeper", name="grid", node=GridSweeperConf, provider="runner")


class GridSweeper(Sweeper):
    """Hands the points to the launcher that was chosen."""

    def __init__(self) -> None:
        self.work: Any = None

    def setup(self, *, hydra_context: Any, task_function: Any, config: Any) -> None:
        """See Sweeper."""
        self.work = task_function
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """See Sweeper; the arguments are in the work already."""
        return self.work.grid(self.launcher)
