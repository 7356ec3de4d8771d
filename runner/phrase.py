"""A prediction in a few words, for a line of the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SHOWN = 8  # entities, labels


def phrase(prediction: Any) -> str | None:
    """What was found, and how sure the network is of it; None for what no line can show (a vector)."""
    if isinstance(prediction, str):
        return prediction
    if isinstance(prediction, int | float):
        return f"{prediction:.4g}"
    if not isinstance(prediction, Mapping):
        return None
    if "entities" in prediction:
        found = [f"{one['text']} ({one['type']})" for one in prediction["entities"][:SHOWN]]
        return " · ".join(found) or "no entity"
    if "labels" in prediction:
        return " · ".join(_sure(name, prediction["probabilities"].get(name)) for name in prediction["labels"]) or "none"
    for name in ("label", "answer"):
        if name in prediction:
            return _sure(prediction[name] or "no answer", prediction.get("score"))
    if "choice" in prediction:
        return _sure(prediction["text"], prediction["probabilities"][prediction["choice"]])
    for name in ("text", "similarity"):
        if name in prediction:
            return phrase(prediction[name])
    return None


def _sure(name: Any, probability: Any) -> str:
    return f"{name}  {probability:.3f}" if isinstance(probability, int | float) else str(name)
