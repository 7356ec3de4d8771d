"""The runner: one configuration-driven command for Hugging Face models."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["run"]

if TYPE_CHECKING:
    from runner.api import run


def __getattr__(name: str) -> Any:
    """Import the Python API when it is asked for, so that `import runner` stays light."""
    if name == "run":
        from runner.api import run

        return run
    raise AttributeError(name)
