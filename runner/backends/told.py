"""Errors of from_pretrained in our words."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runner.backends.architectures import REMOTE_CODE
from runner.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from runner.backends.checkpoint import Source
    from runner.config import EngineConfig

GLOBAL = re.compile(r"GLOBAL (\S+)")


@contextmanager
def told(source: Source, engine: EngineConfig) -> Iterator[None]:
    """One line for what a user can mend; a bug keeps its own error and traceback.

    Raises:
        CheckpointError: for weights that are refused or damaged, and for code that is not trusted.
        ConfigError: for an attention implementation that cannot be had.
    """
    where = f"checkpoint {source.folder or source.name}"
    try:
        yield
    except pickle.UnpicklingError as error:
        name = next((name for name in source.files if name.endswith(".bin")), "pytorch_model.bin")
        found = GLOBAL.search(str(error))
        held = f"pickle global {found[1].rstrip('.')}" if found else str(error).strip().splitlines()[0]
        raise CheckpointError(f"{where} is refused: {name} holds more than weights ({held})") from error
    except (EOFError, OSError) as error:
        raise CheckpointError(f"{where}: its weights cannot be read: {_line(error)}") from error
    except (ValueError, ImportError) as error:
        if "trust_remote_code" in str(error):
            raise CheckpointError(f"{where} {REMOTE_CODE}") from error
        if engine.attention is not None and "attention" in str(error).lower():
            raise ConfigError(f"engine.attention  cannot be {engine.attention}: {_line(error)}") from error
        raise CheckpointError(f"{where}: no network can be made of its configuration: {_line(error)}") from error
    except (KeyError, ZeroDivisionError) as error:
        reason = f"{type(error).__name__}: {_line(error)}"
        raise CheckpointError(f"{where}: no network can be made of its configuration: {reason}") from error
    except RuntimeError as error:
        if "PytorchStreamReader" in str(error) or "unexpected EOF" in str(error):
            raise CheckpointError(f"{where}: its weights are damaged: copy them again ({_line(error)})") from error
        if "negative dimension" in str(error):
            raise CheckpointError(f"{where}: no network can be made of its configuration: {_line(error)}") from error
        raise


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0]
