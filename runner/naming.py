"""What a run directory is called: <checkpoint>-<what was asked for>-<fingerprint>."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from runner.config import Config
from runner.fingerprint import FREE, determining

SAFE = re.compile(r"[^\w.=+-]+")  # no comma: on the command line it would make a sweep of a path
HUMAN = 60  # most characters that tell what was asked for
LONGEST = 100  # most bytes of each part: file systems take 255 for the whole


def directory_name(config: Config, overrides: Sequence[str], fingerprint: str) -> str:
    """A name for people; the fingerprint alone tells runs apart."""
    checkpoint = config.checkpoint
    source = checkpoint.name_or_path or (checkpoint.architecture or {}).get("model_type", "random")
    name = safe(str(source).rstrip("/").rpartition("/")[2][:40]) or "checkpoint"
    return "-".join(part for part in (name, _human(config, overrides), fingerprint) if part)


def safe(text: str) -> str:
    """What a directory may be named after: no separators, no dots at the ends, not too long."""
    return SAFE.sub("_", text).encode(errors="ignore")[:LONGEST].decode(errors="ignore").strip("_.-")


def _human(config: Config, overrides: Sequence[str]) -> str:
    """The seed, then as many whole options as there is room for; one that is too long alone is cut."""
    said = [*([f"seed={config.seed}"] if config.seed else []), *_said(config, overrides)]
    kept: list[str] = []
    for text in said:
        if len("-".join([*kept, text])) <= HUMAN:
            kept.append(text)
    return "-".join(kept or [safe(text[:HUMAN]) for text in said[:1]])


def _said(config: Config, overrides: Sequence[str]) -> Iterator[str]:
    """Every option that determines the result, without its section where no other section has its name."""
    values = determining(config)
    names = Counter(field.name for section in _schema() for field in dataclasses.fields(section))
    for text in overrides:
        key, _, value = text.lstrip("+~").partition("=")
        section, _, option = key.partition(".")
        first = option.partition(".")[0]
        if section in ("checkpoint", "seed") or key == "task" or (key in FREE and FREE[key] is None):
            continue
        if option and first not in values.get(section, {}):
            continue
        value = value.rstrip("/").rpartition("/")[2] if key == "data.path" else value
        yield safe(f"{option if names[first] == 1 else key}={value}")


def _schema() -> Iterator[type]:
    """The whole, and its sections."""
    yield Config
    for field in dataclasses.fields(Config):
        if isinstance(field.default_factory, type):
            yield field.default_factory
