"""The trials of a search, as its study has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna


def study(home: Path, name: str = "*", url: str | None = None) -> optuna.Study:
    """That of the only sweep of such a name."""
    (path,) = home.glob(f"outputs/sweeps/{name}")
    return optuna.load_study(study_name=path.name, storage=url or f"sqlite:///{path}/study.db")


def told(found: optuna.Study) -> list[tuple[Any, ...]]:
    """What is compared: number, what was drawn, state, values."""
    return [(trial.number, trial.params, trial.state.name, trial.values) for trial in found.get_trials()]
