"""Jobs of a plan to workers: who does what next, what it may take, and what became of it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from runner.stop import Stop
from runner.sweep.options import SweepConfig
from runner.sweep.plan import Job
from runner.sweep.runs import Runs
from runner.sweep.source import Source
from runner.sweep.worker import Outcome
from runner.sweep.workers import GRACE_S, Pool, Worker

STATES = ("done", "skipped", "pruned", "failed", "stopped")
BEAT_S = 3.0  # seconds between two signs of life
BUSY_S = 1.0  # seconds until a run is looked at again that another process is at
FULL = 0.8  # of the memory that a worker may have: from there on it is replaced between jobs
OVER = 0.04  # of a budget that jobs under way may take to stop by themselves
TICK_S = 0.25  # seconds between two looks at clocks and memory


@dataclass(frozen=True)
class Limits:
    """What workers there are, and what a job may take.

    Fields:
        workers: processes at a time.
        timeout_s: seconds of a job; None: as long as it takes.
        memory_mb: of a worker; None: as much as there is.
        budget_s: seconds of the whole sweep, those of earlier attempts too, after which what is under way is stopped.
    """

    workers: int = 1
    timeout_s: float | None = None
    memory_mb: float | None = None
    budget_s: float | None = None


class Watcher(Protocol):
    """Whoever watches a sweep."""

    def began(self, job: Job) -> None:
        """A worker has taken a job."""

    def ended(self, job: Job, outcome: Outcome) -> None:
        """A job has ended, or is not run again."""

    def refused(self, number: int, error: str) -> None:
        """A job that was taken for done is not."""

    def say(self, line: str) -> None:
        """One line."""

    def tick(self, crew: Crew) -> None:
        """A few times a second."""


@dataclass
class Crew:
    """Works a stream of jobs off.

    Fields:
        source: of the jobs, and told what comes of them.
        metric: the number that the source wants to know while a job is under way.
        used_s: seconds of the budget that earlier attempts have taken.
        beat: called every few seconds while there is work.
        waiting: by group, in the order of the plan.
    """

    source: Source
    options: SweepConfig
    limits: Limits
    pool: Pool
    runs: Runs
    watcher: Watcher
    stop: Stop
    metric: str | None = None
    used_s: float = 0.0
    beat: Callable[[], None] = lambda: None
    waiting: dict[str, deque[Job]] = field(default_factory=dict)
    later: list[tuple[float, Job]] = field(default_factory=list)  # when it may be begun again, seconds
    attempts: dict[int, int] = field(default_factory=dict)  # of jobs under way or begun again
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATES, 0))
    failures: dict[str, str] = field(default_factory=dict)  # by number, of jobs whose directory does not say so
    refused: dict[str, str] = field(default_factory=dict)  # of those that are done, with other inputs
    given_up: str = ""  # why no further job is begun
    exhausted: bool = False
    since: float = field(default_factory=time.monotonic)
    beaten: float = 0.0

    def work(self) -> None:
        """Until every job has ended, or a stop was asked for."""
        try:
            while not self._finished():
                if not (self.stop or self.given_up):
                    self._read_on()
                    self._assign()
                for worker, told in self.pool.events(0.0 if self._hungry else TICK_S):
                    self._heard(worker, told)
                self._watch()
                self.watcher.tick(self)
        finally:
            self.pool.close()

    @property
    def running(self) -> list[Worker]:
        """Workers with a job."""
        return [worker for worker in self.pool.workers if worker.job is not None]

    @property
    def total(self) -> int:
        """Jobs in all."""
        return self.source.total

    @property
    def left(self) -> int:
        """Jobs that have not ended."""
        return max(self.total - sum(self.counts.values()), 0)

    @property
    def _hungry(self) -> bool:
        """Whether further jobs are asked for now: a list is composed while workers work, a search waits for them."""
        if self.exhausted or self.stop or self.given_up:
            return False
        return self.source.eager or len(self.running) + sum(map(len, self.waiting.values())) < self.limits.workers

    def _finished(self) -> bool:
        over = bool(self.stop or self.given_up)
        compared = self.runs.compared
        left = self.later or any(self.waiting.values()) or (compared is not None and compared.waiting)
        return not self.running and (over or (self.exhausted and not left))

    def _read_on(self) -> None:
        """One more job of the plan; what is done already is told."""
        if not self._hungry:
            return
        job = self.source.next()
        if job is None:
            self.exhausted = True
            return
        known = Outcome("failed", error=job.error) if job.error else self.runs.known(job)
        if known is not None:
            self._over(job, known)
        else:
            self.waiting.setdefault(job.group, deque()).append(job)

    def _assign(self) -> None:
        now = time.monotonic()
        due = [job for moment, job in self.later if moment <= now]
        self.later = [(moment, job) for moment, job in self.later if moment > now]
        for job in due:
            self.waiting.setdefault(job.group, deque()).appendleft(job)
        idle = [worker for worker in self.pool.workers if worker.job is None and worker.ready and not worker.ending]
        starting = sum(not worker.ready for worker in self.pool.workers)
        for worker in idle:
            chosen = self._next(worker.group)
            if chosen is None:
                return
            if not worker.give(chosen, chosen.number in self.runs.redone, self.metric):
                self.waiting[chosen.group].appendleft(chosen)  # the worker has just ended
                return
            self.attempts[chosen.number] = self.attempts.get(chosen.number, 0) + 1
            self.watcher.began(chosen)
        wanted = min(self.limits.workers, len(self.running) + sum(map(len, self.waiting.values())))
        if len(self.pool.workers) < wanted and starting == 0:
            self.pool.hire()

    def _next(self, group: str | None) -> Job | None:
        """Of the worker's own group if there is one, else of a group that nobody is at."""
        taken = {worker.group for worker in self.running}
        order = sorted(self.waiting, key=lambda name: (name != group, name in taken))
        for name in order:
            if self.waiting[name]:
                return self.waiting[name].popleft()
            del self.waiting[name]
        return None

    def _heard(self, worker: Worker, told: Sequence[Any]) -> None:
        if told[0] == "gone":
            self._lost(worker, told[1])
        elif told[0] == "left":
            if worker.why:
                self._lost(worker, None)
            elif worker.job is not None:
                self._outcome(worker.job, Outcome("stopped", passing=True))
        elif told[0] == "progress":
            worker.progress = told[1:]
        elif told[0] == "reached":
            if worker.job is not None and self.source.reported(worker.job, told[1]):
                worker.give_up()
        else:
            job, outcome = worker.job, Outcome(**told[1])
            assert job is not None
            worker.job = None
            if worker.why and outcome.state == "stopped":
                outcome = replace(outcome, state="failed", error=worker.why)
                self.runs.mark_failed(job, outcome.error, worker.line.pid)
            if outcome.state == "stopped" and worker.ending is None and not (self.stop or self.given_up):
                outcome = replace(outcome, passing=True)  # by somebody else: a batch system that takes its machine back
            if worker.ending is not None or self._swollen(worker):
                worker.end("", grace_s=0.0)  # another one takes its place
            self._outcome(job, outcome)

    def _lost(self, worker: Worker, code: int | None) -> None:
        """A worker has ended, perhaps with its job."""
        if worker.job is None:
            return
        outcome = worker.ended(code)
        if outcome.state == "failed":
            self.runs.mark_failed(worker.job, outcome.error, worker.line.pid)
        self._outcome(worker.job, replace(outcome, wall_s=time.monotonic() - worker.begun))

    def _swollen(self, worker: Worker) -> bool:
        """Whether what earlier jobs left in a worker would soon be held against the next one."""
        return self.limits.memory_mb is not None and worker.line.memory_mb > FULL * self.limits.memory_mb

    def _outcome(self, job: Job, outcome: Outcome) -> None:
        if outcome.state == "failed" and outcome.passing and self.stop:
            outcome = replace(outcome, state="stopped")
        if not outcome.directory:
            outcome = replace(outcome, directory=str(self.runs.directory(job) or ""))
        taken_back = outcome.state == "stopped" and outcome.passing  # the machine is: that says nothing of the job
        if (outcome.state == "busy" or taken_back) and not (self.stop or self.given_up):  # busy: another sweep is at it
            self.attempts[job.number] -= 1
            self.later.append((time.monotonic() + BUSY_S, job))
            return
        again = outcome.passing and self.attempts[job.number] < self.options.attempts
        if again and not (self.stop or self.given_up):
            pause = self.options.wait_s * 2 ** (self.attempts[job.number] - 1)
            self.later.append((time.monotonic() + pause, job))
            return
        self._over(job, outcome)

    def _over(self, job: Job, outcome: Outcome) -> None:
        self.attempts.pop(job.number, None)
        name = {"busy": "stopped"}.get(outcome.state, outcome.state)
        name = "skipped" if name == "done" and not outcome.fresh else name
        self.counts[name] += 1
        self.failures.pop(str(job.number), None)
        if name == "failed" and not job.error and not self.runs.says_failed(job):
            (self.refused if outcome.changed else self.failures)[str(job.number)] = outcome.error
        self.source.ended(job, outcome)
        self.watcher.ended(job, outcome)
        self._bear()

    def _bear(self) -> None:
        """Give up where more have failed than was said."""
        failed, bearable = self.counts["failed"], self.options.bearable
        if failed and (bearable == 0.0 or failed > bearable * self.total) and not self.given_up:
            self.given_up = f"on_error={self.options.on_error}: {failed} of {self.total} failed"
            for worker in self.running:
                worker.end("")

    def _watch(self) -> None:
        """Clocks, memory, and requests to stop."""
        moment = time.monotonic()
        if moment - self.beaten > BEAT_S:
            self.beaten = moment
            self.beat()
        self._compare()
        budget = self.limits.budget_s
        if budget is not None and self.used_s + moment - self.since > budget and not self.given_up:
            self.given_up = f"the budget of {budget:g} s is used"
            for worker in self.running:
                worker.end("", min(GRACE_S, OVER * budget))
        for worker in list(self.pool.workers):
            limits = self.limits
            if self.stop:
                if worker.job is None:
                    worker.dismiss()
                else:
                    worker.end("")
            elif worker.job is not None and limits.timeout_s and moment - worker.begun > limits.timeout_s:
                worker.end(f"stopped after {limits.timeout_s:g} s")
            elif worker.job is not None and limits.memory_mb and worker.line.memory_mb > limits.memory_mb:
                worker.end(f"used more than {limits.memory_mb:g} MB", grace_s=0.0)
            if worker.ending is not None and moment > worker.ending:
                worker.kill()

    def _compare(self) -> None:
        """What was taken for done and is not, for its inputs have changed, has failed."""
        compared = self.runs.compared
        if compared is None:
            return
        for number, error in compared.refused():
            self.counts["skipped"] -= 1
            self.counts["failed"] += 1
            self.refused[str(number)] = error
            self.watcher.refused(number, error)
        while compared.trouble:
            self.watcher.say(compared.trouble.pop())
        self._bear()
