"""A padded batch goes through a network as one row of its texts, side by side; what comes out is padded again.

Attention is computed for each run of texts of like lengths, all other layers see one long row: nothing is computed for
padding, and the products are large.

B texts, T tokens of the longest, N tokens of all, H heads, D head size; a run has n texts of at most L tokens.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from runner.engine.attention import Attending
from runner.engine.trial import REFUSES, remembered, trial

NAME = "texts_side_by_side"
TRIAL = (4, 3, 3, 1)  # lengths of the trial's texts, tokens
AGREE = {torch.float32: 1e-4, torch.float64: 1e-4}  # of the states' largest
ROUGHLY = 5e-2  # the same in a shorter dtype
STEP = 8  # tokens: texts this alike in length are one run where gradients are needed: many small steps are slow there
SHORT = 512  # tokens of a text whose attention is held in memory as a whole
_runs: ContextVar[list[Run]] = ContextVar("the runs of the row")


@contextmanager
def unpadded(network: Any) -> Iterator[None]:
    """Within it batches (B, T) go through the network's body as rows (1, N), where a trial shows that this is the same.

    Whoever calls the network or reads its outputs sees no difference, but that states of padding are zeros.
    """
    row = _tried(network)
    if isinstance(row, str):
        yield
        return
    with row.installed():
        yield


def why_padded(network: Any) -> str | None:
    """Why the network has to see its batches padded; None when a trial with four short texts shows that it need not."""
    found = _tried(network)
    return found if isinstance(found, str) else None


class Row:
    """Hooks around a network's body: before it a batch becomes a row, behind it the row becomes the batch.

    Args:
        network: a PreTrainedModel.
        start: the position of a text's first token, as the network counts.
    """

    def __init__(self, network: Any, start: int):
        self.body = getattr(network, "base_model", network)
        self.start = start
        self.signature = inspect.signature(self.body.forward)
        self.attending = Attending(self.body, NAME, attend)
        self.where: Tensor | None = None  # (B, T) true where there is a token, while the body runs

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Only within this context."""
        before = self.body.register_forward_pre_hook(self._lay, with_kwargs=True)
        behind = self.body.register_forward_hook(self._unlay, with_kwargs=True)
        try:
            yield
        finally:
            before.remove()
            behind.remove()
            self._leave()

    def _lay(self, module: Any, args: Any, kwargs: Any) -> Any:
        given = self.signature.bind(*args, **kwargs).arguments
        given |= given.pop("kwargs", {})
        ids, mask = given.get("input_ids"), given.get("attention_mask")
        known = any(given.get(name) is not None for name in ("position_ids", "past_key_values", "inputs_embeds"))
        if ids is None or known or (mask is not None and mask.shape != ids.shape):
            return None
        self.where = where = torch.ones_like(ids, dtype=torch.bool) if mask is None else mask.bool()
        lengths = [length for length in where.sum(1).tolist() if length]
        row = {
            name: value[where][None] if isinstance(value, Tensor) and value.shape == ids.shape else value
            for name, value in given.items()
        }
        places = [place for length in lengths for place in range(length)]
        row |= {"attention_mask": None, "position_ids": torch.tensor([places], device=ids.device) + self.start}
        if getattr(module.config, "use_cache", None):
            row["use_cache"] = False
        _runs.set(runs_of(lengths, STEP if torch.is_grad_enabled() else 1, ids.device))
        self.attending.__enter__()
        return (), row

    def _unlay(self, module: Any, args: Any, kwargs: Any, outputs: Any) -> Any:
        if self.where is None:
            return None
        where = self.where
        self._leave()
        outputs.last_hidden_state = _padded(outputs.last_hidden_state, where)
        if getattr(outputs, "hidden_states", None):
            outputs.hidden_states = tuple(_padded(states, where) for states in outputs.hidden_states)
        if getattr(outputs, "pooler_output", None) is not None:
            outputs.pooler_output = module.pooler(outputs.last_hidden_state)
        return outputs

    def _leave(self) -> None:
        if self.where is not None:
            self.where = None
            self.attending.__exit__()


@dataclass(frozen=True)
class Run:
    """Neighbouring texts of like lengths, whose attention is computed at once.

    Fields:
        tokens: of all its n texts.
        texts: n.
        length: L, that of the longest.
        places: (n * L,) where in the run each place of the padded texts is; None where all are L long.
        back: (tokens,) where in the padded texts each token of the run is.
        seen: (n, 1, 1, L) true where there is a token.
    """

    tokens: int
    texts: int
    length: int
    places: Tensor | None = None
    back: Tensor | None = None
    seen: Tensor | None = None

    def apart(self, states: Tensor) -> Tensor:
        """(H, tokens, D) to (n, H, L, D)."""
        padded = states if self.places is None else states.index_select(1, self.places)
        return padded.reshape(len(states), self.texts, self.length, -1).transpose(0, 1)

    def together(self, states: Tensor) -> Tensor:
        """(n, H, L, D) to (tokens, H, D)."""
        flat = states.transpose(1, 2).flatten(0, 1)
        return flat if self.back is None else flat.index_select(0, self.back)


