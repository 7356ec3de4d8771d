"""What follows from a text to the label that describes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runner.errors import CheckpointError
from runner.interpret.labels import DIGITS, softmax
from runner.types import Features, Model, Row


@dataclass(frozen=True)
class Entailment:
    """The candidate label whose hypothesis follows best from the text.

    Fields:
        multi_label: each label by itself, entailment against contradiction; else the labels share a probability of 1.
    """

    multi_label: bool = False

    def outputs(self, model: Model, inputs: Any) -> list[list[float]]:
        """For each hypothesis the logits of the classes of inference."""
        from runner.engine.classes import class_scores

        return class_scores(model, inputs)

    def __call__(self, model: Model, row: Row, features: Sequence[Features], outputs: Sequence[Any]) -> dict[str, Any]:
        """label, score, and the probability of each candidate, the most probable first.

        Raises:
            CheckpointError: none of the checkpoint's classes is called entailment.
        """
        yes = _entailment(model)
        no = 0 if yes != 0 else len(outputs[0]) - 1
        if self.multi_label or len(outputs) == 1:
            scores = [softmax([logits[no], logits[yes]])[1] for logits in outputs]
        else:
            scores = softmax([logits[yes] for logits in outputs])
        names = [feature["aside"]["label"] for feature in features]
        pairs = sorted(zip(names, scores, strict=True), key=lambda pair: -pair[1])
        shown = {name: round(score, DIGITS) for name, score in pairs}
        return {"label": pairs[0][0], "score": shown[pairs[0][0]], "probabilities": shown}


def _entailment(model: Model) -> int:
    """The class that says that the second text follows from the first."""
    names = {str(name).lower(): int(at) for at, name in model.config.id2label.items()}
    found = next((at for name, at in names.items() if name.startswith("entail")), None)
    if found is None:
        known = ", ".join(names)
        raise CheckpointError(f"{model.name} knows no inference: none of its classes ({known}) is called entailment")
    return found
