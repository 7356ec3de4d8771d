"""The charts that the page's script draws: what they show, and how they are to be read."""

from __future__ import annotations

from runner.report.markup import Markup, many, tag, words
from runner.sweep.findings import Findings
from runner.sweep.page.leaderboard import legend
from runner.sweep.page.points import Points

FEW = 3  # points that are worth a chart


def charts(findings: Findings, points: Points) -> list[Markup]:
    """The sections, empty where there is nothing to draw."""
    if points.number is None or len(points.number.values) < FEW:
        return [_front(findings, points)]
    return [_front(findings, points), _parallel(findings, points), _slices(findings, points), _pairs(points)]


def _front(findings: Findings, points: Points) -> Markup:
    """Two goals against each other."""
    if not points.goals:
        return Markup("")
    said = " and ".join(f"{goal.name} ({'larger' if findings.numbers[goal.key] else 'smaller'} is better)"
                        for goal in points.goals)  # fmt: skip
    count, whole = len(points.front), len(findings.places)
    told = f"{count:,} of {many(whole, 'point')} {'is' if count == 1 else 'are'} beaten by no other in {said} at once"
    choosing = [_chooser("front-x", "across"), _chooser("front-y", "up")] if len(points.goals) > 2 else []
    return tag("section", tag("h2", "The front"), tag("p", f"{told}: they are ringed, ◆ in the leaderboard."),
               tag("p", *choosing, class_="choosing") if choosing else None, _canvas("front-chart"),
               id="front")  # fmt: skip


def _parallel(findings: Findings, points: Points) -> Markup:
    if not points.keys:
        return Markup("")
    better = "up" if findings.numbers.get(findings.metric or "", True) else "down"
    told = (f"A line a point; better is {better} on the axis of {points.number.name if points.number else ''}. "
            f"Drag along an axis to keep only the points between; click it to let go.{points.told}")  # fmt: skip
    return tag("section", tag("h2", "All keys at once"), tag("p", told, class_="quiet"), legend(findings.places),
               _canvas("parallel-chart", "scroll"), id="parallel")  # fmt: skip


def _slices(findings: Findings, points: Points) -> Markup:
    if not points.keys:
        return Markup("")
    seeds = any(len(place.entries) > 1 for place in findings.places)
    what = "over seeds" if seeds else "of the run"
    told = f"{words(findings.metric or '')} against each key, with the 95 % interval {what}"
    told += "; the other keys vary, too." if len(points.keys) > 1 else "."
    if points.number is not None and points.number.beyond:
        count = points.number.beyond
        stand = "stands" if count == 1 else "stand"
        told += f" {many(count, 'point')} far worse than most {stand} hollow at the edge of each chart."
    told += points.told
    return tag("section", tag("h2", "Key by key"), tag("p", told[:1].upper() + told[1:], class_="quiet"),
               _canvas("slices-chart", "charts"), id="slices")  # fmt: skip


def _pairs(points: Points) -> Markup:
    if len(points.keys) < 2:
        return Markup("")
    choosing = [_chooser("pair-x", "across"), _chooser("pair-y", "up")]
    return tag("section", tag("h2", "Two keys"), tag("p", *choosing, class_="choosing"),
               tag("p", id="pair-told", class_="quiet"), tag("p", points.told, class_="quiet") if points.told else None,
               _canvas("pairs-chart"), id="pairs")  # fmt: skip


def _chooser(name: str, label: str) -> Markup:
    return tag("label", f"{label} ", tag("select", id=name))


def _canvas(name: str, look: str | None = None) -> Markup:
    needs = tag("noscript", "This chart is drawn by the page's script.")
    return tag("div", needs, id=name, class_=look)
