"""What a process keeps from one run to the next, where both need the same."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any


@dataclass
class Kept:
    """The checkpoint that was loaded last, for runs that only read it."""

    key: Hashable = None
    model: Any = None
    loads: int = 0

    def loaded(self, key: Hashable, load: Callable[[], Any]) -> Any:
        """The model of that key; the one before it is let go first."""
        if self.model is None or key != self.key:
            self.forget()
            loaded = load()
            self.loads += 1
            if loaded.random_weights:  # they are another run's, with another seed
                return loaded
            self.key, self.model = key, loaded
        return self.model

    def forget(self) -> None:
        """Let the model go."""
        self.key, self.model = None, None
