"""What a sweep shows while it works: a line for each job that ends, and on a terminal a live line below them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from runner.errors import visible
from runner.report.markup import duration, number, words
from runner.summary import estimate
from runner.sweep.conditions import broken
from runner.sweep.crew import Crew
from runner.sweep.plan import Job
from runner.sweep.worker import Outcome
from runner.sweep.workers import Worker
from runner.types import Estimate

PLAIN_S = 30.0  # seconds between lines of progress off a terminal
SHOWN = 2  # numbers of a job in its line
RUNNING = 8  # jobs under way that have a line of their own


class View:
    """The watcher behind the command line.

    Args:
        metric: the number by which the best is told, and whether a larger one is better.
    """

    def __init__(self, metric: tuple[str, bool] | None = None) -> None:
        from rich.console import Console

        self.console = Console(highlight=False, soft_wrap=True, emoji=False)
        self.metric = metric
        self.conditions: Sequence[str] = ()  # without which no job is the best
        self.best: tuple[float, float, Job] | None = None  # its number, its seconds
        self.cause = ""  # why jobs that had been done were refused
        self.start = self.last = time.monotonic()
        self.seconds: list[float] = []  # of the jobs that were run
        self.live: Any = None

    def say(self, line: str) -> None:
        """One line."""
        self.console.print(visible(line), markup=False)

    def began(self, job: Job) -> None:
        """See Watcher."""

    def ended(self, job: Job, outcome: Outcome) -> None:
        """See Watcher; what had been done before is only counted."""
        if outcome.state == "done":
            self._compare(job, outcome)
        if outcome.fresh and outcome.state == "done":
            self.seconds.append(outcome.wall_s)
            told = ", ".join(self._numbers(outcome.metrics))
            self.say(f"done    {job.told}  {told and f'{told}  '}{duration(outcome.wall_s)}  {outcome.directory}")
        elif outcome.state == "pruned" and outcome.fresh:
            self.say(f"pruned  {job.told}  {outcome.error}  {duration(outcome.wall_s)}")
        elif outcome.state == "failed":
            where = f" ({outcome.directory})" if outcome.directory else ""
            self.say(f"FAILED  {job.told}{where}: {outcome.error}")

    def refused(self, number: int, error: str) -> None:
        """See Watcher; each is told at the end."""
        if error != self.cause:
            self.cause = error
            self.say(f"FAILED  what had been done before: {error}")
        if self.best is not None and self.best[2].number == number:
            self.best = None

    def tick(self, crew: Crew) -> None:
        """See Watcher."""
        if self.console.is_terminal:
            self._show([self.progress(crew), *map(_under_way, crew.running[:RUNNING])])
        elif time.monotonic() - self.last > PLAIN_S:
            self.last = time.monotonic()
            self.say(self.progress(crew))

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self.live is not None:
            self.live.stop()
            self.live = None

    def progress(self, crew: Crew) -> str:
        """How far the sweep is."""
        counts = crew.counts
        told = [f"{counts['done'] + counts['skipped']:,} of {crew.total:,} done", f"{len(crew.running)} running"]
        told += [f"{counts[name]} {name}" for name in ("pruned", "failed") if counts[name]]
        if self.best is not None and self.metric is not None:
            told.append(f"best {words(self.metric[0])} {number(self.best[0])} ({self.best[2].told})")
        if self.seconds and crew.left:
            each = sum(self.seconds) / len(self.seconds)
            told.append(f"{duration(each * crew.left / max(crew.limits.workers, 1))} left")
        return " · ".join(told)

    def _numbers(self, metrics: Mapping[str, Any]) -> list[str]:
        """That of the leaderboard, and others."""
        names = sorted(metrics, key=lambda name: self.metric is None or name != self.metric[0])
        return [f"{words(name)} {estimate(Estimate(**metrics[name]))}" for name in names[:SHOWN]]

    def _compare(self, job: Job, outcome: Outcome) -> None:
        if self.metric is None or self.metric[0] not in outcome.metrics:
            return
        value = outcome.metrics[self.metric[0]]["value"]
        numbers = {name: one["value"] for name, one in outcome.metrics.items()} | {"seconds": outcome.seconds}
        if broken(self.conditions, numbers):
            return
        if self.best is None or self._place(value, outcome.seconds) < self._place(*self.best[:2]):
            self.best = value, outcome.seconds, job

    def _place(self, value: float, seconds: float) -> tuple[float, float]:
        """In the order of the leaderboard."""
        assert self.metric is not None
        return -value if self.metric[1] else value, seconds

    def _show(self, lines: Sequence[str]) -> None:
        from rich.live import Live
        from rich.text import Text

        if self.live is None:
            self.live = Live(console=self.console, refresh_per_second=4, transient=True)
            self.live.start()
        self.live.update(Text("\n".join(map(visible, lines)), no_wrap=True, overflow="ellipsis"))


def _under_way(worker: Worker) -> str:
    """What a worker is at, how far it is, and for how long."""
    assert worker.job is not None
    since = duration(time.monotonic() - worker.begun)
    if not worker.progress:
        return f"  {worker.job.told}  {since}"
    name, done, total, note = worker.progress
    far = f"{done:,}" if total is None else f"{done:,}/{total:,}"
    return f"  {worker.job.told}  {' · '.join(filter(None, (f'{name} {far}', note, since)))}"
