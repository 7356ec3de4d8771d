"""Command-line overrides to a composed configuration, every mistake told at once; no heavy imports."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, is_dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, get_type_hints

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from runner.config import Config, checked, freeze
from runner.errors import ConfigError, nearest
from runner.grammar import FREE_FORM, prepared, quoted
from runner.guard import check_folder, environment, hydra_problems
from runner.mistakes import MISTAKES, every_key, first_line, told_of_file
from runner.secret import secret_problem
from runner.usage import choices, config_dir


def register() -> None:
    """Make the typed schema known to Hydra under the name that conf/config.yaml starts from."""
    ConfigStore.instance().store(name="schema", node=Config)
    OmegaConf.register_new_resolver("oc.env", environment, replace=True)


def compose(overrides: Sequence[str], also: str | None = None) -> DictConfig:
    """The configuration that the overrides ask for.

    Args:
        overrides: in Hydra's grammar, as on the command line.
        also: a further folder of YAML groups, the user's own.

    Raises:
        ConfigError: naming every override that cannot be used.
    """
    with composer(also) as composing:
        return composing(overrides)


@dataclass(frozen=True)
class Like:
    """The last configuration that was made of some groups and keys, and what it was asked for by, by key."""

    config: Config
    said: Mapping[str, str | None]

    def with_values(self, laid: DictConfig, keys: Sequence[str]) -> Config:
        """The same with the values that these keys have in `laid`, checked."""
        made = self.config
        for key in keys:
            value = OmegaConf.select(laid, key)
            made = _exchanged(made, key, OmegaConf.to_object(value) if OmegaConf.is_config(value) else value)
        return checked(made, {key.partition(".")[0] for key in keys})


@contextmanager
def composer(also: str | None) -> Iterator[Composer]:
    """Composes many configurations; `also` is a further folder of YAML groups.

    Raises:
        ConfigError: the folder cannot be used.
    """
    register()
    folders = [config_dir()]
    if also is not None:
        check_folder(Path(also))
        folders.append(Path(also).resolve())
    around = GlobalHydra.instance().hydra  # that of a sweep, whose jobs are composed inside it
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(config_dir()), version_base="1.3"):
            yield Composer(folders)
    finally:
        GlobalHydra.instance().hydra = around


@dataclass
class Composer:
    """Composes the choices of groups once, and lays values over that."""

    folders: list[Path]
    known: dict[tuple[str, ...], DictConfig] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)  # their choices
    like: dict[tuple[str, ...], Like] = field(default_factory=dict)  # by what was chosen, and the keys with values

    def __call__(self, overrides: Sequence[str], plugins: Sequence[str] = ()) -> DictConfig:
        """The configuration; raises ConfigError with every problem."""
        groups, values, found = self._parts(overrides)
        composed = copy.deepcopy(self._base(groups, plugins, found))
        return self._laid(composed, values, found)

    def config(self, overrides: Sequence[str]) -> Config:
        """The same, checked and frozen; a hundred times faster for the next values of the same groups.

        Raises:
            ConfigError: with every problem.
        """
        groups, values, found = self._parts(overrides)
        base = self._base(groups, (), found)
        keys = [override.key_or_group for override in values]
        like = self.like.get((*groups, *keys))
        # what was laid over the last one of these groups and keys is there already
        other = [one for one in values if like is None or like.said[one.key_or_group] != one.input_line]
        before = [_leaf(base, override.key_or_group) for override in other]
        twice, hanging = len(set(keys)) < len(keys), any("${" in (one.input_line or "") for one in values)
        if found or None in before or twice or hanging or any(override.is_delete() for override in values):
            return freeze(self(overrides))
        try:
            laid = self._laid(base, other, found)
            made = freeze(laid) if like is None else like.with_values(laid, [one.key_or_group for one in other])
            if like is not None or "${" not in repr(laid):  # no value hangs on another one
                self.like[(*groups, *keys)] = Like(made, {one.key_or_group: one.input_line for one in values})
            return made
        finally:
            for parent, last, raw in (place for place in reversed(before) if place):
                parent[last] = raw

    def _parts(self, overrides: Sequence[str]) -> tuple[list[str], list[Override], list[str]]:
        """The choices of groups, the values, and what is wrong with either."""
        found = [problem for text in overrides if (problem := secret_problem(*text.partition("=")[::2]))]
        groups, values = [], []
        for text in prepared(overrides):
            try:
                override = _read(text)
                if override.key_or_group == "experiment" and override.value() is None and not override.is_delete():
                    continue  # as it is
                if self._is_group(override):
                    self._check_choice(override)
                    groups.append(text)
                else:
                    values.append(override)
            except ConfigError as error:
                found += error.problems
        return groups, values, found

    def _laid(self, composed: DictConfig, values: Sequence[Override], found: list[str]) -> DictConfig:
        """The values laid over a configuration, which is changed."""
        for override in values:
            key = override.key_or_group
            if not (_in_schema(key) and _has_owner(key, composed)) and not override.is_delete():
                found.append(f"{key}  no such key; {nearest(key, list(every_key(OmegaConf.to_container(composed))))}")
                continue
            try:
                _fill(override.key_or_group, composed)
                ConfigLoaderImpl._apply_overrides_to_config([override], composed)
            except (HydraException, OmegaConfBaseException) as error:
                found.append(_value_problem(override, error, composed))
            except AttributeError:  # OmegaConf merges no dictionary into null
                found.append(
                    f"{override.key_or_group}  is null: give its keys one by one, {override.key_or_group}.key=value"
                )
        if found:
            raise ConfigError(list(dict.fromkeys([*found, *_broken_rules(composed)])))
        return composed

    def _base(self, groups: list[str], plugins: Sequence[str], found: list[str]) -> DictConfig:
        """What the choices of groups give; raises ConfigError with what was found before, too."""
        key = (*plugins, *groups)
        if key not in self.known:
            also = [f"hydra.searchpath=[{quoted(f'file://{folder}')}]" for folder in self.folders[1:]]
            try:
                composed = hydra_compose("config", [*also, *plugins, *groups], return_hydra_config=True)
            except MISTAKES as error:
                raise ConfigError([*found, told_of_file(error, groups)]) from error
            section: Any = OmegaConf.to_container(composed.hydra, resolve=False)
            if wrong := hydra_problems(section, plugins=bool(plugins)):
                raise ConfigError([*found, *wrong])
            with open_dict(composed):
                del composed["hydra"]
            self.known[key] = composed
        return self.known[key]

    def _is_group(self, override: Override) -> bool:
        name = override.key_or_group
        if name not in self.groups:
            self.groups[name] = [] if "." in name else choices(name, self.folders)
        return bool(self.groups[name])

    def _check_choice(self, override: Override) -> None:
        """Raises ConfigError for a choice that the group does not have."""
        group, chosen = override.key_or_group, override.value()
        known = self.groups[group]
        for name in chosen if isinstance(chosen, list) else [chosen]:
            if name is None and not override.is_delete():
                raise ConfigError(f"{group}=null  is no choice: leave it out, or give one of {', '.join(known)}")
            if not override.is_delete() and name not in known:
                raise ConfigError(f"{group}={name}  no such choice; {nearest(str(name), known)}")


@lru_cache(maxsize=4096)
def _read(text: str) -> Override:
    try:
        override = OverridesParser.create().parse_override(text)
    except (HydraException, RecursionError) as error:
        told = "cannot be read: write key=value, and quote values with spaces or brackets"
        raise ConfigError(f"{text[:200]}  {told}") from error
    places = (override.key_or_group, override.package or "")
    if any(place.replace("/", ".").partition(".")[0] == "hydra" for place in places):
        key = override.get_key_element().lstrip("+~")
        more = (
            "; a sweep needs -m"
            if key.startswith(("hydra/sweeper", "hydra/launcher", "hydra.sweeper", "hydra.launcher"))
            else ""
        )
        raise ConfigError(f"{key}  is not an option: Hydra's own section is fixed{more}")
    if override.is_sweep_override():
        raise ConfigError(f"{text}  is a sweep: add -m to run all of its values")
    return override


def _broken_rules(composed: DictConfig) -> list[str]:
    try:
        freeze(composed)
    except ConfigError as error:
        return error.problems
    return []


def _fill(key: str, composed: DictConfig) -> None:
    """A free-form section that is null becomes empty first: OmegaConf cannot merge into null."""
    for section in FREE_FORM:
        if f"{key}.".startswith(f"{section}.") and OmegaConf.select(composed, section) is None:
            group, _, name = section.partition(".")
            composed[group][name] = {}


def _value_problem(override: Override, error: Exception, base: DictConfig) -> str:
    key = override.key_or_group
    if not _exists(base, key):
        return f"{key}  no such key; {nearest(key, list(every_key(OmegaConf.to_container(base))))}"
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    return f"{key}  {first_line(cause)}"


@lru_cache(maxsize=4096)
def _in_schema(key: str) -> bool:
    """Whether the typed schema has the key, which Hydra's `+` would add without asking; dictionaries take any."""
    kind: Any = Config
    for part in key.split("."):
        if not is_dataclass(kind):
            return True
        kind = get_type_hints(kind).get(part)
        if kind is None:
            return False
    return True


