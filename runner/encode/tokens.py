"""Words, or plain texts, to overlapping windows of sub-tokens that know where they come from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from runner.encode.fit import PASSED_ON
from runner.errors import CheckpointError, DataError
from runner.types import Features, Model, Row


@dataclass(frozen=True)
class Tokens:
    """A list of words, or a text; what is longer than a window comes in several that overlap.

    Each sub-token belongs to the window in which it has most context, and to no other.

    Fields:
        column: of lists of words; where a row has it, its text is not read.
        text: of plain texts; None: every row must have words.
        window: sub-tokens, special ones included; None: the model's context.
        overlap: share of a window that it has in common with the next.
    """

    column: str = "tokens"
    text: str | None = "text"
    window: int | None = None
    overlap: float = 0.25

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < 1:
            raise ValueError(f"0 <= overlap < 1 must hold, but got {self.overlap}")
        if self.window is not None and self.window < 8:
            raise ValueError(f"window >= 8 must hold, but got {self.window}")

    @property
    def columns(self) -> tuple[str, ...]:
        """See Encode."""
        return (self.column,) if self.text is None else ()

    @property
    def optional(self) -> tuple[str, ...]:
        """See Encode."""
        return () if self.text is None else (self.column, self.text)

    def __call__(self, model: Model, rows: Sequence[Row]) -> list[list[Features]]:
        """For each row its windows, none where it has no sub-token: input_ids (and token_type_ids), lists of T ints.

        `aside` is about the sub-tokens that belong to the window: `first`, the position of the first; `words`, the
        index of each one's word; `offsets`, its first and last character (exclusive) in that word, or in the text.

        Raises:
            DataError: a row has neither words nor a text.
            CheckpointError: the tokenizer does not tell where its sub-tokens come from.
        """
        check_fast(model, "token classification")
        made: list[list[Features]] = [[] for _ in rows]
        for split in (False, True):
            places = [at for at, row in enumerate(rows) if (row.get(self.column) is not None) == split]
            sources = [rows[at][self.column] if split else self._text(rows[at]) for at in places]
            for at, features in zip(places, self._encoded(model, sources, split), strict=True):
                made[at] = features
        return made

    def _text(self, row: Row) -> str:
        text = None if self.text is None else row.get(self.text)
        if text is None:
            wanted = self.column if self.text is None else f"{self.column} (a list of words) or {self.text}"
            raise DataError(f"{row.get('place', row.get('row'))}: has no {wanted}; data.columns names the columns")
        return str(text)

    def _encoded(self, model: Model, sources: Sequence[Any], split: bool) -> Iterator[list[Features]]:
        spaced = split and _wants_spaces(model.processor)
        given = [_words(source, spaced) if split else source for source in sources]
        asked = {"is_split_into_words": split, "return_offsets_mapping": True, "return_special_tokens_mask": True}
        full = [one for one in given if one]
        encoded: Any = model.processor(full, truncation=False, verbose=False, **asked) if full else None
        at = 0
        for one in given:
            if not one:
                yield []
                continue
            offsets = [(start, end) for start, end in encoded["offset_mapping"][at]]
            words = encoded.word_ids(at)
            if spaced:
                offsets = [(max(start - 1, 0), max(end - 1, 0)) for start, end in offsets]
            elif not split and not _marks_pieces(model.processor):
                words = _words_between_spaces(str(one), offsets, encoded["input_ids"][at], model.processor.unk_token_id)
            whole = {name: list(encoded[name][at]) for name in PASSED_ON if name in encoded}
            yield self._windows(model, whole, encoded["special_tokens_mask"][at], (words, offsets))
            at += 1

    def _windows(self, model: Model, whole: Features, special: list[int], origin: tuple[Any, Any]) -> list[Features]:
        """Special tokens at either end go with each window."""
        words, offsets = origin
        body = [at for at, mark in enumerate(special) if not mark]
        if not body:
            return []
        head, tail, total = body[0], body[-1] + 1, len(special)
        limit = min((n for n in (self.window, model.context) if n is not None), default=total)
        room = max(limit - head - (total - tail), 1)
        features = []
        for begin, end, first, last in windows(tail - head, room, int(room * self.overlap)):
            feature: Features = {
                name: values[:head] + values[head + begin : head + end] + values[tail:]
                for name, values in whole.items()
            }
            own = slice(head + first, head + last)
            feature["aside"] = {"first": head + first - begin, "words": words[own], "offsets": offsets[own]}
            features.append(feature)
        return features


def windows(length: int, size: int, overlap: int) -> Iterator[tuple[int, int, int, int]]:
    """Windows over so many tokens: begin and end, and begin and end of the part that belongs to each.

    Neighbours meet in the middle of what they have in common; the last window ends with the last token.
    """
    begin = own = 0
    while begin + size < length:
        following = min(begin + max(size - overlap, 1), length - size)
        middle = following + (begin + size - following) // 2
        yield begin, begin + size, own, middle
        begin, own = following, middle
    yield begin, length, own, length


def check_fast(model: Model, task: str) -> None:
    """Raises CheckpointError for a tokenizer that does not know the characters of its tokens."""
    if not getattr(model.processor, "is_fast", False):
        kind = type(model.processor).__name__
        remedy = "use a checkpoint, or a checkpoint.tokenizer, with a tokenizer.json"
        raise CheckpointError(
            f"{model.name}: {task} needs a fast tokenizer (offsets), and {kind} is a slow one; {remedy}"
        )


def _words(words: Sequence[Any], spaced: bool) -> list[str]:
    return [f" {word}" if spaced and word else str(word) for word in words]


def _wants_spaces(processor: Any) -> bool:
    """Whether a word is another token after a space than in a list of words (GPT-2, RoBERTa): it is given its space."""
    after = processor("a a", add_special_tokens=False)["input_ids"]
    listed = processor(["a", "a"], is_split_into_words=True, add_special_tokens=False)["input_ids"]
    return bool(after != listed)


def _marks_pieces(processor: Any) -> bool:
    """Whether the vocabulary tells words from pieces inside words (##ing)."""
    return bool(getattr(processor.backend_tokenizer.model, "continuing_subword_prefix", None))


def _words_between_spaces(text: str, offsets: Sequence[tuple[int, int]], ids: Sequence[int], unknown: Any) -> list[int]:
    """Each token's word where the vocabulary does not tell: words end at spaces, as in transformers' pipeline."""
    words, word = [], 0
    for (start, _), token in zip(offsets, ids, strict=True):
        inside = start > 0 and " " not in text[start - 1 : start + 1] and token != unknown
        word += not inside
        words.append(word)
    return words
