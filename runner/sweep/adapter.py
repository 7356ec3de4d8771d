"""What Hydra's plugins of the runner have in common; it imports nothing else, for Hydra loads them at every start."""

from __future__ import annotations

from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper


class Handing(Sweeper):
    """A sweeper that hands the launcher to the work, which is the function that Hydra was given."""

    work: Any
    launcher: Any

    def setup(self, *, hydra_context: Any, task_function: Any, config: Any) -> None:
        """See Sweeper."""
        self.work = task_function
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
