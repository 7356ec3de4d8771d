"""A plan that is worked off in its directory, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from runner.errors import DONE, FAILED, INTERRUPTED, STOPPED
from runner.report.markup import duration
from runner.stop import Stop, stop_on_signals
from runner.sweep.board import chosen_metric, leaderboard
from runner.sweep.compared import Compared
from runner.sweep.crew import Crew, Limits
from runner.sweep.directory import FILE, alive, began, begin, end, locked, read, texts
from runner.sweep.entries import Entry, entries
from runner.sweep.findings import Findings
from runner.sweep.options import SweepConfig
from runner.sweep.page import write_page
from runner.sweep.plan import Plan
from runner.sweep.results import lines, write
from runner.sweep.runs import Runs
from runner.sweep.source import Source
from runner.sweep.view import View
from runner.sweep.worker import Outcome
from runner.sweep.workers import Pool

Opening = Callable[[Plan, Mapping[str, Any]], Source]  # of a plan as far as it stands, and what sweep.json says
Hiring = Callable[[Path, int, Limits, int], Pool]  # of a directory, the number of the attempt, limits, jobs


@dataclass
class Work:
    """A plan that is worked off in its directory.

    Fields:
        asked: what determines which jobs there are.
        numbers: of the jobs' task, and whether a larger one is better.
        plugins: the overrides that chose a sweeper and a launcher.
        once: what stays as it was when the sweep was planned.
    """

    directory: Path
    asked: Mapping[str, Any]
    options: SweepConfig
    limits: Limits
    numbers: Mapping[str, bool]
    plugins: Sequence[str] = ()
    once: Mapping[str, Any] = field(default_factory=dict)
    view: View = field(default_factory=View)

    @property
    def conditions(self) -> Sequence[str]:
        """That a search was asked to keep to."""
        return list(self.asked.get("constraints", ()))

    def done(self, source: Opening, pool: Hiring, watched: str | None = None) -> int:
        """The exit code.

        Args:
            source: called with the plan, as far as it stands, and with what sweep.json says.
            pool: of workers.
            watched: the number that the source wants to know while a job is under way.
        """
        self.view.metric = chosen_metric([], self.numbers, self.options.metric) or next(
            iter(self.numbers.items()), None
        )
        self.view.conditions = self.conditions
        if self.options.dry_run:
            for line in self._listed(source):
                self.view.say(line)
            return DONE
        with locked(self.directory), stop_on_signals(Stop(), self.view.say) as stop:
            this = {"plugins": list(self.plugins), "done": self.options.done, "workers": self.limits.workers}
            facts, told = begin(self.directory, self.asked, self.once, this)
            plan = Plan(self.directory)
            plan.mend()
            remedy = "sweep.name begins another search" if "goals" in self.asked else "sweep.done=redo replaces it"
            runs = Runs(self.options, facts["began"], facts["planned"] if watched is not None else None,
                        failures=texts(facts.get("failures")), compared=Compared(remedy))  # fmt: skip
            given = source(plan, facts)
            for line in (self._header(given.total, facts), *told):
                self.view.say(line)
            hired = pool(self.directory, facts["attempt"], self.limits, given.total)
            crew = Crew(given, self.options, self.limits, hired, runs, self.view, stop, watched, facts["used_s"],
                        partial(alive, self.directory), failures={**runs.failures})  # fmt: skip
            try:
                with closing(plan), closing(self.view):
                    crew.work()
            except Exception as error:
                with suppress(OSError):  # on a full disk there is no place for it either
                    end(self.directory, facts, state="stopped", error=str(error), **_told(crew))
                raise
            code = _code(crew, stop)
            state = {DONE: "done", FAILED: "failed"}.get(code, "stopped")
            end(self.directory, facts, state=state, **_told(crew))
            for line in (crew.given_up, *self.results(plan)):
                self.view.say(line)
        return code

    def results(self, plan: Plan, base: Path = Path(), kept: bool = True) -> Iterator[str]:
        """How far it came, the leaderboard and the failures, in lines.

        Args:
            plan: of the sweep.
            base: where relative paths of its jobs begin.
            kept: whether they are written to the directory, too.
        """
        facts = read(self.directory)
        runs = Runs(self.options, "", base=base, failures=texts(facts.get("failures")))
        found = list(entries(plan, runs, texts(facts.get("refused"))))
        metric = chosen_metric(found, self.numbers, self.options.metric)
        places = leaderboard(found, *metric, self.conditions) if metric else []
        name = metric[0] if metric else None
        findings = Findings(self.directory, facts, self.numbers, name, found, places)
        yield _tally(found, int(facts.get("total") or 0))
        yield ""
        yield from lines(places, name, found, findings.goals)
        if not kept:
            return
        tables = write(self.directory, found, places)
        page = write_page(findings)
        yield f"{self.directory}        {'  '.join([page, *tables])}"

    def _listed(self, source: Opening) -> Iterator[str]:
        """What would be done, and how long about, from what is there; nothing is written."""
        earlier = read(self.directory) if (self.directory / FILE).exists() else {}
        facts = {**self.once, **earlier}
        plan = Plan(self.directory, writes=False)
        plan.mend()
        given, runs = (
            source(plan, facts),
            Runs(self.options, began(earlier, self.options.done), failures=texts(earlier.get("failures"))),
        )
        seconds, left = [], 0
        while (job := given.next()) is not None:
            known = Outcome("failed", error=job.error) if job.error else runs.known(job)
            seconds += [known.seconds] if known is not None and known.state == "done" else []
            left += known is None
            yield f"{'to do' if known is None else known.state:<7} {job.told}{f': {job.error}' if job.error else ''}"
        work_s = left * sum(seconds) / max(len(seconds), 1) / self.limits.workers
        yield f"{left:,} to do{f', about {duration(work_s)} of work' if work_s else ''}"

    def _header(self, total: int, facts: Mapping[str, Any]) -> str:
        workers = self.limits.workers
        frozen = f" · frozen at commit {facts['commit'][:8]}" if facts.get("commit") else ""
        return f"{total:,} run{'s' * (total != 1)} · {workers} worker{'s' * (workers != 1)} · {self.directory}{frozen}"


def _told(crew: Crew) -> dict[str, Any]:
    """What sweep.json says of an attempt at its end."""
    return {"counts": crew.counts, "failures": crew.failures, "refused": crew.refused, "total": crew.total}


def _tally(found: Sequence[Entry], total: int) -> str:
    """How many jobs came how far, whichever attempt they are from."""
    counts, total = Counter(entry.state for entry in found), max(total, len(found))
    counts["not run"] = total - sum(count for state, count in counts.items() if state != "new")
    told = [
        f"{counts[state]:,} {state}" for state in ("pruned", "failed", "stopped", "running", "not run") if counts[state]
    ]
    return " · ".join([f"{counts['done']:,} of {total:,} done", *told])


def _code(crew: Crew, stop: Stop) -> int:
    if stop:
        return INTERRUPTED if stop.interrupted else STOPPED
    return FAILED if crew.counts["failed"] else DONE
