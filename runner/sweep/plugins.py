"""The sweeper and the launcher that a sweep was asked to use, and their options."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from runner.compose import composer
from runner.errors import ConfigError, nearest
from runner.secret import url_problem
from runner.sweep.options import typed, value_of

LAUNCHER, SWEEPER = "hydra/launcher", "hydra/sweeper"
OWN = {SWEEPER: ("grid", "search"), LAUNCHER: ("local",)}  # the first of each unless another is chosen
HYDRAS = {  # launchers of Hydra's: the module that has it, and our extra that brings it
    "joblib": ("hydra_plugins.hydra_joblib_launcher", "joblib"),
    "submitit_local": ("hydra_plugins.hydra_submitit_launcher", "submitit"),
    "submitit_slurm": ("hydra_plugins.hydra_submitit_launcher", "submitit"),
    "ray": ("hydra_plugins.hydra_ray_launcher", "ray"),
}
EITHER = "submitit"  # Slurm where there is one, else processes of this machine
ANY = ("n_jobs", "timeout_s", "memory_mb")  # said of any launcher in the same words
OF_JOBS = ("hydra.launcher.timeout_s", "hydra.launcher.memory_mb")  # whoever runs them
PREFIXES = (f"{LAUNCHER}=", f"{SWEEPER}=", "hydra.launcher.", "hydra.sweeper.")


def is_plugin(text: str) -> bool:
    """Whether an override is said of the sweeper or the launcher."""
    return text.lstrip("+").startswith(PREFIXES)


def chosen(plugins: Sequence[str], also: str | None = None) -> tuple[list[str], dict[str, Any]]:
    """The overrides that Hydra is given, and what is said of any launcher: see LocalLauncherConf.

    Raises:
        ConfigError: naming every override that cannot be used.
    """
    given = {text.lstrip("+").partition("=")[0]: text for text in plugins}
    names = {group: given[group].partition("=")[2] if group in given else OWN[group][0] for group in OWN}
    if names[LAUNCHER] == EITHER:
        names[LAUNCHER] = "submitit_slurm" if shutil.which("sbatch") else "submitit_local"
        given[LAUNCHER] = f"{LAUNCHER}={names[LAUNCHER]}"
    found = [problem for group, name in names.items() if (problem := _missing(group, name))]
    found += [problem for key, text in given.items() if (problem := url_problem(key, text.partition("=")[2]))]
    if found:
        raise ConfigError(found)
    limits = {name: given.pop(f"hydra.launcher.{name}", None) for name in ANY}
    with composer(also) as composing:  # where Hydra has found its plugins
        for group, name in names.items():
            start = f"{group.replace('/', '.')}."
            options = [key.removeprefix(start).partition(".")[0] for key in given if key.startswith(start)]
            found += [problem for option in options if (problem := _unknown(group, name, option))]
        if found:
            raise ConfigError(found)
        asked = _limits({name: value_of(text) for name, text in limits.items() if text is not None})
        composing([], list(given.values()))
    return list(given.values()), asked


def before(known: Sequence[str], now: Sequence[str]) -> list[str]:
    """What was said of plugins at an earlier attempt and still counts beside what is said now.

    With another launcher that is what limits a job; how many workers there are is said of the launcher.
    """
    keys, said = ({text.lstrip("+").partition("=")[0]: text for text in texts} for texts in (known, now))
    other = tuple(f"{group.replace('/', '.')}." for group in OWN if group in said and said[group] != keys.get(group))
    kept = [key for key in keys if key not in said and (key in OF_JOBS or not key.startswith(other))]
    return [keys[key] for key in kept]


def _missing(group: str, name: str) -> str | None:
    known = [*OWN[group], *((EITHER, *HYDRAS) if group == LAUNCHER else ())]
    if name not in known:
        return f"{group}={name}  cannot run these jobs; {nearest(name, known)}"
    module, extra = HYDRAS.get(name, ("", "")) if group == LAUNCHER else ("", "")
    if module and not _there(module):
        return f"{group}={name}  needs a package: pip install 'runner[{extra}]'"
    return None


def _there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _unknown(group: str, name: str, option: str) -> str | None:
    options = _options(group, name)
    if option in options:
        return None
    other = next((one for one in OWN[group] if option in _options(group, one)), None)
    shown = [*options, *(ANY if group == LAUNCHER and name not in OWN[group] else ())]
    told = f"{group}={other} has it" if other else nearest(option, shown)
    return f"{group.replace('/', '.')}.{option}  is no option of {group}={name}; {told}"


def _options(group: str, name: str) -> list[str]:
    """Of a plugin, without its class."""
    return [str(option) for option in ConfigStore.instance().load(f"{group}/{name}.yaml").node if option != "_target_"]


def _limits(values: Mapping[str, Any]) -> dict[str, Any]:
    """With the types of our own launcher."""
    schema: Any = OmegaConf.create(ConfigStore.instance().load(f"{LAUNCHER}/local.yaml").node)
    typed(schema, values, lambda name: f"hydra.launcher.{name}")
    return {name: schema[name] for name in ANY}
