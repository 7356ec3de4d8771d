"""What the data of a run is: rows, lengths, labels, and tested rows that are also trained on."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from runner.data.measure import Profile, as_text, digest
from runner.data.split import Split
from runner.types import Row

ROWS = 100_000  # rows of a split that are looked at
PLACES = 10  # shared rows that are named
SHOWN = 3  # of those, in a line for the terminal
LABELS = 6  # labels that a line names
HELD_OUT = re.compile(r"^[\d.e-]+ % of | \([\d.e-]+ % held out\)$")  # as `choose` names a share of a split


def card(splits: Mapping[str, Split], text: Sequence[str], target: str | None) -> dict[str, Any]:
    """The card of the splits "rows", "train" and "validation", as far as they are there, from one pass over each.

    Only the first 100,000 rows of a split are looked at; memory is bounded by them.

    Args:
        splits: "rows" goes by its own name, test; where it is the same as another, by that one's.
        text: canonical columns of text; two rows are the same where all of them are.
        target: canonical column of labels, tags, numbers or answers.

    Returns:
        source; splits (name -> rows, looked_at, lengths in characters and words, empty, duplicates, target); and where
        more than one split is there `shared`: the rows of the tested split that also stand in the others.
    """
    named, tested = _named(splits)
    shared = Shared(tuple(text))
    found = {}
    for name in [tested, *(name for name in named if name != tested)]:
        profile = Profile(text, target)
        for row in islice(named[name], ROWS):
            profile.add(row)
            shared.add(row, name, tested)
        found[name] = {"rows": named[name].count} | profile.summary()
    source = _source(named.get("train", named[tested]))
    told: dict[str, Any] = {"source": source, "splits": {name: found[name] for name in named}}
    return told if len(named) == 1 else told | {"shared": shared.summary(tested)}


def card_lines(card: Mapping[str, Any]) -> list[str]:
    """One line of what the data is, and one for each thing about it that makes a score worth less."""
    splits = card["splits"]
    main = next(split for split in (splits.get("train"), *splits.values()) if split is not None)
    source = card["source"]  # a single file is its only split
    rows = " · ".join(f"{split['rows']:,} {'rows' if name == source else name}" for name, split in splits.items())
    parts = [f"{source}: {rows}", *_target(main.get("target", {})), *_lengths(main)]
    if "shared" in card:
        parts.append(f"{_many(card['shared']['count'], 'row')} shared")
    return [" · ".join(parts), *_warnings(card)]


@dataclass
class Shared:
    """Rows of the tested split, and where the same texts stand in the others; only spaces may differ."""

    text: tuple[str, ...]
    digests: array[int] = field(default_factory=lambda: array("Q"))  # of the tested rows, in their order
    places: list[str] = field(default_factory=list)  # of the tested rows
    known: set[int] = field(default_factory=set)
    found: dict[int, dict[str, str]] = field(default_factory=dict)  # digest -> split -> first place

    def add(self, row: Row, split: str, tested: str) -> None:
        """One more row; all rows of the tested split come first."""
        at = digest([" ".join(as_text(row.get(column)).split()) for column in self.text])
        if split == tested:
            self.digests.append(at)
            self.places.append(row["place"])
            self.known.add(at)
        elif at in self.known:
            self.found.setdefault(at, {}).setdefault(split, row["place"])

    def summary(self, tested: str) -> dict[str, Any]:
        """How many of the tested rows, in which splits, and the first pairs of places."""
        counts: Counter[str] = Counter()
        pairs: list[list[str]] = []
        count = 0
        for at, place in zip(self.digests, self.places, strict=True):
            there = self.found.get(at, {})
            counts.update(there.keys())
            count += bool(there)
            if there and len(pairs) < PLACES:
                pairs.append([place, next(iter(there.values()))])
        return {
            "split": tested,
            "looked_at": len(self.digests),
            "count": count,
            "in": dict(sorted(counts.items())),
            "places": pairs,
        }


def _named(splits: Mapping[str, Split]) -> tuple[dict[str, Split], str]:
    """The splits by the names that people know, and the one that is tested."""
    others = {name: split for name, split in splits.items() if name != "rows"}
    rows = splits.get("rows")
    if rows is None:
        return others, next(reversed(others))
    same = next((name for name, split in others.items() if (split.name, split.files) == (rows.name, rows.files)), None)
    if same is not None:
        return others, same
    name = rows.name.rpartition("/")[2]
    name = "rows" if name in others else name
    return others | {name: rows}, name


def _source(split: Split) -> str:
    """The folder, file or dataset: sst2/ for sst2/train."""
    folder, slash, name = HELD_OUT.sub("", split.name).rpartition("/")
    return folder + slash or name


def _target(target: Mapping[str, Any]) -> Iterator[str]:
    if "numbers" in target:
        numbers = target["numbers"]
        yield f"targets {numbers['min']:.4g} to {numbers['max']:.4g}, mean {numbers['mean']:.4g}"
    if target.get("without_answer"):
        share = target["without_answer"] / (target["answered"] + target["without_answer"])
        yield f"{_percent(share)} without an answer"
    classes = target.get("classes", {})
    if 0 < len(classes) <= LABELS:
        yield "labels " + ", ".join(f"{label} ({_percent(c['share'])})" for label, c in classes.items())
    elif classes:
        ranked = sorted(classes, key=lambda label: classes[label]["count"])
        most, least = (f"{label} ({_percent(classes[label]['share'])})" for label in (ranked[-1], ranked[0]))
        yield f"{len(classes):,} labels, most often {most}, least {least}"


def _lengths(split: Mapping[str, Any]) -> Iterator[str]:
    for _, lengths in list(split["lengths"].items())[:1]:
        unit = "words" if "words" in lengths else "characters"
        yield f"{unit} p50 {lengths[unit]['p50']:,}, p95 {lengths[unit]['p95']:,}"


def _warnings(card: Mapping[str, Any]) -> Iterator[str]:
    shared = card.get("shared", {})
    if shared.get("count"):
        pairs = ", ".join(f"{tested} = {there}" for tested, there in shared["places"][:SHOWN])
        more = ", ..." if shared["count"] > SHOWN else ""
        stand = "stands" if shared["count"] == 1 else "stand"
        yield (
            f"{shared['count']:,} of {shared['looked_at']:,} rows of {shared['split']} also {stand} in"
            f" {' and '.join(shared['in'])}: {pairs}{more}"
        )
    same = [
        f"{s['duplicates']:,} of {s['looked_at']:,} in {name}" for name, s in card["splits"].items() if s["duplicates"]
    ]
    if same:
        yield f"repeated rows: {', '.join(same)}"
    classes = card["splits"].get("train", {}).get("target", {}).get("classes", {})
    if len(classes) == 1:
        yield f"every row of train has the label {next(iter(classes))}: there is nothing to tell apart"


def _many(count: int, thing: str) -> str:
    return f"{count:,} {thing}" + ("" if count == 1 else "s")


def _percent(share: float) -> str:
    """Whole percents, and one digit of what is less than one."""
    return f"{100 * share:.0f} %" if share >= 0.01 else f"{100 * share:.1g} %"
