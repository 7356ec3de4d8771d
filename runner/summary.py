"""What is said of a run that has ended, from its directory: counts, metrics, cost, where it is kept."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runner.config import Config
from runner.files import read_json
from runner.introduction import draws
from runner.metrics.estimate import share
from runner.report.lines import part
from runner.report.markup import duration, is_number, many, number, words
from runner.types import Estimate


def summary(directory: Path, metrics: Mapping[str, Estimate]) -> Iterator[str]:
    """How many rows, how many of them good, what it cost; each metric with its interval; where it is kept."""
    yield " · ".join([", ".join(_counts(directory, metrics)), *_cost(directory)])
    width = max((len(words(name)) for name in metrics), default=0)
    for name, one in metrics.items():
        beside = [f" · {words(base)} {number(value)}" for base, value in list(one.baselines.items())[:1]]
        yield f"{words(name):<{width}}  {estimate(one)}  n {one.n:,}{''.join(beside)}"
    yield f"{directory}        report.html  predictions.jsonl"


def estimate(one: Estimate) -> str:
    """A value with its interval."""
    return number(one.value) + ("" if one.low is None else f" [{number(one.low)}, {number(one.high)}]")


def shown_again(config: Config, directory: Path) -> str:
    """That a run is shown from before, when that was, and how to get another."""
    manifest = _mapping(directory / "manifest.json")
    random_weights = bool(part(manifest, "checkpoint").get("random_weights"))
    others = f", seed={config.seed + 1} draws others"
    said = others if draws(config, part(manifest, "decoding"), random_weights) else ""
    ended = _mapping(directory / "status.json").get("ended")
    return f"done {_ago(ended)}, shown from {directory}; rerun=true runs it again{said}"


def _counts(directory: Path, metrics: Mapping[str, Estimate]) -> Iterator[str]:
    manifest, timing = _mapping(directory / "manifest.json"), _mapping(directory / "timing.json")
    skipped, rows = _number(timing, "skipped_rows"), _number(part(manifest, "data"), "rows")
    rows -= skipped
    done = "scored" if metrics else "answered"
    yield many(rows, "answer") if manifest.get("decoding") else f"{many(rows, 'text')} {done}"
    yield from _passed(metrics)
    if skipped:
        yield f"{skipped:,} skipped"


def _passed(metrics: Mapping[str, Estimate]) -> Iterator[str]:
    """How many rows were right, if the first number that tells right from wrong is about whole rows."""
    name, one = next(((name, one) for name, one in metrics.items() if one.passed), ("", None))
    if one is None or one.passed is None or one.low is None:
        return
    hits = one.value * one.n
    if abs(hits - round(hits)) < 1e-6 and math.isclose(share(hits, one.n).low or 0.0, one.low, abs_tol=1e-6):
        yield f"{round(hits):,} {words(one.passed)}"
    elif name == one.passed:  # a row of several texts may be good in part
        yield f"{one.value:.0%} {words(name)}"


def _cost(directory: Path) -> Iterator[str]:
    """Seconds of work, loading left out, and the peak of memory."""
    timing = _mapping(directory / "timing.json")
    phases = part(timing, "phases")
    for name, said in (("train", "trained in "), ("predict", "")):
        if is_number(phases.get(name)):
            yield said + duration(phases[name])
    if is_number(timing.get("peak_mb")):
        yield f"peak {timing['peak_mb']:,.0f} MB"


def _number(values: Mapping[str, Any], name: str) -> int:
    """A count; 0 where the file does not hold one."""
    value = values.get(name)
    return value if isinstance(value, int) else 0


def _ago(moment: Any) -> str:
    try:
        seconds = (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
    except (TypeError, ValueError):
        return "before"
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            return f"{many(int(seconds // size), unit)} ago"
    return "just now"


def _mapping(path: Path) -> dict[str, Any]:
    found = read_json(path)
    return found if isinstance(found, dict) else {}
