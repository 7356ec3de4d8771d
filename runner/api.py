"""The Python face of the runner: one call that does exactly what the command line does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runner.grammar import quoted

if TYPE_CHECKING:
    from runner.experiment import Result
    from runner.types import Observer


def run(
    task: str,
    *,
    checkpoint: str | Mapping[str, Any] | None = None,
    prompts: Sequence[str] | None = None,
    data: str | Mapping[str, Any] | None = None,
    observer: Observer | None = None,
    overrides: Sequence[str] = (),
    **sections: Any,
) -> Result:
    """Run one experiment and return its `Result`: directory, metrics, predictions.

    Args:
        task: a choice of the task group, e.g. "causal_lm".
        checkpoint: an embedded name, a folder, a hub id, or the options of the checkpoint section.
        prompts: rows given here (data.prompts).
        data: a file, a folder, a hub id (data.path), or the options of the data section.
        observer: told about phases, answers and progress; by default nobody is.
        overrides: further overrides in Hydra's grammar, as on the command line ("train=full").
        sections: options by section, e.g. decode={"do_sample": True}, seed=3, mode="evaluate".

    Raises:
        RunnerError: as the command line tells it; `exit_code` is what it would return.
    """
    from runner.compose import compose
    from runner.config import freeze
    from runner.experiment import run as run_config
    from runner.log import Silent

    asked = [f"task={task}", *overrides, *_overrides("checkpoint", checkpoint, "name_or_path")]
    asked += _overrides("data", data, "path")
    if prompts is not None:
        asked += _overrides("data", {"prompts": list(prompts)}, "path")
    for section, values in sections.items():
        asked += list(_flat(section, values))
    return run_config(freeze(compose(asked)), observer or Silent(), asked)


def _overrides(section: str, given: str | Mapping[str, Any] | None, main: str) -> list[str]:
    if given is None:
        return []
    return list(_flat(section, {main: given} if isinstance(given, str) else given))


def _flat(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _flat(f"{key}.{name}", inner)
    else:
        yield f"{key}={quoted(value)}"
