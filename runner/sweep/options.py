"""How the jobs of a sweep are made and treated; nothing here changes what a job is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.errors import ConfigError, nearest

TOP = ("seeds", "dry_run", "on_error")  # said without `sweep.`
FORMS = {  # of options that are no single value
    "tied": "'sweep.tied=[[train.learning_rate,train.max_steps]]'",
    "when": "sweep.when.decode.top_p=decode.do_sample=true",
    "constraints": """'hydra.sweeper.constraints=["seconds<=10"]'""",
}
POLICIES = {"done": ("skip", "redo"), "failed": ("retry", "skip")}


@dataclass(frozen=True)
class SweepConfig:
    """What is said of a sweep as a whole.

    Fields:
        seeds: every point is run with so many seeds, from `seed` on.
        dry_run: list the jobs, what would be skipped and about how long the others take; run none.
        on_error: continue; stop after the first failure; or the share of jobs that may fail before the sweep stops.
        resume: the directory of a sweep that goes on as it was planned.
        show: the directory of a sweep whose results are shown.
        name: a human name, kept in the directory's.
        metric: the number by which the jobs are ordered; null: the first of the task.
        done: skip | redo: what is done with jobs that have been done before.
        failed: retry | skip: with those that failed before.
        attempts: how often a job is begun that ends for a cause that may pass (killed, no network, a busy disk).
        wait_s: seconds before the second attempt, twice as many before each further one.
        tied: lists of keys whose values move together, the first with the first.
        when: key -> key=value: the first is varied only where the second holds.
    """

    seeds: int | None = None
    dry_run: bool = False
    on_error: str = "continue"
    resume: str | None = None
    show: str | None = None
    name: str | None = None
    metric: str | None = None
    done: str = "skip"
    failed: str = "retry"
    attempts: int = 2
    wait_s: float = 2.0
    tied: list[list[str]] = field(default_factory=list)
    when: dict[str, str] = field(default_factory=dict)

    @property
    def bearable(self) -> float:
        """The share of jobs that may fail before the sweep stops."""
        return float({"continue": "1", "stop": "0"}.get(self.on_error, self.on_error))


LAWS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "seeds": ("seeds >= 1", lambda v: v >= 1),
    "on_error": ("continue, stop, or a share from 0 to 1", lambda v: v in ("continue", "stop") or _is_share(v)),
    "attempts": ("attempts >= 1", lambda v: v >= 1),
    "wait_s": ("wait_s >= 0", lambda v: v >= 0),
} | {
    name: (f"one of {', '.join(known)}", lambda v, known=known: v in known) for name, known in POLICIES.items()
}  # fmt: skip


def split(overrides: Sequence[str], several: bool = True) -> tuple[SweepConfig, list[str]]:
    """What is said of the sweep, and the overrides of its jobs; `several`: whether it is one for certain.

    Raises:
        ConfigError: naming every option of a sweep that cannot be used.
    """
    own = {text: key for text in overrides if (key := key_of(text)) is not None}
    rest = [text for text in overrides if text not in own]
    values: dict[str, Any] = {}
    found: list[str] = []
    known = [one.name for one in dataclasses.fields(SweepConfig)]
    for text, key in own.items():
        name = key.removeprefix("sweep.")
        if name.partition(".")[0] not in known or (name in TOP) != (name == key):
            said = f" ({', '.join(TOP)} stand without sweep.)" if name in TOP else ""
            found.append(f"{key}  no such key; {nearest(name, known)}{said}")
        else:
            try:
                _put(values, name, value_of(text))
            except ConfigError as error:
                found += error.problems
    if any(text.lstrip("+").startswith("rerun=") for text in rest) and (own or several):
        found.append("rerun  is said of a sweep by sweep.done=redo")
    if found:
        raise ConfigError(found)
    return _checked(values), rest


def spelled(name: str) -> str:
    """An option as it is said on the command line."""
    return name if name in TOP else f"sweep.{name}"


def key_of(text: str) -> str | None:
    """The key of an override that is said of the sweep; None for those of its jobs."""
    key = text.lstrip("+").partition("=")[0]
    return key if key in TOP or key == "sweep" or key.startswith("sweep.") else None


def value_of(text: str) -> Any:
    """The one value that an override gives; raises ConfigError."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    from runner.grammar import quoted_text

    try:
        override = OverridesParser.create().parse_override(quoted_text(text))
    except (HydraException, RecursionError) as error:
        raise ConfigError(f"{text[:200]}  cannot be read: write key=value") from error
    if override.is_sweep_override():
        raise ConfigError(f"{text}  is one value for the whole sweep")
    return override.value()


def _put(values: dict[str, Any], name: str, value: Any) -> None:
    """`when.decode.top_p=...` gives one key of a dictionary."""
    first, _, rest = name.partition(".")
    if rest:
        values.setdefault(first, {})[rest] = value
    else:
        values[first] = value


def typed(schema: Any, values: Mapping[str, Any], say: Callable[[str], str]) -> Any:
    """A structured configuration with these values, in place.

    Raises:
        ConfigError: naming each that is of another type; `say` tells how its name is said.
    """
    from omegaconf.errors import OmegaConfBaseException

    found = []
    for name, value in values.items():
        try:
            schema[name] = value
        except OmegaConfBaseException as error:
            form = f"; e.g. {FORMS[name]}" if name in FORMS else ""
            found.append(f"{say(name)}  {str(error).splitlines()[0]}{form}")
    if found:
        raise ConfigError(found)
    return schema


def _checked(values: dict[str, Any]) -> SweepConfig:
    from omegaconf import OmegaConf

    schema = OmegaConf.structured(SweepConfig)
    OmegaConf.set_readonly(schema, False)
    typed(schema, values, spelled)
    found = []
    made: SweepConfig = OmegaConf.to_object(schema)  # type: ignore[assignment]
    for name, (law, holds) in LAWS.items():
        value = getattr(made, name)
        if value is not None and not holds(value):
            found.append(f"{spelled(name)}  {law} must hold, but got {value}")
    if found:
        raise ConfigError(found)
    return made


def _is_share(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False
