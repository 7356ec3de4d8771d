"""What probabilities of classes come to over many rows: calibration, precision against recall, error by length."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from runner.report.markup import Markup, clipped, many, number, tag
from runner.report.plots import Bar, bars, legend, reliability, unit_lines
from runner.report.svg import Series
from runner.report.tables import percent

BINS = 15  # of confidence, as of the expected calibration error (Guo et al. 2017)
STEPS = 500  # of a threshold
CURVES = 5  # classes of which a curve is drawn
CLASSES = 20  # with more of them only the curve over all is kept
LOOKS = ("first", "second", "third", "fourth", "fifth")
LONGEST = 500  # characters of a text that predictions.jsonl keeps
GROUPS = 8  # of rows by length


class Calibration:
    """How often answers of a probability are right."""

    def __init__(self) -> None:
        self.counts, self.right = [0] * BINS, [0] * BINS
        self.sums = [0.0] * BINS

    def add(self, confidence: float, right: bool) -> None:
        """One more answer."""
        place = min(max(math.ceil(confidence * BINS) - 1, 0), BINS - 1)  # bins are (low, high]
        self.counts[place] += 1
        self.right[place] += right
        self.sums[place] += confidence

    def drawn(self) -> Markup:
        """The reliability diagram."""
        shown = [self._bar(place) for place in range(BINS) if self.counts[place]]
        low = max(0.0, (min((bar.start or 0.0 for bar in shown), default=0.0)) - 0.5 / BINS)
        said = " (bars: the share that is right; on the line where probabilities can be believed)"
        caption = tag("figcaption", tag("b", "Probability against being right"), said)
        return tag("figure", caption, reliability("Reliability of the probabilities", shown, low), class_="plot")

    def _bar(self, place: int) -> Bar:
        count, right = self.counts[place], self.right[place]
        start, end = place / BINS, (place + 1) / BINS
        mean = f"mean probability {number(self.sums[place] / count)}"
        told = (f"{many(count, 'row')} from {start:.2f} to {end:.2f}", mean, f"{percent(right / count)} right")
        return Bar("", right / count, "\n".join(told), count, start, end)


class Ranked:
    """Scores of classes by whether they are the right one, counted in 500 steps."""

    def __init__(self) -> None:
        self.every = _steps()
        self.classes: dict[str, tuple[list[int], list[int]]] = {}
        self.golds: Counter[str] = Counter()

    def add(self, found: Mapping[str, float], *gold: str) -> None:
        """The probabilities of one row."""
        few = len(found) <= CLASSES
        for name, value in found.items():
            place, right = min(max(int(value * STEPS), 0), STEPS), name in gold
            self.every[right][place] += 1
            if few and (name in self.classes or len(self.classes) < CLASSES):
                self.classes.setdefault(name, _steps())[right][place] += 1
                self.golds[name] += right

    def drawn(self, names: Sequence[str]) -> Markup:
        """Precision against recall: of class 1 of two; of the most frequent classes, or over all of them."""
        if len(names) == 2 and all(self.golds[name] for name in names):
            kept = {f"class {clipped(names[1], 30)}": self.classes[names[1]]}
        else:
            often = [name for name, count in self.golds.most_common(CURVES) if count]
            kept = {clipped(name, 30): self.classes[name] for name in often} or {"over all classes": self.every}
        series = [Series(name, _curve(*steps), look) for (name, steps), look in zip(kept.items(), LOOKS, strict=False)]
        series = [one for one in series if one.points]
        if not series:
            return Markup("")
        caption = tag("figcaption", tag("b", "Precision against recall "), legend({s.name: s.look for s in series}))
        return tag(
            "figure", caption, unit_lines("Precision against recall", series, ("recall", "precision")), class_="plot"
        )


class ErrorByLength:
    """How often answers are wrong, by the length of the input."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()
        self.wrong: Counter[int] = Counter()

    def add(self, characters: int, right: bool) -> None:
        """One more answer."""
        length = min(characters, 4 * LONGEST)
        self.counts[length] += 1
        self.wrong[length] += not right

    def drawn(self) -> Markup:
        """Groups of about as many rows each, from short to long; nothing where all are as long."""
        groups: list[list[int]] = [[]]  # lengths of each
        done, size = 0, sum(self.counts.values())
        for length in sorted(self.counts):
            if groups[-1] and done >= size * len(groups) / GROUPS:
                groups.append([])
            groups[-1].append(length)
            done += self.counts[length]
        if len(groups) < 3:
            return Markup("")
        shown = [self._bar(group) for group in groups]
        caption = tag("figcaption", tag("b", "Wrong answers by length"), " (share of the rows of so many characters)")
        return tag("figure", caption, bars("Wrong answers by length of the input", shown), class_="plot")

    def _bar(self, group: list[int]) -> Bar:
        count, wrong = sum(self.counts[at] for at in group), sum(self.wrong[at] for at in group)
        told = (
            f"{many(count, 'row')} of {group[0]} to {group[-1]} characters\n{wrong:,} wrong: {percent(wrong / count)}"
        )
        return Bar(f"{group[0]}–", wrong / count, told)


def _steps() -> tuple[list[int], list[int]]:
    """For each step how many are wrong, and how many are right."""
    return [0] * (STEPS + 1), [0] * (STEPS + 1)


def _curve(wrong: Sequence[int], right: Sequence[int]) -> list[tuple[float, float]]:
    """(recall, precision) from the highest threshold down; corners only where something changes."""
    total, hits, answers = sum(right), 0, 0
    points: list[tuple[float, float]] = []
    for place in range(STEPS, -1, -1):
        if right[place] or wrong[place]:
            hits, answers = hits + right[place], answers + right[place] + wrong[place]
            if total:
                points.append((hits / total, hits / answers))
    return [(0.0, points[0][1]), *points] if points else []
