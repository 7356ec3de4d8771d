"""The answers: poems set as poems, other texts as prose, and what an evaluation found hard and easy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from runner.report.markup import Markup, clipped, is_number, join, language, many, number, tag, within, words
from runner.report.read import BINS_PER_DECADE, PASSED, Run, part
from runner.report.svg import histogram
from runner.report.verse import Line, prompt_length, verse

TEXT = 1_500  # characters of a text that are shown
SEQUENCES = 6  # returned sequences of a row that are shown
SIZE = 150_000  # bytes of all answers


def answers(run: Run) -> Markup:
    """The section that comes first: what the run said."""
    if run.predictions.likelihood:
        return _likelihood(run)
    total = run.predictions.total
    if not total:
        return tag("section", tag("h2", "Answers"), tag("p", _nothing(run), class_="quiet"), id="answers")
    cards = list(within((card(line) for line in run.predictions.first.items()), SIZE))
    more = total - len(cards)
    rest = Markup("")
    if more:
        first = f"The first {len(cards)} of {total:,}; " if cards else ""
        rest = tag("p", f"{first}{more:,} more in ", tag("code", "predictions.jsonl"), ".", class_="quiet")
    key = tag("p", tag("span", "the prompt", class_="given"), " · what the model wrote", class_="key")
    made = any('class="given"' in shown for shown in cards)
    return tag(
        "section", tag("h2", "Answers"), key if made else None, tag("div", *cards, class_="answers"), rest, id="answers"
    )


def card(line: dict[str, Any]) -> Markup:
    """One row: its prompt, its prediction or predictions, its scores."""
    prompt, prediction = prompt_of(line), line.get("prediction")
    several = prediction if isinstance(prediction, list) else [prediction]
    texts = [_answer(prompt, one) for one in several[:SEQUENCES]]
    if len(several) > SEQUENCES:
        texts.append(tag("p", f"and {len(several) - SEQUENCES:,} more", class_="quiet"))
    if line.get("note"):
        texts.append(tag("p", clipped(line["note"], 300), class_="quiet note"))
    poem = any('class="verse"' in text for text in texts)
    long = not poem and max(len(text) for text in texts) > 600
    caption = [tag("span", f"row {line.get('row', '?')}"), *map(_score, part(line, "scores").items())]
    return tag("figure", *texts, tag("figcaption", *caption), class_="card wide" if long else "card")


def prompt_of(line: dict[str, Any]) -> str:
    """The text of the input of a row; its first text when it has no `text`."""
    given = line.get("input")
    if isinstance(given, dict):
        given = given.get("text", next((v for v in given.values() if isinstance(v, str)), ""))
    return given if isinstance(given, str) else ""


def text_of(prompt: str, text: str) -> Markup:
    """A text as a poem or as prose, with the prompt that it begins with set apart."""
    given = prompt_length(prompt, text)
    shown = clipped(text, TEXT)
    lines = verse(text) if len(text) <= TEXT else None
    if lines:
        return _poem(lines, given)
    body = (_given(shown[:given]), shown[given:]) if given else (shown,)
    return tag("p", *body, class_="prose", lang=language(shown), dir="auto")


def _poem(lines: list[Line], given: int) -> Markup:
    """Two lines of verse on a line of the page."""
    couplets = [lines[start : start + 2] for start in range(0, len(lines), 2)]
    rows = [tag("span", *(_verse_line(line, given) for line in pair), class_="couplet") for pair in couplets]
    return tag("p", join(rows, "\n"), class_="verse", lang="zh")


def _verse_line(line: Line, given: int) -> Markup:
    cut = min(max(given - line.start, 0), len(line.text))
    body = (_given(line.text[:cut]), line.text[cut:]) if cut else (line.text,)
    slip = None if line.regular else "this line breaks the metre"
    return tag("span", *body, class_="line" if line.regular else "line slip", title=slip)


def _given(text: str) -> Markup:
    return tag("span", text, class_="given")


def _answer(prompt: str, prediction: Any) -> Markup:
    """One prediction: a text, or names with their values; after its input when it does not repeat it."""
    if isinstance(prediction, str) and prompt_length(prompt, prediction):
        return text_of(prompt, prediction)
    given = tag("p", _given(clipped(prompt, TEXT)), class_="prose input", lang=language(prompt), dir="auto")
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


def _score(score: tuple[str, Any]) -> Markup:
    name, value = score
    if name in PASSED and value in (0, 1):
        return tag("span", f"✓ {words(name)}" if value else f"✗ not {words(name)}", class_="pass" if value else "miss")
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    return tag("span", f"{words(clipped(name, 40))} {number(value)}")


def _nothing(run: Run) -> str:
    state = {"failed": " before the run failed", "stopped": " before the run was stopped", "running": " yet"}
    return f"No row was answered{state.get(run.state, '')}."


def _likelihood(run: Run) -> Markup:
    """An evaluation: how perplexity is spread over the rows, and the rows at both ends."""
    seen = run.predictions
    parts = [tag("h2", "How likely the texts are")]
    if seen.histogram:
        picture = histogram("Perplexity of the rows", seen.histogram, BINS_PER_DECADE)
        middle = f"Half of the rows lie below about {number(_median(run))}."
        caption = tag("figcaption", tag("b", "Perplexity of each row"), f" (logarithmic; lower is better). {middle}")
        parts.append(tag("figure", caption, picture, class_="plot single"))
    if seen.not_finite:
        parts.append(tag("p", f"{many(seen.not_finite, 'row')} without a finite perplexity.", class_="quiet"))
    ends = [_extremes("Hardest rows", seen.hardest.items()), _extremes("Easiest rows", seen.easiest.items())]
    parts.append(tag("div", *ends, class_="pair"))
    return tag("section", *parts, id="answers")


def _median(run: Run) -> float:
    left = sum(run.predictions.histogram.values()) / 2
    for place, count in sorted(run.predictions.histogram.items()):
        left -= count
        if left <= 0:
            return float(10.0 ** ((place + 0.5) / BINS_PER_DECADE))
    return float("nan")


def _extremes(title: str, lines: Iterable[dict[str, Any]]) -> Markup:
    columns = ("perplexity", "accuracy")
    rows = [
        tag(
            "tr",
            *(tag("td", number(part(line, "prediction").get(name)), class_="number") for name in columns),
            tag("td", tag("span", f"row {line.get('row', '?')}", class_="where"), text_of("", prompt_of(line))),
        )
        for line in lines
        if is_number(part(line, "prediction").get("perplexity"))
    ]
    heads = [*(tag("th", name, scope="col", class_="number") for name in columns), tag("th", "text", scope="col")]
    table = tag("table", tag("caption", title), tag("thead", tag("tr", *heads)), tag("tbody", *within(rows, SIZE // 4)))
    return tag("div", table, class_="scroll")
