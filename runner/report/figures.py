"""The numbers with their intervals, and the curves of training."""

from __future__ import annotations

import math

from runner.report.lines import part
from runner.report.markup import Markup, clipped, is_number, join, many, number, tag, words
from runner.report.meaning import meaning
from runner.report.read import Run
from runner.report.svg import POINTS, Series, interval, line_chart, thinned

Points = list[tuple[float, float]]
COST = ("eval_runtime", "eval_samples_per_second", "eval_steps_per_second")  # not a quality of the model
METRICS = 40  # rows of the table
FEW = 60  # points of a curve that are marked each
BASELINES = {
    "majority": "always the most frequent answer",
    "random": "guessing",
    "mean": "always the mean of what is right",
    "no answer": "never an answer",
}


def numbers(run: Run) -> Markup:
    """The section of metrics: value, interval as numbers and as a picture, count."""
    rows = [_metric(str(name), part(run.metrics, name)) for name in list(run.metrics)[:METRICS]]
    if not rows:
        return Markup("")
    heads = [
        tag("th", "measure", scope="col"),
        tag("th", "value", scope="col", class_="number"),
        tag("th", "95 % interval", scope="col", class_="number"),
        tag("td"),
        tag("th", "n", scope="col", class_="number"),
    ]
    table = tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *rows), class_="metrics")
    return tag("section", tag("h2", "Numbers"), tag("div", table, class_="scroll"), id="numbers")


def _metric(name: str, estimate: dict[str, object]) -> Markup:
    value, low, high = (estimate.get(key) for key in ("value", "low", "high"))
    known = is_number(value) and is_number(low) and is_number(high)
    return tag(
        "tr",
        tag("th", clipped(words(name), 80), tag("small", told) if (told := meaning(name)) else None, scope="row"),
        tag("td", number(value), _beside(estimate), class_="number value"),
        tag("td", f"{number(low)} to {number(high)}" if known else "–", class_="number"),
        tag("td", interval(float(value), float(low), float(high)) if known else "", class_="picture"),  # type: ignore[arg-type]
        tag("td", number(estimate.get("n")), class_="number"),
    )


def _beside(estimate: dict[str, object]) -> Markup | None:
    """What the same number comes to without a model."""
    known = [(name, value) for name, value in part(estimate, "baselines").items() if is_number(value)][:4]
    shown = [tag("span", f"{clipped(words(name), 30)} {number(v)}", title=BASELINES.get(name)) for name, v in known]
    return tag("small", join(shown, " "), class_="baselines") if shown else None


def curves(run: Run) -> Markup:
    """The section of training curves; empty when nothing was trained."""
    known = {name: [p for p in points if math.isfinite(p[1])] for name, points in run.curves.items()}
    train, valid = known.get("loss", []), known.get("eval_loss", [])
    if not train and not valid:
        return Markup("")
    best = min(valid, key=lambda p: p[1]) if valid else None
    series = [
        Series("training loss", train, dotted=len(train) <= FEW),
        Series("validation loss", valid, "second", dotted=len(valid) <= FEW, best=best),
    ]
    shown = [s for s in series if s.points]
    legend = [tag("span", tag("i", class_=f"swatch {s.look}"), s.name, class_="legend") for s in shown]
    loss = tag("figure", tag("figcaption", *legend), line_chart("Loss against the step", shown), class_="plot large")
    told = tag("p", _told(train, valid, best), class_="quiet")
    return tag("section", tag("h2", "Training"), told, tag("div", loss, *_side(known), class_="curves"), id="training")


def not_finite(run: Run) -> Markup | None:
    """A line about losses that were infinite or not a number."""
    steps = [step for step, value in run.curves.get("loss", []) if not math.isfinite(value)]
    if not steps:
        return None
    return tag("p", f"The training loss was not finite {many(len(steps), 'time')}, first at step {steps[0]:,.0f}.")


def _side(known: dict[str, Points]) -> list[Markup]:
    """Small charts: learning rate, gradient norm, further validation metrics."""
    names = {"learning_rate": "learning rate", "grad_norm": "gradient norm"}
    for name in known:
        if name.startswith("eval_") and name != "eval_loss" and name not in COST:
            names[name] = "validation " + clipped(words(name.removeprefix("eval_")), 60)
    return [
        tag(
            "figure",
            tag("figcaption", title),
            line_chart(
                f"{title} against the step",
                [Series(title, thinned(known[name], POINTS // 2), "plain", dotted=len(known[name]) <= 20)],
                width=320,
                height=130,
            ),
            class_="plot small",
        )
        for name, title in list(names.items())[:5]
        if known.get(name)
    ]


def _told(train: Points, valid: Points, best: tuple[float, float] | None) -> str:
    """The curves in a sentence or two."""
    said = []
    if train:
        steps = max(p[0] for p in (*train, *valid))
        said.append(f"{many(round(steps), 'step')}; training loss from {number(train[0][1])} to {number(train[-1][1])}")
    if best:
        said.append(f"lowest validation loss {number(best[1])} at step {best[0]:,.0f} (ringed)")
    if len(train) > POINTS:
        said.append(f"each point of the line is the mean of {math.ceil(len(train) / POINTS)} logged values")
    text = "; ".join(said) + "."
    return text[0].upper() + text[1:]
