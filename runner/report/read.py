"""A run directory as the report needs it: whatever is missing or damaged is told, never fatal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from runner.guard import MOST_NODES, nodes
from runner.report.kinds import Kind, kinds
from runner.report.lines import Known, Least, part, whole
from runner.report.markup import is_number

SHOWN = 24  # answers kept for the page
NEIGHBOURS = 6  # rows of which the nearest others are shown
CONFIG = 2_000_000  # characters of config.yaml that are read: a megabyte of YAML takes seconds


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
    card: dict[str, Any] = field(default_factory=dict)  # of the data
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


@dataclass
class Predictions:
    """One pass over predictions.jsonl in constant memory."""

    known: Known = field(default_factory=Known)
    total: int = 0
    first: Least = field(default_factory=lambda: Least(SHOWN))  # by row
    missed: Least = field(default_factory=lambda: Least(SHOWN))  # rows that are mistakes
    kinds: list[Kind] = field(init=False)

    def __post_init__(self) -> None:
        self.kinds = kinds(self.known)

    def kind_of(self, line: Mapping[str, Any]) -> Kind | None:
        """The kind that a line is of."""
        return next((kind for kind in self.kinds if kind.takes(line)), None)

    def add(self, line: dict[str, Any]) -> None:
        """Take one line of predictions.jsonl into account."""
        row = line.get("row")
        place = float(row) if is_number(row) else float(self.total)
        self.total += 1
        self.first.add(place, line)
        if any(part(line, "scores").get(name) == 0 for name in self.known.passed):
            self.missed.add(place, line)
        kind = self.kind_of(line)
        if kind is not None:
            kind.add(line)


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
    run.card = _mapping(run, "data_card.json", json.loads, needed=False)
    overrides = directory / "overrides.txt"
    if overrides.is_file():
        lines = overrides.read_text("utf-8", "replace").splitlines()
        run.overrides = [line.strip() for line in lines if line.strip()]
    run.predictions = Predictions(_known(run))
    for line in _lines(run, "predictions.jsonl"):
        run.predictions.add(line)
    run.curves = read_curves(run)
    return run


def read_curves(run: Run) -> dict[str, list[tuple[float, float]]]:
    """The numbers of training.jsonl by their name, (step, value)."""
    curves: dict[str, list[tuple[float, float]]] = {}
    for line in _lines(run, "training.jsonl"):
        if is_number(line.get("step")):
            for name, value in line.items():
                if name not in ("step", "epoch") and isinstance(value, int | float):
                    curves.setdefault(name, []).append((float(line["step"]), float(value)))
    return curves


def _known(run: Run) -> Known:
    """What helps to read predictions.jsonl."""
    task = part(run.config, "task")
    target = task.get("target")
    names = [part(run.metrics, name).get("passed") for name in run.metrics]
    return Known(
        columns=tuple(part(task, "columns")),
        target=target if isinstance(target, str) else None,
        passed=tuple(dict.fromkeys(name for name in names if isinstance(name, str))),
        neighbours=dict(islice(_neighbours(run), NEIGHBOURS)),
    )


def _neighbours(run: Run) -> Iterator[tuple[int, list[tuple[int, float]]]]:
    for line in _lines(run, "neighbours.jsonl"):
        near = line.get("neighbours")
        known = [one for one in near if isinstance(one, dict)] if isinstance(near, list) else []
        pairs = [(one["row"], one["cosine"]) for one in known if whole(one.get("row")) and is_number(one.get("cosine"))]
        if whole(line.get("row")) and pairs:
            yield line["row"], pairs


def _yaml(text: str) -> Any:
    if len(text) > CONFIG:
        raise ValueError(f"{len(text):,} characters are too many to be shown; at most {CONFIG:,}")
    if nodes(text) > MOST_NODES:
        raise ValueError(f"more than {MOST_NODES:,} values are too many to be shown")
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


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
