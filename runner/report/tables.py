"""Tables of classes: how they were taken for each other, how often each was found; bars of probabilities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from runner.report.markup import Markup, clipped, number, tag
from runner.report.svg import share_bar

CLASSES = 20  # of a confusion matrix; the rest are others
TYPES = 60  # rows of a table
TOP = 6  # probabilities of a row that are shown
NAME = 40  # characters of a name


def percent(share: float) -> str:
    """A share in whole per cent; one digit more where that would be none or all."""
    shown = 100 * share
    return (
        f"{shown:.0f} %"
        if share in (0, 1) or 0.995 > share >= 0.01
        else f"{shown:.2g} %"
        if share < 0.5
        else f"{shown:.1f} %"
    )


def confusion(pairs: Mapping[tuple[str, str], int], names: Sequence[str]) -> Markup:
    """Gold classes down, guesses across; each cell shaded by its share of its row."""
    used = [name for name in names if any(name in pair for pair in pairs)]
    total = {name: sum(count for pair, count in pairs.items() if pair[0] == name) for name in used}
    kept = used
    if len(used) > CLASSES:
        often = set(sorted(used, key=lambda name: -total[name])[: CLASSES - 1])
        kept = [name for name in used if name in often]
    shown = [*kept, *(["others"] if len(used) > len(kept) else [])]
    cells: dict[tuple[int, int], int] = {}
    at = {name: place for place, name in enumerate(kept)}
    for (gold, guess), count in pairs.items():
        place = at.get(gold, len(kept)), at.get(guess, len(kept))
        cells[place] = cells.get(place, 0) + count
    rows = []
    for row, name in enumerate(shown):
        whole = sum(cells.get((row, column), 0) for column in range(len(shown)))
        found = [_cell(cells.get((row, column), 0), whole, row == column) for column in range(len(shown))]
        rows.append(
            tag("tr", tag("th", clipped(name, NAME), scope="row"), *found, tag("td", f"{whole:,}", class_="number sum"))
        )
    heads = [tag("th", clipped(name, NAME), scope="col") for name in shown]
    corner = tag("th", "gold ↓ guess →", class_="corner")
    head = tag("thead", tag("tr", corner, *heads, tag("th", "rows", scope="col", class_="number")))
    dense = "matrix dense" if len(shown) > 6 else "matrix"
    return tag("div", tag("table", head, tag("tbody", *rows), class_=dense), class_="scroll")


def _cell(count: int, whole: int, right: bool) -> Markup:
    share = count / whole if whole else 0.0
    told = tag("small", percent(share)) if count else None
    heat = f"--p:{share:.3f}" if count else None
    return tag("td", f"{count:,}" if count else "·", told, class_="cell right" if right else "cell", style=heat)


def found_table(head: str, rows: Sequence[tuple[str, int, int, int]]) -> Markup:
    """Names with (found, extra, missed): how often each is right, its precision, recall and F1."""
    whole = sum(found + missed for _, found, _, missed in rows) or 1
    body = []
    for name, found, extra, missed in rows[:TYPES]:
        gold, guessed = found + missed, found + extra
        numbers = (
            f"{gold:,}",
            f"{guessed:,}",
            _share(found, guessed),
            _share(found, gold),
            _share(2 * found, gold + guessed),
        )
        cells = [tag("td", value, class_="number") for value in numbers]
        body.append(
            tag(
                "tr",
                tag("th", clipped(name, NAME), scope="row"),
                tag("td", share_bar(gold / whole), class_="picture"),
                *cells,
            )
        )
    heads = [tag("th", text, scope="col", class_="number") for text in ("gold", "guessed", "precision", "recall", "F1")]
    first = tag(
        "tr", tag("th", head, scope="col"), tag("th", "share of the gold", scope="col", class_="picture"), *heads
    )
    more = tag("p", f"{len(rows) - TYPES:,} more are left out.", class_="quiet") if len(rows) > TYPES else None
    return tag("div", tag("table", tag("thead", first), tag("tbody", *body), class_="types"), more, class_="scroll")


def _share(part: int, whole: int) -> str:
    return number(part / whole) if whole else "–"


def probabilities(
    shown: Mapping[str, float], gold: Iterable[str] = (), guess: Iterable[str] = (), ordered: bool = True
) -> Markup:
    """Names with bars; the right ones are ticked, wrong guesses crossed."""
    right, answered = set(gold), set(guess)
    names = sorted(shown, key=lambda name: -shown[name]) if ordered else list(shown)
    kept = [name for place, name in enumerate(names) if place < TOP or name in right or name in answered][: 2 * TOP]
    known = bool(right)
    rows = []
    for name in kept:
        mark = "✓" if name in right else "✗" if known and name in answered else ""
        look = (
            "right"
            if name in right
            else "wrong"
            if known and name in answered
            else "guess"
            if name in answered
            else None
        )
        value = shown[name]
        rows.append(
            tag(
                "li",
                tag("i", mark),
                tag("span", clipped(name, 200), class_="label"),
                share_bar(value),
                tag("b", probability(value)),
                class_=look,
            )
        )
    left = len(names) - len(kept)
    return tag("ul", *rows, tag("li", f"and {left:,} more", class_="quiet") if left else None, class_="bars")


def probability(value: float) -> str:
    """Three digits; what is nearly none or nearly certain is told as such."""
    return "<0.001" if value < 0.0005 else ">0.999" if 0.9995 <= value < 1 else number(value)
