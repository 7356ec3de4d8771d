"""Hidden tokens that were to be found again: how hard rows were, and which tokens were missed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from runner.report.kinds.kind import EXTREMES, Kind, Line
from runner.report.kinds.labels import examples
from runner.report.lines import Known, Least, counted, part
from runner.report.markup import Markup, clipped, join, language, number, tag
from runner.report.plots import Bar, bars
from runner.report.tables import percent
from runner.report.texts import inputs

TOKENS = 50_000  # different tokens that are counted
SEEN = 5  # times that a token must have been hidden to be judged
SHOWN = 60  # tokens of a row
ROWS = 12  # of a table
WIDTH = 0.5  # nats: of a bar
FOUND = {"right": "found", "near": "among the first five", "wrong": "not among the first five"}


class Recovered(Kind):
    """{masked: [{token, top1, top5, nll}, ...]}."""

    title = "Hard and easy"
    numbers_first = True

    def __init__(self, known: Known):
        super().__init__(known)
        self.tokens: dict[str, list[float]] = {}  # token -> times, found, nats
        self.losses: Counter[int] = Counter()  # of rows, in half nats
        self.hardest = Least(EXTREMES)

    def takes(self, line: Line) -> bool:
        """See Kind."""
        return isinstance(part(line, "prediction").get("masked"), list)

    def add(self, line: Line) -> None:
        """See Kind."""
        known = _known(line)
        if not known:
            return
        self.scored += 1
        for one in known:
            token = str(one.get("token"))
            if token in self.tokens or len(self.tokens) < TOKENS:
                sums = self.tokens.setdefault(token, [0, 0, 0.0])
                for place, value in enumerate((1, one["top1"], one["nll"])):
                    sums[place] += value
        mean = sum(one["nll"] for one in known) / len(known)
        self.losses[min(int(mean / WIDTH), 40)] += 1
        self.hardest.add(-mean, line)

    def shown(self, line: Line) -> Markup:
        """See Kind."""
        chips = [_chip(one) for one in _known(line)[:SHOWN]]
        hidden = tag("p", tag("small", "hidden", class_="column"), join(chips, " "), class_="chips")
        return join([inputs(self.known.texts(line)), hidden])

    def drawn(self) -> Iterable[Markup]:
        """See Kind."""
        if not self.scored:
            return
        most = max(self.losses)
        shown = [
            Bar(
                f"{place * WIDTH:g}" if place % 2 == 0 else "",
                self.losses[place],
                f"{self.losses[place]:,} rows from {place * WIDTH:g} nats",
            )
            for place in range(most + 1)
        ]
        caption = tag("figcaption", tag("b", "Loss of each row"), " (rows; nats a hidden token, lower is better)")
        yield tag("figure", caption, bars("Loss of the rows", shown, width=640), class_="plot single")
        often = {token: sums for token, sums in self.tokens.items() if sums[0] >= SEEN} or self.tokens
        hard = sorted(often, key=lambda token: -often[token][2] / often[token][0])[:ROWS]
        missed = sorted(self.tokens, key=lambda token: self.tokens[token][1] - self.tokens[token][0])[:ROWS]
        yield tag("div", self._table("Hardest tokens", hard), self._table("Most often missed", missed), class_="pair")
        key = "green: found, amber: among the first five, red: neither; "
        yield from examples(self, "Hardest rows", self.hardest, key)

    def _table(self, title: str, tokens: list[str]) -> Markup:
        rows = []
        for token in tokens:
            times, found, nats = self.tokens[token]
            numbers = [f"{times:,.0f}", percent(found / times), number(nats / times)]
            cells = [tag("td", value, class_="number") for value in numbers]
            rows.append(tag("tr", tag("th", clipped(token, 40) or "␣", scope="row", lang=language(token)), *cells))
        heads = [tag("th", text, scope="col", class_="number") for text in ("hidden", "found", "loss")]
        head = tag("thead", tag("tr", tag("th", "token", scope="col"), *heads))
        return tag("div", tag("table", tag("caption", title), head, tag("tbody", *rows)), class_="scroll")


def _chip(one: dict[str, Any]) -> Markup:
    token = clipped(one.get("token"), 40)
    look = "right" if one["top1"] else "near" if one.get("top5") else "wrong"
    told = f"{FOUND[look]}, loss {number(one['nll'])}"
    return tag("span", token or "␣", class_=f"chip {look}", title=told, lang=language(token))


def _known(line: Line) -> list[dict[str, Any]]:
    """The tokens with a loss."""
    masked = line["prediction"]["masked"]
    return [one for one in masked if isinstance(one, dict) and counted(one, "top1", "nll") and one["nll"] >= 0]
