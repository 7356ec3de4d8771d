"""The leaderboard: a line a point with its interval drawn, to be sorted and filtered by the page's script."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from runner.report.markup import Markup, clipped, duration, join, many, number, tag, within, words
from runner.sweep.axes import Axis
from runner.sweep.board import Place, mean
from runner.sweep.entries import Entry
from runner.sweep.findings import Findings, drawn, keys, said, short
from runner.sweep.page.points import ahead_of_all, number_axis, standing, wide_axis

SIZE = 480_000  # bytes of the rows
VALUE = 60  # characters of a value; the whole is in its title
LOOKS = ("best", "tied", "worse", "unsaid")  # of BEST, TIED, WORSE, UNSAID
LEGEND = {"best": "the best", "tied": "may be as good", "worse": "worse than the best", "unsaid": "not compared"}


def leaderboard(findings: Findings) -> tuple[Markup, int]:
    """The section, and how many points are in it."""
    places = findings.places
    if not places or findings.metric is None:
        return _unordered(findings), 0
    names, scale = keys(places), wide_axis(number_axis(findings, places), places)
    ahead = set(ahead_of_all(findings))
    rows = within((_row(findings, at, names, scale, at in ahead) for at in range(len(places))), SIZE)
    table = tag("table", _head(findings, names), tag("tbody", *rows), class_="board")
    left = len(places) - len(rows)
    told = tag("p", f"{left:,} more points are in sweep.csv.", class_="quiet") if left else None
    filtering = tag(
        "p", tag("input", type="search", id="filter", placeholder=_example(places, names), hidden=True,
                 aria_label="filter the points"),
        tag("span", id="count", aria_live="polite"), tag("button", "show all", id="all", type="button", hidden=True),
        class_="filter",
    )  # fmt: skip
    section = tag("section", tag("h2", "Leaderboard"), legend(places), filtering,
                  tag("div", table, class_="scroll tall", tabindex=0), told, id="board")  # fmt: skip
    return section, len(rows)


def legend(places: Sequence[Place]) -> Markup:
    """What the colours of points say."""
    there = {standing(at, place) for at, place in enumerate(places)}
    shown = [LOOKS[kind] for kind in sorted(there)]
    return tag("p", *(tag("span", tag("i", class_=f"spot {look}"), LEGEND[look], class_="legend") for look in shown),
               class_="quiet")  # fmt: skip


def link(findings: Findings, entry: Entry, text: str) -> Markup:
    """A link to the report of a run."""
    path = findings.path(entry)
    return tag("a", text, href=quote(path, errors="replace")) if path else Markup("")


def values(place: Place) -> dict[str, str]:
    """The values of a point that are shown, by key."""
    return {key: drawn(value) for key, value in said(place.entries[0].job).items()}


def p_value(place: Place) -> str:
    """Corrected; ~ where it does not come from the rows."""
    if place.breaks:
        return f"breaks {', '.join(place.breaks)}"
    if place.failed:
        return f"{place.failed} of {place.runs} seeds failed"
    if place.p is None:
        return "–"
    return f"{'' if place.by_rows else '~'}{'<0.001' if place.p < 0.001 else f'{place.p:.3f}'}"


def _example(places: Sequence[Place], names: Sequence[str]) -> str:
    if not names:
        return "filter"
    key, value = names[0], values(places[0]).get(names[0], "")
    return clipped(f"filter, e.g. {short(names)[key]}={value}", 60)


def _head(findings: Findings, names: Sequence[str]) -> Markup:
    assert findings.metric is not None
    goals = [goal for goal in findings.goals if goal not in (findings.metric, "seconds")]
    heads = [("rank", "", "number"), ("v", words(findings.metric), "number"), (None, "95 % interval", "picture")]
    heads += [(f"g{findings.goals.index(goal)}", words(goal), "number") for goal in goals]
    told = short(names)
    heads += [(f"a:{key}", told[key], "") for key in names]
    heads += [("p", "p", "number"), ("s", "seconds", "number"), (None, "", "")]
    return tag("thead", tag("tr", *(
        tag("th", tag("button", text or "#", type="button", data_sort=sort) if sort else text, scope="col",
            class_=look or None)
        for sort, text, look in heads
    )))  # fmt: skip


def _row(findings: Findings, at: int, names: Sequence[str], scale: Axis, ahead: bool) -> Markup:
    place = findings.places[at]
    shown = values(place)
    goals = [goal for goal in findings.goals if goal not in (findings.metric, "seconds")]
    told = "" if place.low is None else f"{number(place.low)} to {number(place.high)}"
    mark = [" ", tag("small", "◆", title="on the front")] if ahead else []
    seeds = len(place.entries)
    return tag(
        "tr",
        tag("td", at + 1, tag("i", class_=f"spot {LOOKS[standing(at, place)]}"), class_="number"),
        tag("td", number(place.value), *mark, class_="number"),
        tag("td", style=_whisker(place, scale), title=told or None, class_="whisk"),
        *(tag("td", number(mean(place, goal)), class_="number") for goal in goals),
        *(_value(shown.get(key, "")) for key in names),
        tag("td", p_value(place), class_="number"),
        tag("td", f"{place.seconds:.3g}", class_="number"),
        tag("td", join([link(findings, entry, "run" if seeds == 1 else str(n + 1))
                        for n, entry in enumerate(place.entries[:20])], " ")),
        data_point=at,
    )  # fmt: skip


def _value(text: str) -> Markup:
    short_ = text if len(text) <= VALUE else text[: VALUE - 1] + "…"
    return tag("td", short_, title=None if short_ == text else clipped(text, 600))


def _whisker(place: Place, scale: Axis) -> str:
    """The interval and its value as shares of the scale, for the style of the cell."""
    low, high = map(scale.place, scale.ends)

    def share(value: float) -> str:
        at = scale.place(value) if value > 0 or not scale.log else low
        return f"{min(max((at - low) / (high - low), 0.0), 1.0):.3f}"

    ends = (place.value if end is None else end for end in (place.low, place.value, place.high))
    return ";".join(f"--{name}:{share(end)}" for name, end in zip("lvh", ends, strict=True))


def _unordered(findings: Findings) -> Markup:
    """What is done, where there is no number to order it by."""
    done = [entry for entry in findings.entries if entry.state == "done"]
    if not done:
        return Markup("")
    rows = within((
        tag("tr", tag("td", clipped(entry.job.told, 300)), tag("td", duration(entry.seconds), class_="number"),
            tag("td", link(findings, entry, "run"))) for entry in done
    ), SIZE)  # fmt: skip
    told = tag("p", f"These jobs have no number to be ordered by: {many(len(done), 'run')}.", class_="quiet")
    table = tag("div", tag("table", tag("tbody", *rows)), class_="scroll tall", tabindex=0)
    return tag("section", tag("h2", "Jobs"), told, table, id="board")
