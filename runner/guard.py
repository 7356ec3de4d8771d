"""What a configuration may not hold: it is data, whoever wrote it, and costs no more than its size."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.errors import ConfigError

LARGEST = 256 * 1024  # bytes of a YAML file
MOST_NODES = 20_000  # of a YAML file with every alias written out
DEEPEST = 50  # collections inside one another
MOST_INTERPOLATIONS = 20  # ${...} in a configuration: each may multiply the others
SECRET_NAME = re.compile(r"token|secret|passw|credential|key|auth", re.I)  # environment variables not to be copied
TAGS = {"!"} | {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "map", "seq")}
CODE = ("_target_", "_partial_", "_args_", "_recursive_", "_convert_")  # what Hydra's instantiate acts on
FIXED = {  # the parts of Hydra's own section that would run code or write files
    "callbacks": {},
    "hydra_logging": {"version": 1, "root": None, "disable_existing_loggers": False},
    "job_logging": {"version": 1, "root": None, "disable_existing_loggers": False},
    "run": {"dir": "."},
    "sweep": {"dir": "${output_dir}", "subdir": "."},
    "output_subdir": None,
}
DEFAULT = {
    "launcher": "hydra_plugins.runner_sweep.local.LocalLauncher",
    "sweeper": "hydra_plugins.runner_sweep.grid.GridSweeper",
}
PLUGIN = re.compile(r"hydra_plugins(\.\w+)+|hydra\._internal\.core_plugins(\.\w+)+")


def check_folder(folder: Path) -> None:
    """Refuse YAML groups that would not be read in bounded time and memory; nothing is expanded to find out.

    Raises:
        ConfigError: the folder is none, or naming every such file.
    """
    try:
        if not folder.is_dir():
            raise ConfigError(f"--config-dir {folder} is not a folder")
    except OSError as error:
        raise ConfigError(f"--config-dir {str(folder)[:200]} cannot be read: {error.strerror}") from error
    if not os.access(folder, os.R_OK | os.X_OK):
        raise ConfigError(f"--config-dir {folder} cannot be read: Permission denied")
    found = [f"{path}  {why}" for path in sorted(folder.rglob("*.yaml")) if (why := _unreadable(path))]
    if found:
        raise ConfigError(found)


def hydra_problems(section: Mapping[str, Any], plugins: bool) -> list[str]:
    """What Hydra's own section holds besides our values; `plugins`: whether a launcher or sweeper may be chosen."""
    found = [f"hydra.{key}  is fixed: leave it out" for key, value in FIXED.items() if section.get(key) != value]
    job = section["job"]
    found += [f"hydra.job.{key}  is fixed: leave it out" for key in ("env_set", "env_copy", "chdir") if job[key]]
    for part in ("launcher", "sweeper"):
        targets = list(_targets(section[part]))
        if not all(PLUGIN.fullmatch(str(target)) for target in targets):
            found.append(f"hydra.{part}._target_  names no plugin of Hydra: choose one with hydra/{part}=<name>")
        elif not plugins and targets != [DEFAULT[part]]:
            found.append(f"hydra.{part}  is chosen on the command line: hydra/{part}=<name>")
    return found


def code_problems(values: Any, path: str = "") -> Iterator[str]:
    """Keys that name code in a place where nothing is built from a name."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            where = f"{path}.{key}" if path else str(key)
            if key in CODE:
                yield f"{where}  names code: only task.* and decode.rule are built from a class"
            else:
                yield from code_problems(value, where)
    elif isinstance(values, list | tuple):
        for value in values:
            yield from code_problems(value, path)


def interpolation_problems(values: Any) -> list[str]:
    """Interpolations that could grow without bound in one another, or that look into Hydra."""
    texts = list(_strings(values))
    if any(re.search(r"(?<!\\)(\\\\)*\$\{\s*hydra\s*:", text) for text in texts):
        return ["configuration  ${hydra:...} is not read here: Hydra's own section is fixed"]
    count = sum(len(before) % 2 == 0 for text in texts for before in re.findall(r"(\\*)\$\{", text))
    if count <= MOST_INTERPOLATIONS:
        return []
    return [f"configuration  at most {MOST_INTERPOLATIONS} interpolations (${{...}}) must hold, but got {count}"]


def environment(name: str, default: str | None = "") -> str | None:
    """The resolver behind ${oc.env:NAME,default}; secrets are not copied into configurations."""
    if SECRET_NAME.search(name):
        raise ValueError(f"{name} looks like a secret: it is read from the environment where it is needed")
    if name not in os.environ and default == "":
        raise ValueError(f"environment variable {name} is not set")
    return os.environ.get(name, default)


def _unreadable(path: Path) -> str | None:
    from yaml import YAMLError

    try:
        if not path.is_file():
            return "is no file: a link that leads nowhere, a folder, or a pipe"
        size = path.stat().st_size
        if size > LARGEST:
            return f"is {size:,} bytes long: a configuration file has at most {LARGEST:,}"
        text = path.read_text(encoding="utf-8")
        if nodes(text) > MOST_NODES:
            return f"holds more than {MOST_NODES:,} values when its aliases are written out"
        return _no_keys(text)
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    except (YAMLError, ValueError) as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        return f"is no YAML: {f'line {mark.line + 1}: {problem}' if mark else ' '.join(str(error).split())}"


def _no_keys(text: str) -> str | None:
    """Told of a document that is no mapping; raises YAMLError for a key that stands twice."""
    import yaml
    from omegaconf._utils import get_yaml_loader

    values = yaml.load(text, Loader=get_yaml_loader())
    if isinstance(values, dict) or (values is None and text.strip()):  # comments alone: a choice that sets nothing
        return None
    held = "is empty" if values is None else f"holds a {'list' if isinstance(values, list) else 'single value'}"
    return f"{held}: it must hold keys, e.g. seed: 1"


def nodes(text: str) -> int:
    """Values of a YAML document with every alias written out, counted without writing them out."""
    import yaml

    sizes: dict[str, int] = {}  # of finished anchors
    open_: list[tuple[str | None, int]] = [(None, 0)]  # anchor and size of each collection around the event
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        tag = getattr(event, "tag", None)
        if tag is not None and tag not in TAGS:
            raise ValueError(f"the tag {tag!r} is not read here")
        if isinstance(event, yaml.CollectionStartEvent):
            open_.append((event.anchor, 1))
            if len(open_) > DEEPEST:
                raise ValueError(f"it is nested more than {DEEPEST} deep")
            continue
        if isinstance(event, yaml.AliasEvent):
            anchor, size = None, sizes.get(event.anchor, MOST_NODES + 1)  # an alias inside its own anchor never ends
        elif isinstance(event, yaml.ScalarEvent):
            anchor, size = event.anchor, 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_.pop()
        else:
            continue
        if anchor is not None:
            sizes[anchor] = size
        around, before = open_[-1]
        open_[-1] = (around, before + size)
    return open_[0][1]


def _targets(values: Any) -> Iterator[Any]:
    if isinstance(values, Mapping):
        for key, value in values.items():
            if key == "_target_":
                yield value
            else:
                yield from _targets(value)
    elif isinstance(values, Sequence) and not isinstance(values, str):
        for value in values:
            yield from _targets(value)


def _strings(values: Any) -> Iterator[str]:
    if isinstance(values, str):
        yield values
    elif isinstance(values, Mapping):
        for key, value in values.items():
            yield from _strings(key)
            yield from _strings(value)
    elif isinstance(values, Sequence):
        for value in values:
            yield from _strings(value)
