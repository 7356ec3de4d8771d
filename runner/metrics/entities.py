"""Entities among tagged tokens: precision, recall and F1, as seqeval counts them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.errors import DataError
from runner.metrics.estimate import Ratio, known
from runner.metrics.labels import place
from runner.types import Estimate, Row, Scores

OUTSIDE = "O"
PREFIXES = {"B": "B", "I": "I", "E": "E", "S": "S", "L": "E", "U": "S", "M": "I"}  # of BILOU and BMES, as BIOES


@dataclass(frozen=True)
class Entities:
    """An entity is found if its type, first and last token are right; sums over all sentences, intervals over them.

    Tags are BIO, BIOES, BILOU or IO. A sequence that breaks its scheme is read as leniently as conlleval does: an
    entity begins where it must, whatever its prefix. A tag without a prefix is of IO.
    """

    def numbers(self) -> Mapping[str, bool]:
        """See Metric; f1_<type> besides, of each type that occurs."""
        return {"f1": True, "precision": True, "recall": True, "token_accuracy": True}

    def score(self, row: Row, prediction: Any) -> Scores:
        """entities: [found, extra, missed] by type; entities_correct, 0 or 1; tokens, tokens_correct, tokens_outside.

        Raises:
            DataError: when the tags are no texts, or not as many as were predicted.
        """
        if row.get("tags") is None or not (isinstance(prediction, Mapping) and "tags" in prediction):
            return {}
        gold = _checked(prediction.get("gold", row["tags"]), len(prediction["tags"]), row)
        guess = prediction["tags"]
        there, answered = set(chunks(gold)), set(chunks(guess))
        counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        for at, group in enumerate((there & answered, answered - there, there - answered)):
            for kind, _, _ in group:
                counts[kind][at] += 1
        return {
            "entities": {kind: counts[kind] for kind in sorted(counts)},
            "entities_correct": int(there == answered),
            "tokens": len(gold),
            "tokens_correct": sum(one == other for one, other in zip(gold, guess, strict=True)),
            "tokens_outside": sum(tag == OUTSIDE for tag in gold),
        }

    def summarise(self, scores: Iterable[Scores]) -> Mapping[str, Estimate]:
        """f1, precision, recall, token_accuracy, f1_<type>; where there is nothing to divide by, a number is 0."""
        sums = {name: Ratio() for name in ("f1", "precision", "recall", "token_accuracy")}
        by_type: dict[str, Ratio] = {}
        outside = rows = 0
        for one in scores:
            if "entities" in one:
                for kind, (found, extra, missed) in one["entities"].items():
                    by_type.setdefault(kind, Ratio()).add(2 * found, 2 * found + extra + missed)
                found, extra, missed = (sum(counts[at] for counts in one["entities"].values()) for at in range(3))
                sums["f1"].add(2 * found, 2 * found + extra + missed)
                sums["precision"].add(found, found + extra)
                sums["recall"].add(found, found + missed)
                sums["token_accuracy"].add(one["tokens_correct"], one["tokens"])
                outside, rows = outside + one["tokens_outside"], rows + 1
        if not rows:
            return {}
        result = {name: known(ratio.share(), majority=0.0) for name, ratio in sums.items()}
        result["f1"] = known(result["f1"], "entities_correct", majority=0.0)
        share = outside / max(sums["token_accuracy"].x, 1)
        result["token_accuracy"] = known(result["token_accuracy"], majority=share)
        for kind, ratio in sorted(by_type.items()):
            ratio.n = rows  # sentences without this type add nothing to its sums
            result[f"f1_{kind}"] = known(ratio.share(), majority=0.0)
        return result


def chunks(tags: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """The (type, first, last) of each entity; conlleval's rules, Tjong Kim Sang and Buchholz 2000."""
    start, before, kind = 0, OUTSIDE, ""
    for at, tag in enumerate([*tags, OUTSIDE]):
        prefix, new = _parts(tag)
        inside = before != OUTSIDE
        ends = inside and (before in "ES" or prefix in ("B", "S", OUTSIDE) or new != kind)
        if ends:
            yield kind, start, at - 1
        if prefix != OUTSIDE and (ends or not inside):
            start = at
        before, kind = prefix, new


def _parts(tag: str) -> tuple[str, str]:
    """The prefix among B I E S O, and the type; _ where there is none."""
    if tag == OUTSIDE:
        return OUTSIDE, ""
    prefix, _, kind = tag.partition("-")
    if prefix in PREFIXES and (kind or "-" in tag or tag == prefix):
        return PREFIXES[prefix], kind or "_"
    return "I", tag


def _checked(tags: Any, count: int, row: Row) -> list[str]:
    if not isinstance(tags, list | tuple) or not all(isinstance(tag, str) for tag in tags):
        raise DataError(f"{place(row)}: tags must be a list of texts such as B-PER, got {tags!r:.60}: give their names")
    if len(tags) != count:
        raise DataError(f"{place(row)}: there must be a tag for each of the {count} tokens, got {len(tags)}")
    return list(tags)
