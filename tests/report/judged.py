"""Lines of predictions.jsonl of each kind, small enough to be counted by hand."""

from collections.abc import Mapping
from typing import Any

from tests.report.invented import RunDirectory

SHARE = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 4, "baselines": {}}


def made(run: RunDirectory, task: Mapping[str, Any], lines: list[dict[str, Any]], passed: str | None = None) -> str:
    """The page of a run whose task has these columns and this target."""
    run.json("config.yaml", {"task": {"name": "a task", **task}})
    run.json("metrics.json", {"accuracy": {**SHARE, "passed": passed}} if passed else {})
    run.rows(*lines)
    return run.page()


def label(text: str, gold: int | None, *probabilities: float, names: str = "abcdefgh") -> dict[str, Any]:
    found = dict(zip(names, probabilities, strict=False))
    guess = probabilities.index(max(probabilities))
    scores = {} if gold is None else {"gold": gold, "guess": guess, "correct": int(gold == guess)}
    prediction = {"label": names[guess], "score": max(probabilities), "probabilities": found}
    return {"input": {"text": text}, "prediction": prediction, "scores": scores}


def labels(text: str, gold: list[int], guess: list[int], *probabilities: float) -> dict[str, Any]:
    names = "abcdefgh"[: len(probabilities)]
    prediction = {
        "labels": [names[at] for at in guess],
        "probabilities": dict(zip(names, probabilities, strict=True)),
    }
    scores = {"gold": gold, "guess": guess, "correct": int(gold == guess)}
    return {"input": {"text": text}, "prediction": prediction, "scores": scores}


def number(text: str, gold: float, value: float) -> dict[str, Any]:
    return {"input": {"text": text, "label": gold}, "prediction": value, "scores": {"gold": gold, "value": value}}


def tagged(tokens: str, tags: str, guess: str) -> dict[str, Any]:
    """Words and tags by spaces; entities as the task finds them."""
    from runner.metrics.entities import Entities, chunks

    words, own, found = tokens.split(), tags.split(), guess.split()
    starts = [sum(len(word) + 1 for word in words[:at]) for at in range(len(words) + 1)]
    entities = [
        {"type": kind, "score": 0.9, "text": " ".join(words[first : last + 1]), "start": starts[first],
         "end": starts[last + 1] - 1, "first": first, "last": last}
        for kind, first, last in chunks(found)
    ]  # fmt: skip
    row, prediction = {"tokens": words, "tags": own}, {"entities": entities, "tags": found}
    return {"input": row, "prediction": prediction, "scores": Entities().score(row, prediction)}


def span(context: str, answer: str, golds: list[str], f1: float) -> dict[str, Any]:
    start = context.find(answer) if answer else None
    prediction = {"answer": answer, "start": start, "end": start + len(answer) if start is not None else None,
                  "score": 0.8, "n_best": [], "no_answer_score": -1.0}  # fmt: skip
    row = {"question": "Who?", "context": context, "answers": {"text": golds, "answer_start": [0] * len(golds)}}
    return {"input": row, "prediction": prediction, "scores": {"exact_match": int(f1 == 1), "f1": f1, "answerable": 1}}


def choice(question: str, gold: int, *probabilities: float) -> dict[str, Any]:
    choices = [f"choice {at}" for at in range(len(probabilities))]
    guess = probabilities.index(max(probabilities))
    prediction = {"choice": guess, "text": choices[guess], "probabilities": list(probabilities)}
    scores = {"gold": gold, "guess": guess, "correct": int(gold == guess), "choices": len(choices), "nll": 1.0}
    return {"input": {"question": question, "choices": choices}, "prediction": prediction, "scores": scores}


def fill(text: str, filled: str, *blanks: list[tuple[str, float]]) -> dict[str, Any]:
    fills = [[{"token": token, "score": score} for token, score in blank] for blank in blanks]
    return {"input": {"text": text}, "prediction": {"text": filled, "fills": fills}, "scores": {}}


def recovered(text: str, *hidden: tuple[str, int, int, float]) -> dict[str, Any]:
    masked = [dict(zip(("token", "top1", "top5", "nll"), one, strict=True)) for one in hidden]
    return {"input": {"text": text}, "prediction": {"masked": masked}, "scores": {"masked": len(masked)}}


def pair(first: str, second: str, cosine: float, gold: float | None) -> dict[str, Any]:
    scores = {} if gold is None else {"similarity": cosine, "gold_similarity": gold}
    row = {"sentence1": first, "sentence2": second, "score": gold}
    return {"input": row, "prediction": {"similarity": cosine}, "scores": scores}


def vector(text: str, values: list[Any], **others: Any) -> dict[str, Any]:
    return {"input": {"text": text, **others}, "prediction": {"embedding": values}, "scores": {}}


def written(source: str, target: Any, prediction: Any, **scores: Any) -> dict[str, Any]:
    return {"input": {"source": source, "target": target}, "prediction": prediction, "scores": scores}


EVERY = [
    label("text", 0, 0.75, 0.25),
    labels("text", [0], [0, 1], 0.75, 0.5),
    number("text", 1.0, 2.0),
    tagged("Anna sails", "B-PER O", "B-LOC O"),
    span("It was Anna.", "Anna", ["Anna"], 1.0),
    choice("question", 0, 0.5, 0.25, 0.25),
    fill("a [MASK]", "a b", [("b", 0.5)]),
    recovered("a b", ("b", 1, 1, 0.5)),
    pair("one", "other", 0.5, 2.0),
    vector("text", [0.5, 1.0, 2.0]),
    written("source", "target", "answer", rougeL=0.5, chrf_statistics=[4, 4, 2] * 6),
    {"input": {"text": "a"}, "prediction": {"perplexity": 2.5, "accuracy": 0.5}, "scores": {}},
]
TASK = {"columns": dict.fromkeys(("text", "source", "target", "question", "context", "sentence1", "sentence2"), []),
        "target": "target"}  # fmt: skip
