"""What a run shows while it works: answers as they come, a bar, one line a phase. Plain text off a terminal."""

from __future__ import annotations

import sys
import time
from typing import Any

from runner.errors import visible
from runner.types import Estimate, Row

SHOWN = 20  # answers printed in full; the others are in predictions.jsonl
PLAIN_S = 10.0  # seconds between progress lines off a terminal


class Terminal:
    """The observer behind the command line."""

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(highlight=False, soft_wrap=True, emoji=False)
        self.shown = 0
        self.bar: Any = None
        self.work: Any = None
        self.told = 0.0
        self.line: tuple[str, int] | None = None

    def phase(self, line: str) -> None:
        """Print one line."""
        self.console.print(visible(line), markup=False)

    def answer(self, row: Row, prediction: Any) -> None:
        """Print a text that was generated; numbers wait for the summary."""
        self.shown += 1
        if self.shown > SHOWN or not isinstance(prediction, str | list):
            return
        for text in [prediction] if isinstance(prediction, str) else prediction:
            prompt = str(row.get("text", ""))
            tail = text[len(prompt) :] if text.startswith(prompt) else text
            head = prompt if text.startswith(prompt) else ""
            self.console.print(f"  [dim]{_escaped(head)}[/dim]{_escaped(tail)}")

    def progress(self, name: str, done: int, total: int | None, note: str) -> None:
        """Move the bar; off a terminal a line now and then."""
        if self.console.is_terminal:
            self._bar(name, done, total, note)
        elif (done == total and self.line != (name, done)) or time.monotonic() - self.told > PLAIN_S:
            self.told, self.line = time.monotonic(), (name, done)
            end = f" · {note}" if note else ""
            self.phase(f"{name} {done}/{total if total is not None else '?'}{end}")

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def metrics(self, metrics: dict[str, Estimate]) -> None:
        """One line for each metric: value, interval, n."""
        width = max((len(name) for name in metrics), default=0)
        for name, one in metrics.items():
            interval = "" if one.low is None or one.high is None else f" [{one.low:.4g}, {one.high:.4g}]"
            self.phase(f"{name:<{width}}  {one.value:.4g}{interval}  n {one.n:,}")

    def _bar(self, name: str, done: int, total: int | None, note: str) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        if self.bar is None:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[note]}"),
            )
            self.bar = Progress(*columns, console=self.console)
            self.bar.start()
            self.work = (name, self.bar.add_task(name, total=total, note=note))
        if self.work[0] != name:
            self.work = (name, self.bar.add_task(name, total=total, note=note))
        self.bar.update(self.work[1], completed=done, note=note)


def error(line: str) -> None:
    """A mistake, on stderr."""
    print(line, file=sys.stderr)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(visible(text))
