"""ROUGE of one text against another (Lin 2004): F-measures of n-grams and of longest common subsequences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from runner.cjk import CJK

# Of ASCII letters and digits the words of the package rouge-score, which knows no other letters; here they make words,
# too, and a Chinese or Japanese character is a word of its own.
TOKEN = re.compile(rf"[{CJK}\u3040-\u30ff]|[^\W_{CJK}\u3040-\u30ff]+")
MARK = re.compile(r"[\u3000-\u3004\u3008-\u3020\u3030\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]")


def rouge(reference: str, text: str) -> Mapping[str, float]:
    """rouge1, rouge2, rougeL and rougeLsum, in 0 to 1; rougeLsum takes lines for sentences."""
    gold, found = tokens(reference), tokens(text)
    return {
        "rouge1": _ngrams(gold, found, 1),
        "rouge2": _ngrams(gold, found, 2),
        "rougeL": _f(len(common_subsequence(gold, found)), len(gold), len(found)),
        "rougeLsum": _summary(*([tokens(line) for line in side.split("\n")] for side in (reference, text))),
    }


def tokens(text: str) -> list[str]:
    """Words in lower case, Chinese characters one by one, no punctuation."""
    return TOKEN.findall(MARK.sub(" ", text.lower()))


def common_subsequence(gold: Sequence[str], found: Sequence[str]) -> list[int]:
    """Positions in `gold` of a longest common subsequence: of several, that of the table read from its end.

    Row i of the table of lengths is kept as bits, 0 where the length grows (Hyyro 2004, bit-parallel LCS).
    """
    where: dict[str, int] = {}
    for at, token in enumerate(found):
        where[token] = where.get(token, 0) | 1 << at
    full = (1 << len(found)) - 1
    rows = [full]
    for token in gold:
        row = rows[-1]
        match = row & where.get(token, 0)
        rows.append(((row + match) | (row - match)) & full)
    grown = [full & ~row for row in rows]
    i, j, positions = len(gold), len(found), []
    while i and j:
        if gold[i - 1] == found[j - 1]:
            i, j = i - 1, j - 1
            positions.append(i)
        elif _length(grown[i], j - 1) > _length(grown[i - 1], j):
            j -= 1
        else:
            i -= 1
    return positions[::-1]


def _length(grown: int, j: int) -> int:
    """The length for the first j tokens, from the row's bits."""
    return (grown & ((1 << j) - 1)).bit_count()


def _ngrams(gold: Sequence[str], found: Sequence[str], n: int) -> float:
    first, second = (Counter(zip(*(side[at:] for at in range(n)), strict=False)) for side in (gold, found))
    return _f((first & second).total(), first.total(), second.total())


def _summary(gold: Sequence[Sequence[str]], found: Sequence[Sequence[str]]) -> float:
    """Lin 2004, section 3.2: the union of each line's subsequences, no token counted more often than it occurs."""
    left = [Counter(token for line in side for token in line) for side in (gold, found)]
    sizes = [side.total() for side in left]
    hits = 0
    for line in gold:
        for at in sorted({at for other in found for at in common_subsequence(line, other)}):
            if all(side[line[at]] > 0 for side in left):
                hits += 1
                for side in left:
                    side[line[at]] -= 1
    return _f(hits, *sizes)


def _f(hits: int, gold: int, found: int) -> float:
    return 2 * hits / (gold + found) if hits else 0.0
