"""Labels and vectors for 1,000 texts beside pipeline and sentence-transformers; tokenisation included, loading not."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from bench.measure import Row, in_turn, write
from bench.minilm import answers, classifier, encoder, loaded, texts
from bench.models import half_pays

GOALS = {"float32": (1.8, 5.0), "bfloat16": (3.5, 10.0)}
EMBEDDING = {"float32": 1.0, "bfloat16": 1.8}
AGREE = 1e-5  # of scores and of components of vectors, in float32


def labels(rounds: int, rows: list[dict[str, Any]], dtypes: list[str]) -> tuple[list[Row], list[str]]:
    """Sequence classification."""
    import torch
    from transformers import pipeline

    given = [row["text"] for row in rows]
    with tempfile.TemporaryDirectory() as at:
        folder = classifier(Path(at), given[:100])
        pipe = pipeline("text-classification", model=str(folder), device="cpu", dtype=torch.float32)
        models = {dtype: loaded(folder, "sequence_classification", dtype) for dtype in dtypes}
    model, predictor = models["float32"]
    from dataclasses import replace

    from runner.engine.quantized import int8

    quantised = replace(model, network=int8(model.network))
    found: dict[str, list[Any]] = {}

    def kept(name: str, way: Any) -> Any:
        return lambda: found.__setitem__(name, way())

    ways = {dtype: kept(dtype, lambda p=p: answers(p(), rows)) for dtype, (_, p) in models.items()}
    ways["int8"] = kept("int8", lambda: answers(predictor(quantised), rows))
    ways |= {f"pipeline {size}": kept(f"pipeline {size}", lambda s=size: pipe(given, batch_size=s)) for size in (1, 32)}
    pipe(given[:2])
    seconds = in_turn(ways, rounds)
    peer, ours = found["pipeline 1"], found["float32"]
    apart = max(abs(a["score"] - b["score"]) for a, b in zip(peer, ours, strict=True))
    assert all(a["label"] == b["label"] for a, b in zip(peer, ours, strict=True))
    assert apart < AGREE, apart
    table = []
    for dtype in dtypes:
        for size, goal in zip((1, 32), GOALS[dtype], strict=True):
            ratio = seconds[f"pipeline {size}"] / seconds[dtype]
            what = f"labels, {dtype}: over pipeline with batch_size={size}, float32"
            table.append(Row(what, f"{ratio:.2f} times", f">= {goal}", ratio >= goal))
    ratio = seconds["pipeline 1"] / seconds["int8"]
    table.append(Row("labels, engine.quantize=int8: over pipeline with batch_size=1", f"{ratio:.2f} times"))
    notes = [
        f"In float32 all labels are those of pipeline, scores within {apart:.0e}. "
        + "; ".join(_changed(name, found[name], ours) for name in (*dtypes[1:], "int8"))
        + ". The head is drawn, and its bias parts the texts in halves.",
        "CPU seconds: " + ", ".join(f"{name} {value:.1f}" for name, value in seconds.items()) + ".",
    ]
    return table, notes


def _changed(name: str, found: list[Any], exact: list[Any]) -> str:
    flips = sum(a["label"] != b["label"] for a, b in zip(found, exact, strict=True))
    apart = max(
        abs(a["probabilities"][label] - p)
        for a, b in zip(found, exact, strict=True)
        for label, p in b["probabilities"].items()
    )
    return f"{name} changes {flips} of {len(exact)} labels, probabilities by {apart:.0e} at most"


def vectors(rounds: int, rows: list[dict[str, Any]], dtypes: list[str]) -> tuple[list[Row], list[str]]:
    """Sentence embeddings."""
    from sentence_transformers import SentenceTransformer

    given = [row["text"] for row in rows]
    peer = SentenceTransformer(str(encoder()), device="cpu")
    models = {dtype: loaded(encoder(), "text_encoding", dtype)[1] for dtype in dtypes}
    found: dict[str, Any] = {}
    ways = {dtype: lambda d=dtype, p=p: found.__setitem__(d, answers(p(), rows)) for dtype, p in models.items()}
    ways["peer"] = lambda: found.__setitem__("peer", peer.encode(given, batch_size=32, show_progress_bar=False))
    peer.encode(given[:2])
    seconds = in_turn(ways, rounds)
    for dtype in dtypes:
        found[dtype] = [answer["embedding"] for answer in found[dtype]]
    found["peer"] = found["peer"].tolist()
    apart = max(
        abs(x - y) for a, b in zip(found["float32"], found["peer"], strict=True) for x, y in zip(a, b, strict=True)
    )
    assert apart < AGREE, apart
    table = []
    for dtype in dtypes:
        ratio, goal = seconds["peer"] / seconds[dtype], EMBEDDING[dtype]
        what = f"vectors, {dtype}: over sentence-transformers with batch_size=32, float32"
        table.append(Row(what, f"{ratio:.2f} times", f">= {goal}", ratio >= goal))
    notes = [f"In float32 the vectors are those of sentence-transformers, components within {apart:.0e}."]
    if "bfloat16" in found:
        least = min(
            sum(x * y for x, y in zip(a, b, strict=True))
            for a, b in zip(found["bfloat16"], found["float32"], strict=True)
        )
        notes[0] += f" The least cosine of a bfloat16 vector to its float32 one is {least:.5f}."
    notes.append("CPU seconds of vectors: " + ", ".join(f"{name} {value:.1f}" for name, value in seconds.items()) + ".")
    return table, notes


def run(rounds: int, quick: bool) -> None:
    """Both, one thread."""
    import torch
    from transformers.utils import logging

    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    dtypes = ["float32", *(["bfloat16"] if half_pays() else [])]
    rows = [{"row": i, "text": text} for i, text in enumerate(texts(40 if quick else 1000))]
    from transformers import AutoTokenizer

    lengths = sorted(map(len, AutoTokenizer.from_pretrained(encoder())([row["text"] for row in rows])["input_ids"]))
    about = (
        f"MiniLM (22.6 M), {len(rows):,} texts of WikiText-2 words, {sum(lengths):,} tokens: mean "
        f"{sum(lengths) / len(lengths):.0f}, 95th percentile {lengths[int(0.95 * len(lengths))]}, most {lengths[-1]}. "
        "Tokenisation is in the time of all sides, loading in none."
    )
    table, notes = labels(rounds, rows, dtypes)
    more, others = vectors(rounds, rows, dtypes)
    write("Encoding", [*table, *more], rounds, 1, [about, *notes, *others])
