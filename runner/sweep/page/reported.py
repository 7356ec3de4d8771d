"""What trials of a search reported while they worked, as Optuna's study keeps it; nothing where Optuna is missing."""

from __future__ import annotations

import importlib.util
import math
from typing import Any

from runner.sweep.findings import Findings

Points = list[tuple[float, float]]


def reported(findings: Findings) -> dict[int, Points]:
    """(step, value) of each trial by its number, of those that reported something."""
    asked = findings.facts.get("asked", {}).get("sweeper")
    said = {str(text) for text in asked} if isinstance(asked, list) else set()
    pruner = next((text.partition("=")[2] for text in said if text.startswith("hydra.sweeper.pruner=")), "null")
    if pruner == "null":
        return {}
    found = {}
    for trial in _trials(findings):
        points = [(float(step), value) for step, value in sorted(trial.intermediate_values.items())
                  if math.isfinite(value)]  # fmt: skip
        if points:
            found[trial.number] = points
    return found


def _trials(findings: Findings) -> list[Any]:
    """Of the study in the sweep's directory; one in a database elsewhere is not opened for a picture."""
    database, journal = findings.directory / "study.db", findings.directory / "study.journal"
    if importlib.util.find_spec("optuna") is None or not (database.is_file() or journal.is_file()):
        return []
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    try:
        storage: Any = (
            f"sqlite:///{database}" if database.is_file() else JournalStorage(JournalFileBackend(str(journal)))
        )
        name = optuna.get_all_study_names(storage)[0]
        return list(optuna.load_study(study_name=name, storage=storage).get_trials(deepcopy=False))
    except Exception:  # whatever a damaged database makes its driver raise: the page has its curves from the runs
        return []
