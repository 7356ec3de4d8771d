"""What is told of a mistake in a YAML file: the file, the key, what it must be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_type_hints

from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from runner.config import Config
from runner.errors import nearest

MISTAKES = (  # in YAML
    HydraException,
    OmegaConfBaseException,
    YAMLError,
    ImportError,
    OSError,
    ValueError,
    TypeError,
    RecursionError,
)
PLACE = re.compile(
    r"In '(?P<name>[^']+)': \w+ raised while composing config:\n(?P<reason>[^\n]*)\n\s*full_key: *(?P<key>.*)"
)
NOT_KEYS = re.compile(r"Merge error: .* is not a subclass of (?P<kind>\w+)\. value: (?P<value>.*)")


def told_of_file(error: Exception, groups: Sequence[str]) -> str:
    """Of an error that composing these groups has raised."""
    if isinstance(error, RecursionError):
        return f"{' '.join(groups)}  cannot be composed: the defaults of its files name one another"
    merged = str(error).strip().partition("Error merging override ")[2]
    if merged and error.__cause__ is not None:
        return f"{merged}  {first_line(error.__cause__)}"  # type: ignore[arg-type]
    place = PLACE.match(str(error).strip())
    if place is None and str(error).strip():
        return first_line(error)
    if place is None:
        return f"{' '.join(groups)}  cannot be composed: {first_line(error.__cause__ or error)}"  # type: ignore[arg-type]
    file, reason, key = f"{place['name']}.yaml", place["reason"], place["key"].strip()
    group = place["name"].partition("/")[0]
    if reason.startswith("Key ") and key == group:
        return f"{file}  its first line must be '# @package _global_': {group} is no key of its own"
    if reason.startswith("Key "):
        known = every_key(OmegaConf.to_container(OmegaConf.structured(Config)))
        return f"{file}  {key}: no such key; {nearest(key, list(known))}"
    if held := NOT_KEYS.match(reason):
        section = next((name for name, kind in get_type_hints(Config).items() if kind.__name__ == held["kind"]), "it")
        return f"{file}  {section}: must hold keys, but got {held['value']}"
    if reason.endswith("is not Optional"):
        return f"{file}  {key}: must not be null: leave it out, or give it its keys or a value"
    return f"{file}  {f'{key}: ' if key else ''}{reason}"


def every_key(values: Any, path: str = "") -> Iterator[str]:
    """The keys of nested values, each as it is said on the command line."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            where = f"{path}.{key}" if path else str(key)
            yield where
            yield from every_key(value, where)


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    if isinstance(error, YAMLError):
        return " ".join(str(error).split())
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
