"""What Hydra's plugins of the runner have in common; it imports little, for Hydra loads them at every start."""

from __future__ import annotations

from typing import Any

from hydra.plugins.sweeper import Sweeper


class Handing(Sweeper):
    """A sweeper that hands the launcher to the work, which is the function that Hydra was given."""

    work: Any
    launcher: Any

    def setup(self, *, hydra_context: Any, task_function: Any, config: Any) -> None:
        """See Sweeper."""
        from runner.sweep.launcher import Launcher

        self.work, self.launcher = task_function, Launcher(hydra_context, config)
