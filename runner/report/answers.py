"""The answers: each row as its kind is best read, the first of them, and what all of them come to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.report.lines import part
from runner.report.markup import Markup, clipped, join, language, number, tag, within, words
from runner.report.read import Run
from runner.report.texts import TEXT, given_part, text_of
from runner.report.verse import prompt_length

SEQUENCES = 6  # returned sequences of a row that are shown
SIZE = 150_000  # bytes of all answers
FEW = 8  # answers that are shown where figures show others
DRAWN = 450_000  # bytes of what all answers come to


def answers(run: Run) -> Markup:
    """What the run said, row by row."""
    total = run.predictions.total
    if not total:
        return tag("section", tag("h2", "Answers"), tag("p", _nothing(run), class_="quiet"), id="answers")
    first = run.predictions.first.items()
    cards = list(
        within(
            (
                card(run, line)
                for line in (first[:FEW] if any(kind.scored for kind in run.predictions.kinds) else first)
            ),
            SIZE,
        )
    )
    more = total - len(cards)
    rest = Markup("")
    if more:
        said = f"The first {len(cards)} of {total:,}; " if cards else ""
        rest = tag("p", f"{said}{more:,} more in ", tag("code", "predictions.jsonl"), ".", class_="quiet")
    key = tag("p", tag("span", "the prompt", class_="given"), " · what the model wrote", class_="key")
    made = any('class="given"' in shown for shown in cards)
    keys = [kind.key() for kind in run.predictions.kinds]
    return tag(
        "section",
        tag("h2", "Answers"),
        key if made else None,
        *keys,
        tag("div", *cards, class_="answers"),
        rest,
        id="answers",
    )


def drawn(run: Run) -> list[Markup]:
    """What all answers come to, a section for each kind of them that could be scored."""
    sections: list[Markup] = []
    for kind in run.predictions.kinds:
        parts = within((figure for figure in kind.drawn() if figure), DRAWN) if kind.scored else []
        if parts:
            sections.append(tag("section", tag("h2", kind.title), *parts, id="drawn" if not sections else None))
    return sections


def numbers_first(run: Run) -> bool:
    """Whether numbers, not single rows, are what this run was for."""
    return any(kind.scored and kind.numbers_first for kind in run.predictions.kinds)


def card(run: Run, line: Mapping[str, Any]) -> Markup:
    """One row: its input, its prediction or predictions, its scores."""
    kind = run.predictions.kind_of(line)
    texts = [kind.shown(line)] if kind else _generic(run, line)
    if line.get("note"):
        texts.append(tag("p", clipped(line["note"], 300), class_="quiet note"))
    poem = any('class="verse"' in text for text in texts)
    long = not poem and max(len(text) for text in texts) > (600 if kind is None else 6_000)
    scores = part(line, "scores")
    passed = {name: scores[name] for name in run.predictions.known.passed if name in scores}
    told = kind.told(line) if kind else {}
    shown = (
        {name: value for name, value in passed.items() if name not in map(str.lower, told)} | told if kind else scores
    )
    caption = [tag("span", f"row {line.get('row', '?')}"), *(_score(run, name, value) for name, value in shown.items())]
    return tag("figure", *texts, tag("figcaption", *caption), class_="card wide" if long else "card")


def _generic(run: Run, line: Mapping[str, Any]) -> list[Markup]:
    """A row of no known kind."""
    prompt, prediction = prompt_of(run, line), line.get("prediction")
    several = prediction if isinstance(prediction, list) else [prediction]
    texts = [_answer(prompt, one) for one in several[:SEQUENCES]]
    if len(several) > SEQUENCES:
        texts.append(tag("p", f"and {len(several) - SEQUENCES:,} more", class_="quiet"))
    return texts or [_answer(prompt, None)]


def prompt_of(run: Run, line: Mapping[str, Any]) -> str:
    """The text of the input of a row; its first text when it has no `text`."""
    texts = run.predictions.known.texts(line)
    return texts.get("text") or next(iter(texts.values()), "")


def _answer(prompt: str, prediction: Any) -> Markup:
    """One prediction: a text, or names with their values; after its input when it does not repeat it."""
    if isinstance(prediction, str) and prompt_length(prompt, prediction):
        return text_of(prompt, prediction)
    given = tag("p", given_part(clipped(prompt, TEXT)), class_="prose input", lang=language(prompt), dir="auto")
    return join([given if prompt else "", _shown(prediction)])


def _shown(prediction: Any) -> Markup:
    if isinstance(prediction, str):
        return text_of("", prediction)
    if not isinstance(prediction, dict):
        return tag("p", _value(prediction), class_="prose")
    pairs = list(prediction.items())[:12]
    return tag("dl", *(tag("div", tag("dt", words(clipped(k, 80))), tag("dd", _value(v))) for k, v in pairs))


def _value(value: Any) -> str:
    return number(value) if isinstance(value, float) else clipped(value, TEXT)


def _score(run: Run, name: str, value: Any) -> Markup | str:
    if name in run.predictions.known.passed and value in (0, 1):
        return tag("span", f"✓ {words(name)}" if value else f"✗ not {words(name)}", class_="pass" if value else "miss")
    if not isinstance(value, int | float):  # counts that a number of the whole is made from
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    return tag("span", f"{words(clipped(name, 40))} {number(value)}")


def _nothing(run: Run) -> str:
    state = {"failed": " before the run failed", "stopped": " before the run was stopped", "running": " yet"}
    return f"No row was answered{state.get(run.state, '')}."
