"""A run directory as the report needs it: whatever is missing or damaged is told, never fatal."""

from __future__ import annotations

import heapq
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from runner.report.markup import is_number

SHOWN = 24  # answers kept for the page
EXTREMES = 8  # rows kept at either end of an evaluation
BINS_PER_DECADE = 40  # of perplexity: a bin is 6 % wide
CONFIG = 2_000_000  # characters of config.yaml that are read: a megabyte of YAML takes seconds
PASSED = ("well_formed", "exact_match")  # scores of which 0 is a mistake


@dataclass
class Run:
    """What the files of a run directory say."""

    directory: Path
    config: dict[str, Any] = field(default_factory=dict)
    overrides: list[str] = field(default_factory=list)
    manifest: dict[str, Any] = field(default_factory=dict)
    status: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    timing: dict[str, Any] = field(default_factory=dict)
    curves: dict[str, list[tuple[float, float]]] = field(default_factory=dict)  # name: (step, value)
    predictions: Predictions = field(default_factory=lambda: Predictions())
    problems: list[str] = field(default_factory=list)  # what could not be read

    @property
    def state(self) -> str:
        """Done, running, stopped, failed, or unknown without status.json."""
        state = str(self.status.get("state", "unknown"))
        # the page is a file of the run and written before `done` is; timing.json comes after everything it shows
        return "done" if state == "running" and self.timing else state

    @property
    def seconds(self) -> float | None:
        """How long it took, loading included."""
        phases = [value for value in part(self.timing, "phases").values() if is_number(value)]
        return sum(phases) if phases else None

    @property
    def drawn(self) -> bool:
        """Whether another seed could have given another result, or nothing says."""
        decoding, training = self.manifest.get("decoding"), part(self.config, "train").get("method")
        if not isinstance(decoding, dict) and training is None:
            return True
        known = part(self.manifest, "decoding")
        new = part(self.manifest, "checkpoint").get("random_weights")
        return bool(known.get("do_sample") or "rule" in known or new or training not in (None, "none"))


class Least:
    """The items with the smallest keys of a stream, in memory for `limit` of them."""

    def __init__(self, limit: int):
        self.limit = limit
        self.heap: list[tuple[float, int, Any]] = []
        self.seen = 0

    def add(self, key: float, item: Any) -> None:
        """Keep the item if its key is among the smallest; earlier items win ties."""
        self.seen += 1
        entry = (-key, -self.seen, item)
        if len(self.heap) < self.limit:
            heapq.heappush(self.heap, entry)
        elif entry > self.heap[0]:
            heapq.heapreplace(self.heap, entry)

    def items(self) -> list[Any]:
        """The kept items, smallest key first."""
        return [item for _, _, item in sorted(self.heap, key=lambda entry: entry[:2], reverse=True)]


@dataclass
class Predictions:
    """One pass over predictions.jsonl in constant memory."""

    total: int = 0
    first: Least = field(default_factory=lambda: Least(SHOWN))  # by row
    missed: Least = field(default_factory=lambda: Least(SHOWN))  # rows with a score of PASSED at 0
    hardest: Least = field(default_factory=lambda: Least(EXTREMES))  # by perplexity, largest first
    easiest: Least = field(default_factory=lambda: Least(EXTREMES))
    histogram: Counter[int] = field(default_factory=Counter)  # of log10(perplexity) * BINS_PER_DECADE
    not_finite: int = 0  # rows whose perplexity is infinite or not a number

    @property
    def likelihood(self) -> bool:
        """Whether the rows were scored for their likelihood instead of being answered."""
        return bool(self.histogram or self.not_finite)

    def add(self, line: dict[str, Any]) -> None:
        """Take one line of predictions.jsonl into account."""
        row = line.get("row")
        place = float(row) if is_number(row) else float(self.total)
        self.total += 1
        self.first.add(place, line)
        if any(part(line, "scores").get(name) == 0 for name in PASSED):
            self.missed.add(place, line)
        perplexity = part(line, "prediction").get("perplexity")
        if is_number(perplexity) and perplexity > 0:
            self.histogram[math.floor(math.log10(perplexity) * BINS_PER_DECADE)] += 1
            self.hardest.add(-perplexity, line)
            self.easiest.add(perplexity, line)
        elif perplexity is not None:
            self.not_finite += 1


def part(mapping: Any, key: str) -> dict[str, Any]:
    """The mapping under a key of a mapping; empty when there is none."""
    value = mapping.get(key) if isinstance(mapping, dict) else None
    return value if isinstance(value, dict) else {}


def read_run(directory: Path) -> Run:
    """Everything the report needs to know of a run directory.

    Raises:
        NotADirectoryError: when there is no such directory.
    """
    if not directory.is_dir():
        raise NotADirectoryError(f"a report is made from a run directory, but {directory} is none")
    run = Run(directory)
    run.config = _mapping(run, "config.yaml", _yaml)
    run.manifest = _mapping(run, "manifest.json", json.loads)
    run.status = _mapping(run, "status.json", json.loads)
    run.metrics = _mapping(run, "metrics.json", json.loads, needed=False)
    run.timing = _mapping(run, "timing.json", json.loads, needed=False)
    overrides = directory / "overrides.txt"
    if overrides.is_file():
        lines = overrides.read_text("utf-8", "replace").splitlines()
        run.overrides = [line.strip() for line in lines if line.strip()]
    for line in _lines(run, "predictions.jsonl"):
        run.predictions.add(line)
    for line in _lines(run, "training.jsonl"):
        if is_number(line.get("step")):
            for name, value in line.items():
                if name not in ("step", "epoch") and isinstance(value, int | float):
                    run.curves.setdefault(name, []).append((float(line["step"]), float(value)))
    return run


def _yaml(text: str) -> Any:
    if len(text) > CONFIG:
        raise ValueError(f"{len(text):,} characters are too many to be shown; at most {CONFIG:,}")
    return OmegaConf.to_container(OmegaConf.create(text))


def _mapping(run: Run, name: str, parse: Callable[[str], Any], needed: bool = True) -> dict[str, Any]:
    """The content of one file; a problem is noted when it cannot be read."""
    path = run.directory / name
    if not path.is_file():
        if needed:
            run.problems.append(f"{name} is missing")
        return {}
    try:
        content = parse(path.read_text("utf-8"))
    except Exception as error:  # whatever a damaged file makes a parser raise: the report tells it and goes on
        run.problems.append(f"{name} cannot be read: {type(error).__name__}: {error}")
        return {}
    if not isinstance(content, Mapping):
        run.problems.append(f"{name} must hold a mapping, but holds a {type(content).__name__}")
        return {}
    return {str(key): value for key, value in content.items()}


def _lines(run: Run, name: str) -> Iterator[dict[str, Any]]:
    """The objects of a JSONL file; the number of unreadable lines is noted as a problem."""
    path = run.directory / name
    if not path.is_file():
        return
    unread = 0
    with path.open("rb") as file:
        for line in file:
            try:
                content = json.loads(line)
            except ValueError:
                content = None
            if isinstance(content, dict):
                yield content
            else:
                unread += 1
    if unread:
        run.problems.append(f"{name} has {unread:,} unreadable line{'s' if unread > 1 else ''}")
