"""hydra/sweeper=search: points that are chosen by what those before them came to."""

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore

from runner.sweep.adapter import Handing


@dataclass
class SearchSweeperConf:
    """Options of hydra.sweeper; see runner.sweep.aims.SearchConfig."""

    _target_: str = "hydra_plugins.runner_sweep.search.SearchSweeper"
    n_trials: int = 20  # points in all
    metric: Any = None  # the number to make best, or several; null: the first of the task
    sampler: str = "tpe"  # tpe | gp | cmaes | random | qmc | grid | nsga2
    pruner: str | None = None  # median | hyperband | halving | wilcoxon
    startup: int = 5  # points before the sampler learns, and the median is one
    warmup_steps: int = 0  # steps, or rows, before which nothing is given up
    constraints: list[str] = field(default_factory=list)  # conditions on numbers, e.g. [seconds<=10]
    storage: str | None = None  # null: SQLite in the sweep's directory; journal; or a URL without a password
    budget_s: float | None = None  # seconds
    seed: int = 0


ConfigStore.instance().store(group="hydra/sweeper", name="search", node=SearchSweeperConf, provider="runner")


class SearchSweeper(Handing):
    """See Sweep.search."""

    def __init__(self, **options: Any) -> None:
        self.options = options

    def sweep(self, arguments: list[str]) -> None:
        """See Sweeper; the arguments are in the work already."""
        self.work.search(self.launcher, self.options)
