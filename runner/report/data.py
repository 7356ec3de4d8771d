"""What the data of the run is: rows, lengths, classes, and what makes a score worth less."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runner.report.lines import listed, part
from runner.report.markup import Markup, clipped, is_number, number, tag, words
from runner.report.read import Run
from runner.report.svg import share_bar
from runner.report.tables import percent

CLASSES = 24  # that are shown
SPLITS = 6
PLACES = 5  # pairs of the same row that are named


def data(run: Run) -> Markup:
    """The section of data_card.json; empty without one."""
    splits = {name: part(part(run.card, "splits"), name) for name in list(part(run.card, "splits"))[:SPLITS]}
    if not splits:
        return Markup("")
    head = tag("h2", "Data", tag("small", clipped(run.card.get("source", ""), 120)))
    return tag("section", head, *_warnings(run.card, splits), _rows(splits), *_targets(splits), id="data")


def _rows(splits: dict[str, dict[str, Any]]) -> Markup:
    """A line for each split and column: how many rows, how long."""
    body = []
    for name, split in splits.items():
        columns = list(part(split, "lengths").items())[:8] or [("", {})]
        for place, (column, lengths) in enumerate(columns):
            unit = "words" if isinstance(lengths, dict) and "words" in lengths else "characters"
            found = part(lengths, unit)
            of_split = [split.get("rows"), split.get("duplicates")] if place == 0 else ["", ""]
            cells = [
                *(_count(value) for value in of_split),
                *(_count(found.get(key)) for key in ("p5", "p50", "p95", "max")),
            ]
            body.append(
                tag("tr", tag("th", clipped(name, 60) if place == 0 else "", scope="row"),
                    *(tag("td", cell, class_="number") for cell in cells[:2]),
                    tag("td", f"{words(clipped(column, 60))}, {unit}" if column else ""),
                    *(tag("td", cell, class_="number") for cell in cells[2:]))
            )  # fmt: skip
    names = ("rows", "repeated", "5 %", "median", "95 %", "longest")
    heads = [tag("th", text, scope="col", class_="number") for text in names]
    heads.insert(2, tag("th", "length of", scope="col"))
    head = tag("thead", tag("tr", tag("th", "split", scope="col"), *heads))
    return tag("div", tag("table", head, tag("tbody", *body), class_="splits"), class_="scroll")


def _targets(splits: dict[str, dict[str, Any]]) -> Iterator[Markup]:
    """The classes of every split beside one another, or what else there is to be found."""
    classes = {name: part(part(split, "target"), "classes") for name, split in splits.items()}
    classes = {name: found for name, found in classes.items() if found}
    if classes:
        names = sorted(
            {label for found in classes.values() for label in found}, key=lambda label: -_largest(classes, label)
        )
        kept = names[:CLASSES] if len(names) > CLASSES else [label for found in classes.values() for label in found]
        rows = [_class(label, [part(found, label) for found in classes.values()]) for label in dict.fromkeys(kept)]
        heads = [tag("th", clipped(name, 60), scope="col") for name in classes]
        head = tag("thead", tag("tr", tag("th", "class", scope="col"), *heads))
        yield tag("div", tag("table", head, tag("tbody", *rows), class_="classes"), class_="scroll")
        if len(names) > CLASSES:
            yield tag("p", f"{len(names) - CLASSES:,} classes more, all of them rarer.", class_="quiet")
    for name, split in splits.items():
        target = part(split, "target")
        numbers = part(target, "numbers")
        if numbers:
            low, mean, high = (number(numbers.get(key)) for key in ("min", "mean", "max"))
            yield tag("p", f"{name}: targets from {low} to {high}, mean {mean}", class_="quiet")
        if is_number(target.get("without_answer")) and is_number(target.get("answered")):
            both = target["answered"] + target["without_answer"]
            said = f"{name}: {target['without_answer']:,} of {both:,} questions have no answer"
            yield tag("p", said, class_="quiet") if target["without_answer"] else Markup("")


def _warnings(card: dict[str, Any], splits: dict[str, dict[str, Any]]) -> Iterator[Markup]:
    shared = part(card, "shared")
    if is_number(shared.get("count")) and shared["count"]:
        where = " and ".join(clipped(name, 60) for name in part(shared, "in"))
        both = [pair for pair in listed(shared.get("places"))[:PLACES] if isinstance(pair, list) and len(pair) == 2]
        pairs = [f"{one} = {other}" for one, other in both]
        tested, looked_at = clipped(shared.get("split"), 60), _count(shared.get("looked_at"))
        said = f"{int(shared['count']):,} of {looked_at} rows of {tested} also stand in {where}"
        yield tag("p", tag("strong", said), tag("br"), clipped("; ".join(pairs), 600), class_="banner")
    elif "count" in shared:
        yield tag("p", f"No row of {clipped(shared.get('split'), 60)} stands in another split, too.", class_="quiet")
    for name, split in splits.items():
        if is_number(split.get("looked_at")) and is_number(split.get("rows")) and split["looked_at"] < split["rows"]:
            yield tag(
                "p",
                f"{name}: the first {split['looked_at']:,} of {split['rows']:,} rows were looked at.",
                class_="quiet",
            )


def _class(label: str, found: list[dict[str, Any]]) -> Markup:
    return tag("tr", tag("th", clipped(label, 60), scope="row"), *map(_share, found))


def _share(found: dict[str, Any]) -> Markup:
    share, count = found.get("share"), found.get("count")
    if not is_number(share):
        return tag("td", "–")
    return tag("td", share_bar(share), tag("small", f"{percent(share)} · {_count(count)}"), class_="picture")


def _largest(classes: dict[str, dict[str, Any]], label: str) -> float:
    known = (part(found, label).get("share") for found in classes.values())
    return max((value for value in known if is_number(value)), default=0.0)


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "" if value == "" else number(value)
