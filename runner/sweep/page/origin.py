"""How the sweep was made: its command, code, times, workers, and what it cost."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from runner.manifest import command
from runner.report.markup import Markup, clipped, duration, is_number, moment, tag
from runner.report.origin import card
from runner.report.origin import command as command_box
from runner.sweep.findings import Findings

OWN = ("seeds", "tied", "when", "name")  # of sweep.json's `asked`, said on the command line


def origin(findings: Findings) -> Markup:
    """The last section: all that is needed to make the sweep again."""
    said = shlex.split(command(["-m", *_words(findings)]))
    first = next((entry.job.config for entry in findings.entries if entry.job.config), {})
    return tag(
        "section",
        tag("h2", "How it was made"),
        command_box(said, first, "sweep-command"),
        tag("div", card("When", _when(findings)), card("Work", _work(findings)), card("Files", _files(findings)),
            class_="facts"),
        id="origin",
    )  # fmt: skip


def _words(findings: Findings) -> Iterator[str]:
    """The overrides of the sweep, as they were given."""
    asked = findings.facts.get("asked", {})
    if isinstance(asked.get("also"), str):
        yield f"--config-dir={asked['also']}"
    yield from findings.command
    plugins = findings.facts.get("plugins")
    yield from (str(text) for text in plugins) if isinstance(plugins, list) else ()
    if is_number(asked.get("seeds")):
        yield f"seeds={asked['seeds']}"
    if asked.get("name"):
        yield f"sweep.name={asked['name']}"
    if isinstance(asked.get("tied"), list) and asked["tied"]:
        yield f"sweep.tied=[{','.join('[' + ','.join(map(str, keys)) + ']' for keys in asked['tied'])}]"
    if isinstance(asked.get("when"), dict):
        yield from (f"sweep.when.{key}='{value}'" for key, value in asked["when"].items())


def _when(findings: Findings) -> Iterator[tuple[str, Any]]:
    facts = findings.facts
    for name, key in (("planned", "planned"), ("begun", "began"), ("ended", "ended")):
        found = moment(facts.get(key))
        if found and not (key == "began" and facts.get(key) == facts.get("planned")):
            yield name, f"{found:%Y-%m-%d %H:%M:%S}"
    began, ended = moment(facts.get("began")), moment(facts.get("ended"))
    if began and ended and (began.tzinfo is None) == (ended.tzinfo is None):
        yield "took", duration(max((ended - began).total_seconds(), 0.0))
    yield "attempts", facts.get("attempt") if facts.get("attempt") != 1 else None
    yield "git commit", tag("code", clipped(facts["commit"], 10)[:10]) if facts.get("commit") else None
    yield "working directory", clipped(facts.get("working_directory") or "", 300)


def _work(findings: Findings) -> Iterator[tuple[str, Any]]:
    work = findings.work
    yield "work", duration(sum(work)) if work else None
    yield "a job", f"{duration(sum(work) / len(work))} on average" if work else None
    yield "workers", findings.facts.get("workers")
    counts = findings.facts.get("counts")
    for name, count in counts.items() if isinstance(counts, dict) else ():
        yield ("done before" if name == "skipped" else str(name)), count or None


def _files(findings: Findings) -> Iterator[tuple[str, Any]]:
    told = {"sweep.csv": "a line a job", "sweep.parquet": "the same", "plan.jsonl": "the frozen jobs",
            "best.json": "the best trials", "workers.log": "what the libraries printed"}  # fmt: skip
    for name, what in told.items():
        if (findings.directory / name).exists():
            yield name, tag("a", what, href=name)
