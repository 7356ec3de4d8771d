"""The data slices that come with the package."""

from pathlib import Path

from runner.errors import DataError, nearest

ASSETS = Path(__file__).resolve().parents[1] / "assets" / "data"


def asset(name: str) -> Path:
    """The file or folder behind `asset:<name>`, e.g. poems_small or poems_small/test.jsonl.

    Raises:
        DataError: when the package holds no such data.
    """
    path = ASSETS / name
    inside = ".." not in path.parts and path.is_relative_to(ASSETS) and path != ASSETS
    if inside and path.exists():
        return path
    known = sorted(p.name for p in ASSETS.iterdir()) if ASSETS.is_dir() else []
    raise DataError(f"asset:{name} is not among the embedded data; {nearest(name, known)}")
