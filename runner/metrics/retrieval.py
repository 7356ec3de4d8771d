"""Whether a query finds its documents among those of all rows."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from runner.metrics.estimate import known, mean
from runner.types import Estimate, Row, Scores

BLOCK = 256  # queries at a time
CUTS = (1, 5, 10)  # of recall; Järvelin and Kekäläinen 2002 for the gain, at 10


@dataclass(frozen=True)
class Retrieval:
    """Each row's document is right for its query; rows of the same query are one query with several right documents.

    The documents are those of all rows, each once, ranked by the dot product of the vectors: the cosine where they have
    length 1. A wrong document that is as near as a right one ranks before it. Intervals are over queries.
    """

    def numbers(self) -> Mapping[str, bool]:
        """See Metric."""
        return {"ndcg_10": True, "mrr": True, **{f"recall_{cut}": True for cut in CUTS}}

    def score(self, row: Row, prediction: Any) -> Scores:
        """query and document, the vectors; query_key and key, which tell equal texts."""
        if not isinstance(prediction, Mapping) or not {"query", "document"} <= prediction.keys():
            return {}
        if row.get("query") is None or row.get("document") is None:
            return {}
        vectors = {name: list(prediction[name]) for name in ("query", "document")}
        return {**vectors, "query_key": _key(row["query"]), "key": _key(row["document"])}

    def summarise(self, scores: Iterable[Scores]) -> Mapping[str, Estimate]:
        """ndcg_10, mrr, recall_1, recall_5, recall_10."""
        queries, documents = Vectors(), Vectors()
        right: list[set[int]] = []  # documents of each query
        for one in scores:
            if "query_key" in one:
                query = queries.add(one["query_key"], one["query"])
                document = documents.add(one["key"], one["document"])
                if query == len(right):
                    right.append(set())
                right[query].add(document)
        if not right:
            return {}
        found: dict[str, list[float]] = {name: [] for name in self.numbers()}
        for ranks in ranked(queries.table(), documents.table(), right):
            for name, value in _values(ranks).items():
                found[name].append(value)
        chance = at_random([len(one) for one in right], len(documents.places))
        return {name: known(mean(values).share(), random=chance[name]) for name, values in found.items()}


class Vectors:
    """Vectors by key, each kept once, in float32."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}
        self._numbers = array("f")

    def add(self, key: str, vector: Sequence[float]) -> int:
        """The place of the key's vector."""
        if key not in self.places:
            self.places[key] = len(self.places)
            self._numbers.extend(vector)
        return self.places[key]

    def table(self) -> Any:
        """(vectors, dimensions)."""
        import numpy as np

        return np.frombuffer(self._numbers, dtype=np.float32).reshape(len(self.places), -1)


def ranked(queries: Any, documents: Any, right: Sequence[set[int]]) -> Iterable[Any]:
    """For each query the ranks of its right documents, from 1, rising."""
    import numpy as np

    for start in range(0, len(queries), BLOCK):
        near = queries[start : start + BLOCK] @ documents.T
        lists = [sorted(one) for one in right[start : start + BLOCK]]
        firsts = near[np.arange(len(lists)), [one[0] for one in lists]]
        above = (near >= firsts[:, None]).sum(axis=1)
        for at, own in enumerate(lists):
            if len(own) == 1:
                yield above[at : at + 1]
            else:
                scores = np.sort(near[at, own])[::-1]
                others = np.sort(np.delete(near[at], own))
                yield len(others) - np.searchsorted(others, scores, "left") + np.arange(1, len(own) + 1)


def at_random(counts: Sequence[int], documents: int) -> dict[str, float]:
    """What a random order comes to, of queries with so many right documents each."""
    import numpy as np

    places = np.arange(1, documents + 1)
    found = dict.fromkeys(("ndcg_10", "mrr", *(f"recall_{cut}" for cut in CUTS)), 0.0)
    for count, times in zip(*np.unique(counts, return_counts=True), strict=True):
        share = float(times) / len(counts)
        hit = np.minimum(count / (documents - places + 1), 1.0)  # at a place, if there was none before
        first = hit * np.concatenate([[1.0], np.cumprod(1 - hit)[:-1]])
        gain = count / documents * _discounts(min(documents, 10)).sum() / _discounts(min(count, 10)).sum()
        found["mrr"] += share * float((first / places).sum())
        found["ndcg_10"] += share * float(gain)
        for cut in CUTS:
            found[f"recall_{cut}"] += share * min(cut, documents) / documents
    return found


def _values(ranks: Any) -> dict[str, float]:
    count = len(ranks)
    gain = _discounts(10)[ranks[ranks <= 10] - 1].sum() / _discounts(min(count, 10)).sum()
    recalls = {f"recall_{cut}": float((ranks <= cut).sum()) / count for cut in CUTS}
    return {"ndcg_10": float(gain), "mrr": 1 / float(ranks[0]), **recalls}


def _discounts(count: int) -> Any:
    """Of the gain at the places from 1."""
    import numpy as np

    return 1 / np.log2(np.arange(2, count + 2))


def _key(text: Any) -> str:
    return blake2b(str(text).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
