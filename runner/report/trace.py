"""Step traces as a picture: a column for each step, the likeliest candidates on top, the chosen one framed."""

from __future__ import annotations

import math
from typing import Any

from runner.report.answers import prompt_of
from runner.report.markup import Markup, clipped, is_number, join, language, many, number, tag, within
from runner.report.read import Run

ROWS = 4  # traced rows that are shown
SEQUENCES = 2  # of a row
STEPS = 120
PROMPT = 24  # characters of a prompt, from its end
CANDIDATES = 8
SIZE = 120_000  # bytes of all traces
SPACES = str.maketrans({" ": "␣", "\n": "↵", "\t": "⇥"})  # so that a token of white space is seen


def traces(run: Run) -> Markup:
    """The section of step traces; empty when none was recorded."""
    strips: list[Markup] = []
    for line in run.predictions.first.items():
        recorded = line.get("trace")
        if not isinstance(recorded, list) or not recorded or len(strips) >= ROWS * SEQUENCES:
            continue
        several = len(recorded) > 1
        for place, steps in enumerate(recorded[:SEQUENCES]):
            if isinstance(steps, list) and steps:
                name = f"row {line.get('row', '?')}" + (f", sequence {place + 1}" if several else "")
                strips.append(_strip(name, prompt_of(run, line), [step for step in steps if isinstance(step, dict)]))
    strips = within(strips[:ROWS], SIZE)
    if not strips:
        return Markup("")
    said = (
        "After the prompt, each column is a step: the bar is the probability of the token that was chosen, below it "
        "are the likeliest candidates, shaded by probability, the chosen one framed (dashed: it was not among those "
        "recorded). Point at a token for its number."
    )
    return tag("section", tag("h2", "Step by step"), tag("p", said, class_="quiet"), *strips, id="steps")


def _strip(name: str, prompt: str, steps: list[dict[str, Any]]) -> Markup:
    columns = [_column(place, step) for place, step in enumerate(steps[:STEPS], 1)]
    if prompt:
        end = prompt if len(prompt) <= PROMPT else "…" + prompt[-PROMPT:]
        shown = tag("span", end.translate(SPACES), class_="token", lang=language(end))
        columns.insert(0, tag("li", shown, class_="given"))
    more = f" · the first {STEPS} of {len(steps):,}" if len(steps) > STEPS else ""
    caption = tag("figcaption", tag("b", name), f" · {many(len(steps), 'step')}{more}")
    box = tag("ol", *columns, class_="steps", tabindex="0", role="list", aria_label=f"steps of {name}")
    return tag("figure", caption, box, class_="trace")


def _column(place: int, step: dict[str, Any]) -> Markup:
    """One step: the chosen token, its probability as a bar, the candidates."""
    chosen = str(step.get("chosen", ""))
    candidates = [(str(c[0]), float(c[1])) for c in step.get("candidates") or [] if _is_candidate(c)]
    among = next((p for token, p in candidates if token == chosen), None)
    known = float(step["probability"]) if is_number(step.get("probability")) else among
    shown = candidates[:CANDIDATES]
    least = "" if among is not None else f" (not among the {len(candidates)} likeliest)"
    said = f"step {place}: {visible(chosen)}{'' if known is None else f' {percent(known)}'}{least}"
    cells = [_cell(token, p, token == chosen) for token, p in shown]
    if chosen not in [token for token, _ in shown]:
        heat = f"--p:{_heat(known or 0.0):.2f}"
        far = tag("span", visible(chosen), class_="cell chosen far", style=heat, title=said, lang=language(chosen))
        cells.append(far)
    bar = tag("i", tag("b", style=f"height:{100 * (known or 0):.0f}%"), class_="bar", title=said)
    return tag("li", tag("span", visible(chosen), class_="token", lang=language(chosen)), bar, join(cells))


def _cell(token: str, probability: float, chosen: bool) -> Markup:
    look = "cell chosen" if chosen else "cell"
    said = f"{visible(token)} {percent(probability)}" + (" · chosen" if chosen else "")
    return tag(
        "span", visible(token), class_=look, style=f"--p:{_heat(probability):.2f}", title=said, lang=language(token)
    )


def _heat(probability: float) -> float:
    return math.sqrt(min(max(probability, 0.0), 1.0))  # the root: small probabilities stay visible


def visible(token: str) -> str:
    """The token, cut to what fits a column, white space as signs."""
    return clipped(token, 400)[:12].translate(SPACES) or "∅"


def percent(probability: float) -> str:
    """A probability as per cent, with what digits it has."""
    return f"{number(100 * probability)} %"


def _is_candidate(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and is_number(value[1])
