"""How long a prompt or another text may be, and what is done with a longer one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.decode import DEFAULT_NEW_TOKENS, DecodeConfig
from runner.encode.fit import NOTE
from runner.errors import DataError
from runner.predictions import TREATED
from runner.types import Features, Model, Row

REMEDY = "data.on_long_row=truncate cuts {} {}, skip leaves {} out"
SHOWN = 3  # long prompts named in an error


@dataclass(frozen=True)
class Room:
    """The tokens that prompt and answer have together."""

    limit: int | None  # tokens; None: no end
    law: str  # what sets it, for messages
    new: int  # tokens that a prompt which is cut leaves to its answer
    starts: frozenset[int]  # tokens that begin a text and stay when its beginning is cut off

    @staticmethod
    def of(model: Model, decode: DecodeConfig) -> Room:
        """The network's context or decode.max_length, whichever is shorter.

        decode.max_new_tokens says what a cut leaves room for; else it is what is usual, at most half of all.
        """
        from runner.engine.decoding import effective

        limit, law = model.context, f"the context of {model.name} is {model.context}"
        wanted = effective(model, decode)
        if wanted.max_new_tokens is None and wanted.max_length < (limit or wanted.max_length + 1):
            limit, law = wanted.max_length, f"decode.max_length is {wanted.max_length}, prompt included"
        most = limit or 0
        new = min(wanted.max_new_tokens or DEFAULT_NEW_TOKENS, most // 2)
        if decode.max_new_tokens is not None:
            new = min(decode.max_new_tokens, most - 2)
        tokens = (getattr(model.processor, f"{name}_token_id", None) for name in ("bos", "cls"))
        return Room(limit, law, max(new, 1), frozenset(token for token in tokens if token is not None))

    def problem(self, ids: list[int]) -> str | None:
        """Why a prompt leaves no room for a new token; None when it leaves some."""
        if self.limit is None or len(ids) < self.limit:
            return None
        return f"the prompt has {len(ids)} tokens, {self.law}"

    def cut(self, ids: list[int]) -> list[int]:
        """The end of a prompt, behind its start token if it has one.

        Raises:
            DataError: there is no room for a prompt of one token and a new one.
        """
        keep = (self.limit or 0) - self.new
        if keep < 1:
            raise DataError(f"no prompt leaves room for a new token: {self.law}")
        start = ids[:1] if ids[0] in self.starts and keep > 1 else []
        return start + ids[len(ids) - keep + len(start) :]


def fitted(rows: Sequence[Row], encoded: Sequence[Features], room: Room, on_long_row: str) -> list[Features]:
    """The prompts of a window, all of them looked at before one is answered.

    One that is too long is cut, or has no input_ids if it is left out; its note says so.

    Raises:
        DataError: one is too long and data.on_long_row is error.
    """
    problems = [room.problem(features["input_ids"]) for features in encoded]
    long = [(row, problem) for row, problem in zip(rows, problems, strict=True) if problem is not None]
    if long and on_long_row not in TREATED:
        raise DataError(_told([f"{row.get('place', row['row'])}: {problem}" for row, problem in long], len(rows)))
    prompts = []
    for features, problem in zip(encoded, problems, strict=True):
        if problem is not None:
            ids = room.cut(features["input_ids"]) if on_long_row == "truncate" else []
            features = {"input_ids": ids, "note": f"{TREATED[on_long_row]}: {problem}"}
        prompts.append(features)
    return prompts


def cut(rows: Sequence[Row], encoded: list[list[Features]], on_long_row: str) -> list[str | None]:
    """For each row of a window why it was cut or left out, if it was; what is left out loses its features.

    Texts were cut at their end where they were encoded.

    Raises:
        DataError: one was cut and data.on_long_row is error.
    """
    found = [next((f["aside"][NOTE] for f in features if NOTE in f.get("aside", ())), None) for features in encoded]
    long = [(row, problem) for row, problem in zip(rows, found, strict=True) if problem is not None]
    if long and on_long_row not in TREATED:
        told = [f"{row.get('place', row['row'])}: {problem}" for row, problem in long]
        raise DataError(_told(told, len(rows), "text", "end"))
    if on_long_row == "skip":
        for at, problem in enumerate(found):
            encoded[at] = encoded[at] if problem is None else []
    return [None if problem is None else f"{TREATED[on_long_row]}: {problem}" for problem in found]


def _told(problems: Sequence[str], rows: int, noun: str = "prompt", side: str = "beginning") -> str:
    if len(problems) == 1:
        return f"{problems[0]}; {REMEDY.format('its', side, 'it')}"
    more = [f"... and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
    closing = f"{len(problems)} of {rows} {noun}s are too long; {REMEDY.format('their', side, 'them')}"
    return "\n".join([*problems[:SHOWN], *more, closing])
