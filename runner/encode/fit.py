"""Texts, or pairs of texts, to features that fit the model's context."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runner.types import Features, Model

PASSED_ON = ("input_ids", "token_type_ids")  # of what a tokenizer makes
NOTE = "note"  # in `aside` of a feature: why its text was cut


def fit(
    model: Model, texts: Sequence[str], pairs: Sequence[str] | None = None, tokens: int | None = None
) -> list[Features]:
    """One feature a text (and its pair): input_ids and, where the tokenizer makes them, token_type_ids.

    A longer one is cut at its end, of a pair the longer of the two; `aside` says so, and data.on_long_row decides.

    Args:
        model: its tokenizer, and its context.
        texts: first or only texts.
        pairs: second texts, one for each of the first.
        tokens: longest sequence; None: the model's context.
    """
    limit = min((n for n in (tokens, model.context) if n is not None), default=None)
    encoded = model.processor(list(texts), None if pairs is None else list(pairs), truncation=False, verbose=False)
    features = [_feature(encoded, at) for at in range(len(texts))]
    for at, feature in enumerate(features):
        length = len(feature["input_ids"])
        if limit is None or length <= limit:
            continue
        pair = None if pairs is None else [pairs[at]]
        cut = model.processor([texts[at]], pair, truncation=True, max_length=limit, verbose=False)
        law = f"the limit is {tokens}" if tokens == limit else f"the context of {model.name} is {limit}"
        features[at] = _feature(cut, 0) | {"aside": {NOTE: f"the text has {length} tokens, {law}"}}
    return features


def _feature(encoded: Any, at: int) -> Features:
    return {name: list(encoded[name][at]) for name in PASSED_ON if name in encoded}