def runs_of(lengths: Sequence[int], step: int, device: torch.device) -> list[Run]:
    """Neighbouring texts whose lengths are the same when rounded up to a multiple of `step`."""
    made = []
    for _, group in groupby(lengths, key=lambda length: -(-length // step)):
        of = torch.tensor(list(group), device=device)
        tokens, texts, longest = int(of.sum()), len(of), int(of.max())
        if tokens == texts * longest:
            made.append(Run(tokens, texts, longest))
            continue
        longest = -(-longest // step) * step
        seen = torch.arange(longest, device=device) < of[:, None]
        back = seen.flatten().nonzero()[:, 0]
        places = (seen.flatten().cumsum(0) - 1).clamp(min=0)
        made.append(Run(tokens, texts, longest, places, back, seen[:, None, None]))
    return made


def attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    is_causal: bool | None = None,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention of each text over itself, (1, H, N, D) to (1, N, H, D): the library's attention function."""
    if attention_mask is not None or sliding_window is not None:
        raise ValueError("texts side by side take no mask")
    causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
    runs = _runs.get()
    parts = (torch.split(states[0], [run.tokens for run in runs], dim=1) for states in (query, key, value))
    made = []
    for run, *states in zip(runs, *parts, strict=True):
        q, k, v = map(run.apart, states)
        if q.shape[1] != k.shape[1]:
            k, v = (part.repeat_interleave(q.shape[1] // part.shape[1], dim=1) for part in (k, v))
        made.append(run.together(_attention(q, k, v, run.seen, dropout, scaling, causal)))
    return torch.cat(made)[None], None


def _attention(
    q: Tensor, k: Tensor, v: Tensor, seen: Tensor | None, dropout: float, scale: float | None, causal: bool
) -> Tensor:
    """(n, H, L, D) each; written out where the gradient of the library's takes five times as long."""
    if causal and seen is not None:
        seen = None  # what is behind the last token is seen by nothing that is kept
    if q.requires_grad and q.dtype not in AGREE and q.shape[-2] <= SHORT and q.device.type == "cpu":
        with torch.autocast("cpu", enabled=False):
            scores = (q * (q.shape[-1] ** -0.5 if scale is None else scale)) @ k.transpose(-1, -2)
            if causal:
                later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).triu(1)
                scores = scores.masked_fill(later, -torch.inf)
            elif seen is not None:
                scores = scores.masked_fill(~seen, -torch.inf)
            return functional.dropout(scores.softmax(-1), dropout) @ v
    return functional.scaled_dot_product_attention(
        q, k, v, attn_mask=seen, dropout_p=dropout, scale=scale, is_causal=causal
    )


def _padded(row: Tensor, where: Tensor) -> Tensor:
    """(1, N, ...) to (B, T, ...)."""
    batch = row.new_zeros(*where.shape, *row.shape[2:])
    batch[where] = row[0]
    return batch


def _tried(network: Any) -> Row | str:
    """How batches become rows, or why they cannot; remembered on the network."""
    known = remembered(network, "unpadded", lambda: _try(network))
    return Row(network, known) if isinstance(known, int) else known


def _try(network: Any) -> int | str:
    """The position at which texts start, or why they cannot lie side by side."""
    config = network.config
    if config.is_encoder_decoder:
        return "the network has an encoder"
    if network.device.type != "cpu":
        return "a graphics card wants few large steps"
    if any(type(layer) is not DynamicLayer for layer in DynamicCache(config=config).layers):
        return "its layers keep a window or a state"
    text = config.get_text_config(decoder=True)
    pad: int | None = getattr(text, "pad_token_id", None)
    try:
        with trial(network):
            given, where = _texts(text.vocab_size, pad)
            for start in (0, *([pad + 1] if pad is not None else [])):  # RoBERTa counts from behind its padding's id
                with suppress(IndexError):  # no position is so large
                    if _agree(network, start, given, where):
                        return start
    except REFUSES as error:
        return f"its forward pass refuses them ({type(error).__name__})"
    return "its attention does not stay inside each text"


def _texts(vocabulary: int, pad: int | None) -> tuple[dict[str, Tensor], Tensor]:
    """A padded batch of four texts, and where its tokens are."""
    most = max(TRIAL)
    allowed = [token for token in range(min(vocabulary, 64)) if token != pad]
    rows = [[allowed[(7 * at + length) % len(allowed)] for at in range(most)] for length in TRIAL]
    where = torch.tensor([[at < length for at in range(most)] for length in TRIAL])
    ids = torch.tensor(rows).masked_fill(~where, 0 if pad is None else pad)
    return {"input_ids": ids, "attention_mask": where.long()}, where


def _agree(network: Any, start: int, given: dict[str, Tensor], where: Tensor) -> bool:
    """Whether the states are those of the padded batch, and those of a text the same whatever stands beside it."""
    row = Row(network, start)
    with row.installed():
        found = _states(row.body(**given), where)
        for changed in (0, len(TRIAL) - 1):
            ids = given["input_ids"].clone()
            ids[changed, 0] = ids[1, 1]
            beside = _states(row.body(**given | {"input_ids": ids}), where)
            kept = [at for at in range(len(TRIAL)) if at != changed]
            if not all(_near(beside[at], found[at], 8 * torch.finfo(network.dtype).eps) for at in kept):
                return False
    expected = _states(row.body(**given), where)
    return all(_near(a, b, AGREE.get(network.dtype, ROUGHLY)) for a, b in zip(found, expected, strict=True))


def _near(found: Tensor, expected: Tensor, share: float) -> bool:
    return float((found - expected).abs().max()) <= share * float(expected.abs().max())


def _states(outputs: Any, where: Tensor) -> list[Tensor]:
    """For each text all that comes out of it, tokens and what is pooled, in float32."""
    states = outputs.last_hidden_state
    found = [text[kept].flatten() for text, kept in zip(states, where, strict=True)]
    pooled = getattr(outputs, "pooler_output", None)
    pairs = zip(found, found if pooled is None else pooled, strict=True)
    return [torch.cat([text, whole]).float() for text, whole in pairs]
