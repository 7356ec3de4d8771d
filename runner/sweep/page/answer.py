"""The answer of a sweep: its best point, what that is better than, what may be as good and costs less."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from runner.manifest import command
from runner.report.markup import Markup, clipped, duration, join, many, number, tag, words
from runner.report.origin import command as command_box
from runner.report.svg import interval
from runner.sweep.board import Place
from runner.sweep.findings import Findings, keys, short
from runner.sweep.page.leaderboard import link, p_value, values
from runner.sweep.results import WORTH_S, beside

TIES = 8  # points as good as the best that are listed


def answer(findings: Findings) -> Markup:
    """The section; empty where no point has the number that was asked for."""
    if not findings.places or findings.metric is None:
        return Markup("")
    best = findings.places[0]
    by = f", by {words(findings.metric)} alone" if findings.goals else ""
    kept = findings.facts.get("asked", {}).get("constraints")
    if isinstance(kept, list) and kept:
        by += (
            f"; none keeps to {' and '.join(map(str, kept))}"
            if best.breaks
            else f", with {' and '.join(map(str, kept))}"
        )
    parts: list[Markup | None] = [
        tag("h2", "The best", tag("small", f"of {many(len(findings.places), 'point')}{by}")),
        tag("div", _number(findings, best), _values(findings, best), class_="best-point", data_point=0),
        *_said(findings),
        _ties(findings),
        tag("h3", "To run it again"),
        command_box(_words(findings, best), best.entries[0].job.config, "again"),
    ]
    return tag("section", *(part for part in parts if part is not None), id="answer")


def _number(findings: Findings, best: Place) -> Markup:
    known = best.low is not None and best.high is not None
    told = f"{number(best.low)} to {number(best.high)}" if known else "no interval"
    how = f"mean of {len(best.entries)} seeds" if len(best.entries) > 1 else f"n {best.n:,}" if best.n else None
    runs = [link(findings, entry, "its report" if len(best.entries) == 1 else f"report {at + 1}")
            for at, entry in enumerate(best.entries[:20])]  # fmt: skip
    return tag(
        "div",
        tag("p", words(findings.metric or ""), class_="dim"),
        tag("p", tag("b", number(best.value)), class_="value"),
        interval(best.value, best.low, best.high) if best.low is not None and best.high is not None else None,
        tag("p", join([told, *([how] if how else []), f"{duration(best.seconds)}", *runs], " · "), class_="quiet"),
    )


def _values(findings: Findings, best: Place) -> Markup:
    names, shown = short(keys(findings.places)), values(best)
    told = [tag("div", tag("dt", clipped(names[key], 60), title=key), tag("dd", clipped(shown[key], 400)))
            for key in names if key in shown]  # fmt: skip
    return tag("dl", *told) if told else tag("p", "as it is")


def _said(findings: Findings) -> list[Markup]:
    """What the best is better than, and what the comparison is."""
    best, others = findings.places[0], findings.places[1:]
    if not others:
        return []
    beaten = [place for place in others if place.p is not None and not place.ties]
    ties = [place for place in others if place.ties]
    broken = sum(bool(place.breaks) for place in others)
    unsaid = len(others) - len(beaten) - len(ties) - broken
    first = (f"It is significantly better than {len(beaten):,} of the {many(len(others), 'other')}" if beaten
             else f"It is significantly better than none of the {many(len(others), 'other')}")  # fmt: skip
    first += f"; {len(ties):,} may be as good" if ties else ""
    first += f"; {many(broken, 'point')} break{'s' * (broken == 1)} a condition" if broken else ""
    first += f"; {unsaid:,} cannot be compared" if unsaid else ""
    by_intervals = sum(not place.by_rows for place in (*beaten, *ties))
    compared = len(beaten) + len(ties)
    how = "a paired test over the same rows" if by_intervals < compared else "their intervals alone"
    some = f", for {by_intervals:,} by their intervals alone (~)" if 0 < by_intervals < compared else ""
    second = f"p < 0.05 by {how}{some}, corrected for {many(compared, 'comparison')} (Holm). " if compared else ""
    second += "The best of many is a little lucky: its number on new data will be nearer to the others'."
    seeds = ""
    if best.shared > 1:
        seeds = f" It is the best in {best.firsts} of {many(best.shared, 'seed')}."
    if len(best.entries) < best.runs:
        seeds += f" {len(best.entries)} of its {best.runs} seeds are done."
    if len(ties) == len(others) > 1:
        seeds += " Nothing tells these points apart: more rows or more seeds could."
    return [tag("p", tag("strong", f"{first}."), seeds), tag("p", second, class_="quiet")]


def _ties(findings: Findings) -> Markup | None:
    """What may be as good, the cheapest first, with the best among them."""
    equal = [(at, place) for at, place in enumerate(findings.places) if at == 0 or place.ties]
    if len(equal) == 1:
        return None
    equal.sort(key=lambda one: one[1].seconds)
    shown = equal[:TIES]
    if all(at for at, _ in shown):
        shown = [*shown[:-1], (0, findings.places[0])]
    names = short(keys(findings.places))
    heads = ["#", words(findings.metric or ""), *names.values(), "p", "takes", ""]
    rows = [_tie(findings, at, place, list(names)) for at, place in shown]
    table = tag("table", tag("thead", tag("tr", *(tag("th", head, scope="col") for head in heads))),
                tag("tbody", *rows), class_="ties")  # fmt: skip
    left = len(equal) - len(shown)
    more = tag("p", f"{left:,} more are marked in the leaderboard.", class_="quiet") if left else None
    heading = tag("h3", "May be as good", tag("small", "cheapest first"))
    return tag("div", heading, tag("div", table, class_="scroll"), more)


def _tie(findings: Findings, at: int, place: Place, names: Sequence[str]) -> Markup:
    best, shown = findings.places[0], values(place)
    cost = f" ({beside(place.seconds, best.seconds)})" if at and min(best.seconds, place.seconds) > WORTH_S else ""
    return tag(
        "tr",
        tag("td", at + 1, class_="number"),
        tag("td", number(place.value)),
        *(tag("td", clipped(shown.get(key, ""), 60)) for key in names),
        tag("td", p_value(place) if at else "the best"),
        tag("td", f"{duration(place.seconds)}{cost}"),
        tag("td", link(findings, place.entries[0], "run")),
        data_point=at,
    )


def _words(findings: Findings, best: Place) -> list[str]:
    """The command that runs a point; a folder of the user's own groups is said first."""
    also = findings.facts.get("asked", {}).get("also")
    said = [f"--config-dir={also}"] if isinstance(also, str) else []
    return shlex.split(command([*said, *best.entries[0].job.overrides]))
