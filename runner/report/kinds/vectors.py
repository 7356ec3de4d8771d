"""Vectors of texts: a map on which like texts lie near one another, and the nearest of some."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Any

from runner.report.kinds.kind import Kind, Line
from runner.report.lines import Known, Sample, part
from runner.report.markup import Markup, clipped, is_number, join, number, tag
from runner.report.plots import cloud
from runner.report.svg import share_bar
from runner.report.texts import inputs

POINTS = 2_000  # texts on the map
COLOURS = 8
SHOWN = 60  # characters of a text on the map
LABELS = ("label", "labels", "class", "category", "topic", "target")  # of rows that have one


class Vectors(Kind):
    """{embedding: [...]}; vectors of tokens are only told."""

    title = "The texts as a map"
    numbers_first = True

    def __init__(self, known: Known):
        super().__init__(known)
        self.sample = Sample(POINTS)  # (vector, text, label)
        self.texts: dict[int, str] = {}  # of rows that are named as neighbours
        self.wanted = {row for near in known.neighbours.values() for row, _ in near} | set(known.neighbours)

    def takes(self, line: Line) -> bool:
        """See Kind."""
        return isinstance(part(line, "prediction").get("embedding"), list)

    def add(self, line: Line) -> None:
        """See Kind."""
        vector = line["prediction"]["embedding"]
        text = " · ".join(self.known.texts(line).values())
        if line.get("row") in self.wanted:
            self.texts[line["row"]] = clipped(text, 160)
        if vector and all(map(is_number, vector)):
            self.scored += 1
            self.sample.add((array("f", vector), clipped(text, SHOWN), self._label(line)))

    def shown(self, line: Line) -> Markup:
        """See Kind."""
        vector = line["prediction"]["embedding"]
        inner = vector[0] if vector and isinstance(vector[0], list) else None
        told = f"{len(vector):,} vectors of {len(inner):,} numbers" if inner is not None else f"{len(vector):,} numbers"
        first = [number(value) for value in (inner or vector)[:4] if is_number(value)]
        return join([inputs(self.known.texts(line)), tag("p", f"{told}: {', '.join(first)}, …", class_="quiet vector")])

    def drawn(self) -> Iterable[Markup]:
        """See Kind."""
        kept = self.sample.kept
        width = len(kept[0][0]) if kept else 0
        kept = [item for item in kept if len(item[0]) == width]
        if len(kept) >= 3 and width >= 2:
            yield self._map(kept)
        if self.known.neighbours and self.texts:
            yield tag("h3", "Nearest texts")
            yield tag("div", *(self._near(row, near) for row, near in self.known.neighbours.items()), class_="answers")

    def _map(self, kept: list[Any]) -> Markup:
        places, share = plane([vector for vector, _, _ in kept])
        labels = sorted({label for _, _, label in kept if label is not None})
        colours = {label: at % COLOURS for at, label in enumerate(labels)} if len(labels) <= 2 * COLOURS else {}
        points = (
            (
                x,
                y,
                text if label is None else f"{clipped(label, 40)}: {text}",
                colours.get(label) if label is not None else None,
            )
            for (x, y), (_, text, label) in zip(places, kept, strict=True)
        )
        some = f"{len(kept):,} of {self.scored:,} texts; " if self.scored > len(kept) else ""
        said = f" ({some}the plane on which they differ most, with {100 * share:.0f} % of the variance; point at one)"
        key = [
            tag("span", tag("i", class_=f"spot t{colour}"), clipped(label, 40), class_="legend")
            for label, colour in colours.items()
        ]
        caption = tag(
            "figcaption", tag("b", "Like texts lie near one another"), said, tag("div", *key) if key else None
        )
        return tag("figure", caption, cloud("A map of the texts", points), class_="plot map")

    def _near(self, row: int, near: list[tuple[int, float]]) -> Markup:
        rows = [
            tag(
                "li",
                tag("i"),
                tag("span", self.texts.get(other, f"row {other}"), class_="label"),
                share_bar(cosine),
                tag("b", number(cosine)),
            )
            for other, cosine in near[:6]
        ]
        body = inputs({"text": self.texts.get(row, f"row {row}")})
        return tag("figure", body, tag("ul", *rows, class_="bars near"), tag("figcaption", f"row {row}"), class_="card")

    def _label(self, line: Line) -> str | None:
        given = part(line, "input")
        names = (*LABELS, self.known.target or "")
        return next((str(given[name]) for name in names if isinstance(given.get(name), str | int)), None)


def plane(vectors: list[Any]) -> tuple[list[tuple[float, float]], float]:
    """Each vector on the plane of the two directions of most variance, and the share of the variance on it."""
    import numpy as np

    table = np.array([np.frombuffer(vector, dtype=np.float32) for vector in vectors], dtype=float)
    table -= table.mean(axis=0)
    values, directions = np.linalg.eigh(table.T @ table)
    two = directions[:, [-1, -2]]
    two = two * np.where(
        two[np.abs(two).argmax(axis=0), [0, 1]] < 0, -1.0, 1.0
    )  # the sign is arbitrary: always the same
    found = table @ two
    share = float(values[-2:].sum() / max(values.sum(), 1e-30))
    return [(float(x), float(y)) for x, y in found], share
