"""Batches of items of like length, within a token budget and a bounded window."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def schedule(items: Iterable[T], length: Callable[[T], int], budget_tokens: int, window: int) -> Iterator[list[T]]:
    """Items in batches of at most `budget_tokens` once padded, longest first inside each window of `window` items.

    An item longer than the budget makes a batch of its own. Equal lengths keep their order, so the batches depend on
    nothing but the items. At most `window` items are held.
    """
    source = iter(items)
    while held := list(islice(source, window)):
        held.sort(key=length, reverse=True)
        batch: list[T] = []
        for item in held:
            # the first item of a batch is its longest: every other one is padded to it
            if batch and (len(batch) + 1) * length(batch[0]) > budget_tokens:
                yield batch
                batch = []
            batch.append(item)
        yield batch