def _has_owner(key: str, composed: DictConfig) -> bool:
    """Whether a task's object that would have the option is there; its class says later whether it knows it."""
    owner = key.rpartition(".")[0]
    return not key.startswith("task.") or key.endswith("._target_") or _exists(composed, owner)


def _leaf(base: DictConfig, key: str) -> tuple[DictConfig, str, Any] | None:
    """Where a single value stands, and what it is, to be set back; None where it is not there or not single."""
    parent, _, last = key.rpartition(".")
    if not _exists(base, key):
        return None
    node: Any = OmegaConf.select(base, parent) if parent else base
    if OmegaConf.is_interpolation(node, last) or OmegaConf.is_missing(node, last) or OmegaConf.is_config(node[last]):
        return None
    return node, last, node[last]


def _exchanged(holder: Any, key: str, value: Any) -> Any:
    """A copy with another value at that place; all else is shared."""
    name, _, rest = key.partition(".")
    if is_dataclass(holder) and not isinstance(holder, type):
        return replace(holder, **{name: _exchanged(getattr(holder, name), rest, value) if rest else value})
    return {**holder, name: _exchanged(holder[name], rest, value) if rest else value}


def _exists(base: DictConfig, key: str) -> bool:
    parent, _, last = key.rpartition(".")
    try:
        node = OmegaConf.select(base, parent) if parent else base
    except OmegaConfBaseException:  # a part of the key is a value
        return False
    return isinstance(node, DictConfig) and last in node
