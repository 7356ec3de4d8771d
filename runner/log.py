"""The phases of a run go to its log.txt as well as to whoever watches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runner.record import Record
from runner.types import Following, Observer, Reached, Row


@dataclass(frozen=True)
class Logged:
    """An observer whose phases are kept."""

    record: Record
    observer: Observer

    def phase(self, line: str) -> None:
        """Write it to log.txt, then tell it."""
        self.record.log(line)
        self.observer.phase(line)

    def answer(self, row: Row, prediction: object) -> None:
        """Tell it; predictions.jsonl keeps it."""
        self.observer.answer(row, prediction)

    def progress(self, name: str, done: int, total: int | None, note: str, under_way: float = 0.0) -> None:
        """Tell it."""
        self.observer.progress(name, done, total, note, under_way)

    @property
    def follows(self) -> bool:
        """See Following."""
        return isinstance(self.observer, Following) and self.observer.follows

    def reached(self, step: int, find: Callable[[], Reached]) -> None:
        """Tell it."""
        assert isinstance(self.observer, Following)
        self.observer.reached(step, find)


class Silent:
    """An observer that shows nothing."""

    def phase(self, line: str) -> None:
        """Nothing."""

    def answer(self, row: Row, prediction: object) -> None:
        """Nothing."""

    def progress(self, name: str, done: int, total: int | None, note: str, under_way: float = 0.0) -> None:
        """Nothing."""
