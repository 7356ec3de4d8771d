"""Words with their tags to training examples of a token classifier."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from runner.encode.tokens import Tokens
from runner.errors import DataError
from runner.teach.classes import check_weights, own_names, weights
from runner.types import IGNORED, Features, Inputs, Model, Row, Teach

if TYPE_CHECKING:
    from torch import Tensor

CHUNK = 1000  # rows tokenised at a time
SHOWN = 12  # tags in an error
LETTERS = "BIMELSU"  # the order of the tags of one type


@dataclass(frozen=True)
class Tags(Teach):
    """A tag for each word; its first sub-token learns it.

    Fields:
        column, window, overlap: as in `runner.encode.tokens.Tokens`; in an overlap each word is learnt once.
        target: the column of tags, names or numbers, one for each word; -100: not to be learnt.
        names: of tags that are numbers, from 0; None: the checkpoint's own, if it has enough, or else their numbers.
        all_pieces: the other sub-tokens of a word learn it, too, B- as I-.
        class_weights: how much a word counts by its tag; balanced: all tags together the same.
        label_smoothing: share of the probability that is spread over all tags.
    """

    column: str = "tokens"
    window: int | None = None
    overlap: float = 0.25
    target: str = "tags"
    names: list[str] | None = None
    all_pieces: bool = False
    class_weights: Any = None  # null | balanced | {tag: weight}
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        check_weights(self.class_weights, self.label_smoothing)
        Tokens(self.column, None, self.window, self.overlap)

    @property
    def columns(self) -> tuple[str, ...]:
        """See Teach."""
        return (self.column, self.target)

    def options(self, rows: Iterable[Row], config: Any) -> dict[str, Any]:
        """num_labels, id2label and label2id; nothing where the checkpoint's own classes cover all tags."""
        tags = {tag for row in rows for tag in row[self.target] if tag != IGNORED}
        if not tags:
            raise DataError(f"no training row has a tag in column {self.target!r}")
        own = self.names or own_names(config)
        unknown = [tag for tag in tags if _place(tag, own) is None]
        if unknown and self.names is not None:
            raise DataError(f"tag {unknown[0]!r} is not among task.teach.names: {', '.join(self.names[:SHOWN])}")
        if own and not unknown and self.names is None:
            return {}
        names = self.names or in_order(completed({str(tag) for tag in tags}))
        return {
            "num_labels": len(names),
            "id2label": dict(enumerate(names)),
            "label2id": {name: at for at, name in enumerate(names)},
        }

    def __call__(self, model: Model, rows: Iterable[Row]) -> Iterator[Features]:
        """input_ids (token_type_ids) and labels, and `weight` where tags count differently: lists of T ints.

        Raises:
            DataError: a tag is not among the model's, or a row has not as many tags as words.
        """
        from runner.engine.tokens import WHOLE

        names = [str(model.config.id2label[at]) for at in range(len(model.config.id2label))]
        encode = Tokens(self.column, None, self.window, self.overlap)
        weight = [round(one * WHOLE) for one in self._weights(rows, names)]
        remaining = iter(rows)
        while chunk := list(islice(remaining, CHUNK)):
            for row, features in zip(chunk, encode(model, chunk), strict=True):
                for feature, labels in zip(features, self._labels(row, names, features), strict=True):
                    del feature["aside"]
                    counts = {"weight": [weight[at] if at >= 0 else 0 for at in labels]} if weight else {}
                    yield feature | {"labels": labels} | counts

    def check(self, model: Model, rows: Iterable[Row]) -> None:
        """Raises DataError for the first tag that is not among the model's."""
        names = [str(model.config.id2label[at]) for at in range(len(model.config.id2label))]
        for row in rows:
            if row.get(self.target) is not None:
                self._positions(row, names)

    def loss(self, network: Any, inputs: Inputs) -> Tensor:
        """Nats of all labelled tokens, each as often as it counts."""
        from runner.engine.tokens import token_loss

        return token_loss(network, inputs, self.label_smoothing)

    def items(self, inputs: Inputs) -> float:
        """Labelled tokens, each as often as it counts."""
        from runner.engine.tokens import WHOLE

        learnt = inputs["labels"] != IGNORED
        return float(inputs["weight"][learnt].sum()) / WHOLE if "weight" in inputs else int(learnt.sum())

    def _labels(self, row: Row, names: list[str], features: Sequence[Features]) -> Iterator[list[int]]:
        """For each window the position of each sub-token's tag; -100 for all that learn nothing."""
        tags = self._positions(row, names)
        further = {at: _inside(at, names) for at in set(tags)}
        last = None
        for feature in features:
            aside = feature["aside"]
            labels = [IGNORED] * len(feature["input_ids"])
            for at, word in enumerate(aside["words"], aside["first"]):
                if word != last:
                    labels[at] = tags[word]
                elif self.all_pieces:
                    labels[at] = further[tags[word]]
                last = word
            yield labels

    def _positions(self, row: Row, names: list[str]) -> list[int]:
        words, tags, where = row[self.column], row[self.target], row.get("place", f"row {row.get('row')}")
        if len(words) != len(tags):
            raise DataError(f"{where}: has {len(words)} words but {len(tags)} tags: each word needs one")
        found = []
        for tag in tags:
            at = _place(tag, names)
            if at is None:
                shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
                raise DataError(f"{where}: tag {tag!r} is not among those of the training rows or the model: {shown}")
            found.append(at)
        return found

    def _weights(self, rows: Iterable[Row], names: list[str]) -> list[float]:
        """By position; none where every word counts the same. For balanced weights the rows are read once more."""
        if self.class_weights is None:
            return []
        counts: Counter[int] = Counter()
        if not isinstance(self.class_weights, Mapping):
            for row in rows:
                counts.update(at for at in self._positions(row, names) if at != IGNORED)
        return weights(counts, self.class_weights, names)


def completed(names: set[str]) -> set[str]:
    """With every letter that any type has for each type: a rare type may lack its I- in the training rows."""
    parts = [(name[:1], name[2:]) for name in names if name[1:2] == "-" and name[0] in LETTERS]
    return names | {f"{letter}-{kind}" for letter, _ in parts for _, kind in parts}


def in_order(names: Iterable[str]) -> list[str]:
    """O first, then by type, B- before I-; numbers keep their place, from 0 to the largest."""
    given = list(names)
    if all(name.isdecimal() and int(name) < 10_000 for name in given):
        return [str(at) for at in range(max(map(int, given)) + 1)]
    return sorted(given, key=_rank)


def _rank(name: str) -> tuple[bool, str, int, str]:
    letter, dash, kind = name.partition("-")
    prefixed = bool(dash) and len(letter) == 1 and letter in LETTERS
    return name != "O", kind if prefixed else name, LETTERS.index(letter) if prefixed else 0, name


def _place(tag: Any, names: list[str]) -> int | None:
    """The position of a tag: a name, or else a number as a position; -100 as it is, None for what is neither."""
    if tag == IGNORED:
        return IGNORED
    name = str(tag)
    if name in names:
        return names.index(name)
    return int(name) if name.isdecimal() and int(name) < len(names) else None


def _inside(at: int, names: list[str]) -> int:
    """The position of the tag with which a word of this tag goes on."""
    if at == IGNORED or not names[at].startswith("B-"):
        return at
    inside = f"I-{names[at][2:]}"
    return names.index(inside) if inside in names else at
