"""What did not come to an end: failures counted by their cause, and what is left to do."""

from __future__ import annotations

from collections.abc import Sequence

from runner.report.markup import Markup, clipped, many, tag, within
from runner.sweep.entries import Entry
from runner.sweep.findings import Findings
from runner.sweep.page.leaderboard import link

SIZE = 60_000  # bytes of each list
CAUSE = 300  # characters
LEFT = {"stopped": "stopped before the end", "running": "had not ended", "new": "not run yet"}


def failures(findings: Findings) -> Markup:
    """The section; empty where everything is done."""
    failed: dict[str, list[Entry]] = {}
    for entry in findings.entries:
        if entry.state == "failed":
            failed.setdefault(clipped(entry.error or "nothing says why", CAUSE), []).append(entry)
    left = [entry for entry in findings.entries if entry.state in LEFT]
    if not failed and not left:
        return Markup("")
    causes = sorted(failed.items(), key=lambda one: -len(one[1]))
    parts = [tag("h2", "Failures" if failed else "Not run")]
    if failed:
        count = sum(map(len, failed.values()))
        search = bool(findings.facts.get("asked", {}).get("goals"))  # its study has counted them
        again = "" if search else " The same command tries them again."
        parts.append(tag("p", f"{many(count, 'job')} failed, of {many(len(causes), 'cause')}.{again}"))
        parts += within((_cause(findings, cause, jobs) for cause, jobs in causes), SIZE)
    if left:
        parts += [tag("h3", "Not run to the end")] if failed else []
        parts += [_list(findings, [one for one in left if one.state == state], f"{said}")
                  for state, said in LEFT.items() if any(one.state == state for one in left)]  # fmt: skip
    return tag("section", *parts, id="failures")


def _cause(findings: Findings, cause: str, jobs: Sequence[Entry]) -> Markup:
    told = tag("p", tag("strong", f"{len(jobs):,} × "), cause, class_="error")
    return tag("div", told, _list(findings, jobs, "which"), class_="cause")


def _list(findings: Findings, jobs: Sequence[Entry], head: str) -> Markup:
    """Jobs to be unfolded; few stand open."""
    items = within((tag("li", clipped(entry.job.told, 300), " ", link(findings, entry, "run")) for entry in jobs),
                   SIZE // 4)  # fmt: skip
    left = len(jobs) - len(items)
    more = tag("li", f"and {left:,} more in sweep.csv") if left else None
    return tag("details", tag("summary", f"{head}: {many(len(jobs), 'job')}"), tag("ul", *items, more, class_="jobs"),
               open=len(jobs) <= 6)  # fmt: skip
