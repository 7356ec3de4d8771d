"""`_target_` to an object, for trusted packages only: a configuration is data and never executes."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from types import UnionType
from typing import Any, Protocol, Union, get_args, get_origin, get_type_hints

from runner.errors import ConfigError, nearest

TRUST = "RUNNER_TRUST"  # environment variable: packages of the user's own, separated by commas
SIMPLE = {str, int, float, bool, type(None)}
VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def build(node: Mapping[str, Any], where: str, kind: type) -> Any:
    """Instantiate the dataclass that `node` names; nested nodes first.

    Args:
        node: `_target_` and the fields of the dataclass.
        where: the place in the configuration, for messages.
        kind: the Protocol whose methods the object must have, with the same parameters.

    Raises:
        ConfigError: the target is not trusted, not there, not a dataclass of that kind, or a field is unknown.
    """
    if not isinstance(node, Mapping):
        raise ConfigError(f"{where}  must name a class by _target_, but got {node!r}")
    target = node.get("_target_")
    if not isinstance(target, str):
        raise ConfigError(f"{where}._target_  is missing: name the class to use")
    found = _locate(target, where)
    options = {str(k): v for k, v in node.items() if k != "_target_"}
    known = [f.name for f in dataclasses.fields(found) if f.init]
    wrong = [f"{where}.{k}  no such option of {target}; {nearest(k, known)}" for k in options if k not in known]
    wrong += wrong_types(found, options, where)
    if wrong:
        raise ConfigError(wrong)
    for key, value in options.items():
        if isinstance(value, Mapping) and "_target_" in value:
            options[key] = build(value, f"{where}.{key}", object)
    try:
        made = found(**options)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}  {target}: {error}") from error
    except (Exception, SystemExit) as error:
        if target.startswith("runner."):
            raise
        raise ConfigError(f"{where}  {target}: {type(error).__name__}: {error}") from error
    for wrong_method in _wrong_methods(made, kind):
        raise ConfigError(f"{where}._target_  {target} is not a {kind.__name__}: {wrong_method}")
    return made


def trusted() -> list[str]:
    """The packages whose classes a configuration may name."""
    return ["runner", *(name.strip() for name in os.environ.get(TRUST, "").split(",") if name.strip())]


def _locate(target: str, where: str) -> Any:
    package = target.partition(".")[0]
    if package not in trusted():
        raise ConfigError(
            f"{where}._target_  {target!r} is not trusted: only classes of {', '.join(trusted())} are;"
            f" trust a package of your own with the environment variable {TRUST}={package}"
        )
    module_name, _, name = target.rpartition(".")
    if not module_name or not all(part.isidentifier() for part in target.split(".")):
        raise ConfigError(f"{where}._target_  {target!r} does not name a class in a module: package.module.Class")
    with _working_directory_importable(package):
        try:
            module = importlib.import_module(module_name)
        except ImportError as error:
            raise ConfigError(f"{where}._target_  module {module_name!r} cannot be imported: {error}") from error
        except (Exception, SystemExit) as error:  # whatever a module of the user's own does when it is imported
            if package == "runner":
                raise
            told = f"{type(error).__name__}: {error}"
            raise ConfigError(f"{where}._target_  module {module_name!r} cannot be imported: {told}") from error
    found = getattr(module, name, None)
    own = isinstance(found, type) and found.__module__.partition(".")[0] == package
    if not own or not dataclasses.is_dataclass(found):
        classes = [n for n, o in vars(module).items() if isinstance(o, type) and dataclasses.is_dataclass(o)]
        raise ConfigError(f"{where}._target_  {target!r} is not a dataclass of {module_name}; {nearest(name, classes)}")
    return found


@contextmanager
def _working_directory_importable(package: str) -> Iterator[None]:
    """A trusted package of the user's own may lie in the working directory; nothing else is imported from there."""
    if package == "runner":
        yield
        return
    sys.path.append(os.getcwd())
    try:
        yield
    finally:
        sys.path.remove(os.getcwd())


def wrong_types(found: type, options: Mapping[str, Any], where: str) -> Iterator[str]:
    """Fields of a simple type that were given another one."""
    try:
        hints = _hints(found)
    except NameError:  # names imported for type checkers only
        return
    for key, value in options.items():
        hint = hints.get(key)
        allowed = set(get_args(hint)) if get_origin(hint) in (Union, UnionType) else {hint}
        fits = type(value) in allowed or (type(value) is int and float in allowed)
        if allowed <= SIMPLE and not fits:
            names = sorted(str(getattr(kind, "__name__", kind)).replace("NoneType", "null") for kind in allowed)
            yield f"{where}.{key}  must be {' or '.join(names)}, but got {value!r}"


def _wrong_methods(made: Any, kind: type) -> Iterator[str]:
    said = [one for one in type(made).__mro__ if vars(one).get("_is_protocol") and one is not Protocol]
    if said and kind is not object and kind not in said:
        yield f"it is a {said[0].__name__}"
        return
    for name, method in vars(kind).items():
        if not callable(method) or (name.startswith("_") and name != "__call__"):
            continue
        given = getattr(made, name, None)
        if not callable(given):
            yield f"it lacks {name}"
            continue
        expected = [one.name for one in _parameters(method)[1:]]
        takes = _parameters(given.__func__)[1:] if inspect.ismethod(given) else _parameters(given)
        further = [one for one in takes[len(expected) :] if one.default is one.empty and one.kind not in VARIADIC]
        if [one.name for one in takes[: len(expected)]] != expected or further:
            yield f"{name}({', '.join(one.name for one in takes)}) must take ({', '.join(expected)})"


@lru_cache(maxsize=1024)  # a sweep builds the same classes for each of its jobs
def _hints(found: type) -> dict[str, Any]:
    return get_type_hints(found)


@lru_cache(maxsize=1024)
def _parameters(function: Any) -> list[inspect.Parameter]:
    return list(inspect.signature(function).parameters.values())
