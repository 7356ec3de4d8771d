"""The vectors of all rows as one file, and the nearest neighbours of each row."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.files import replacing
from runner.types import Export

BLOCK = 512  # rows that are compared with all others at a time


@dataclass(frozen=True)
class Vectors(Export):
    """embeddings.npy or embeddings.parquet, and neighbours.jsonl.

    Fields:
        format: npy (a float32 array, a line a row), parquet (columns row and embedding), or none.
        neighbours: so many other rows with the highest cosine are named for each row; 0: none.
    """

    format: str = "npy"
    neighbours: int = 0

    def __post_init__(self) -> None:
        if self.format not in ("npy", "parquet", "none"):
            raise ValueError(f"format must be npy, parquet or none, but got {self.format}")
        if self.neighbours < 0:
            raise ValueError(f"neighbours >= 0 must hold, but got {self.neighbours}")

    def __call__(self, directory: Path, lines: Iterable[Mapping[str, Any]]) -> list[str]:
        """Written from predictions.jsonl; the names of the files. Vectors of tokens stay where they are."""
        import numpy as np

        rows, flat, width = [], [], 0
        for line in lines:
            vector = (line["prediction"] or {}).get("embedding")
            if vector and not isinstance(vector[0], list):
                rows.append(line["row"])
                flat.append(np.asarray(vector, dtype=np.float32))
                width = len(vector)
        if not rows:
            return []
        matrix = np.stack(flat) if width else np.zeros((0, 0), dtype=np.float32)
        written = []
        if self.format == "npy":
            with replacing(directory / "embeddings.npy", binary=True) as file:
                np.save(file, matrix)
            written.append("embeddings.npy")
        elif self.format == "parquet":
            written.append(_parquet(directory, rows, matrix))
        if self.neighbours:
            written.append(self._neighbours(directory, rows, matrix))
        return written

    def _neighbours(self, directory: Path, rows: list[int], matrix: Any) -> str:
        import numpy as np

        lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
        unit = matrix / np.maximum(lengths, 1e-12)
        with replacing(directory / "neighbours.jsonl") as file:
            for begin in range(0, len(rows), BLOCK):
                cosines = unit[begin : begin + BLOCK] @ unit.T
                for at, line in enumerate(cosines, start=begin):
                    line[at] = -np.inf  # not itself
                    best = np.argsort(-line, kind="stable")[: min(self.neighbours, len(rows) - 1)]
                    near = [{"row": rows[i], "cosine": round(float(line[i]), 6)} for i in best]
                    file.write(json.dumps({"row": rows[at], "neighbours": near}) + "\n")
        return "neighbours.jsonl"


def _parquet(directory: Path, rows: list[int], matrix: Any) -> str:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"row": rows, "embedding": pa.FixedSizeListArray.from_arrays(matrix.ravel(), matrix.shape[1])})
    with replacing(directory / "embeddings.parquet", binary=True) as file:
        pq.write_table(table, file)
    return "embeddings.parquet"
