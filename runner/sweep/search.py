"""A search: a study asks for points, is told what they came to, and gives up those that are worse in the middle."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import RecordError
from runner.files import write_json
from runner.sweep.aims import Goal, SearchConfig, conditions
from runner.sweep.plan import Job
from runner.sweep.samplers import pruner, sampler
from runner.sweep.space import Space
from runner.sweep.worker import Outcome

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import Trial

ENDED = ("COMPLETE", "PRUNED", "FAIL")


@dataclass
class Search:
    """See Source.

    Fields:
        space: what is drawn.
        goals: what is made best.
        composed: the job of a number and of its overrides, written into the plan.
        begun: jobs of the plan, which are run again where their trial has not ended.
    """

    options: SearchConfig
    space: Space
    goals: Sequence[Goal]
    study: Study
    directory: Path
    composed: Callable[[int, list[str], list[str]], Job]
    begun: Mapping[int, Job]
    eager: bool = False
    _again: Iterator[Any] | None = None

    @property
    def total(self) -> int:
        """Of the trials."""
        return max(self._most, len(self.study.get_trials(deepcopy=False)))

    def next(self) -> Job | None:
        """A trial that has not ended, else a new one; ended ones are handed out too, and are found to be done."""
        if self._again is None:
            self._again = iter(self.study.get_trials(deepcopy=False))
        for trial in self._again:
            return self._job(trial.number, self._params(trial))
        if len(self.study.get_trials(deepcopy=False)) >= self._most:
            return None
        self.study.sampler = sampler(self.options, self.space, len(self.study.get_trials(deepcopy=False)))
        trial = self.study.ask(dict(self.space.drawn))
        return self._job(trial.number, trial.params)

    def reported(self, job: Job, report: Mapping[str, Any]) -> bool:
        """Intermediate values go to the study, which says whether the job is given up."""
        if self.options.pruner is None or len(self.goals) > 1 or self.goals[0].name not in report["numbers"]:
            return False
        trial = self._trial(job)
        if self.options.pruner == "wilcoxon":
            known = self._frozen(job).intermediate_values
            for row, value in report["rows"].items():
                if int(row) not in known:
                    trial.report(value, int(row))
        else:
            trial.report(report["numbers"][self.goals[0].name], report["step"])
        return bool(trial.should_prune())

    def ended(self, job: Job, outcome: Outcome) -> None:
        """Tell the study; what was stopped stays open."""
        from optuna.trial import TrialState

        trial = self._frozen(job)
        if trial.state.name in ENDED or outcome.state in ("stopped", "busy"):
            return
        numbers = {name: one["value"] for name, one in outcome.metrics.items()} | {"seconds": outcome.seconds}
        missing = [goal.name for goal in self.goals if goal.name not in numbers]
        if outcome.state == "pruned":
            self.study.tell(job.number, state=TrialState.PRUNED)
        elif outcome.state != "done" or missing:
            self.study.tell(job.number, state=TrialState.FAIL)
        else:
            for text, missed in conditions(self.options.constraints, numbers).items():
                self._trial(job).set_constraint(text, missed)
            self._trial(job).set_user_attr("directory", outcome.directory)
            self.study.tell(job.number, [numbers[goal.name] for goal in self.goals])
            self._write_best()

    @property
    def _most(self) -> int:
        return int(min(self.options.n_trials, self.space.size(self.options.sampler)))

    def _params(self, trial: Any) -> Mapping[str, Any]:
        """What a trial drew; where it was killed in the middle of that, the rest is drawn now."""
        from optuna.trial import Trial

        if self.space.drawn.keys() <= trial.params.keys():
            return dict(trial.params)
        self.study.sampler = sampler(self.options, self.space, trial.number)
        going_on = Trial(self.study, trial._trial_id)
        return {key: going_on._suggest(key, one) for key, one in self.space.drawn.items()}

    def _job(self, number: int, params: Mapping[str, Any]) -> Job:
        if number in self.begun:
            return self.begun[number]
        ordered = {key: params[key] for key in self.space.drawn}
        return self.composed(number, *self.space.overrides(ordered))

    def _frozen(self, job: Job) -> Any:
        return self.study.get_trials(deepcopy=False)[job.number]

    def _trial(self, job: Job) -> Trial:
        from optuna.trial import Trial

        return Trial(self.study, self._frozen(job)._trial_id)

    def _write_best(self) -> None:
        """best.json: the best trial, or those that no other one beats in every goal."""
        found = [
            {"trial": trial.number, "values": dict(zip([goal.name for goal in self.goals], trial.values, strict=True)),
             "parameters": trial.params, "directory": trial.user_attrs.get("directory")}
            for trial in self.study.best_trials
        ]  # fmt: skip
        write_json(self.directory / "best.json", found)


def opened(options: SearchConfig, goals: Sequence[Goal], space: Space, directory: Path) -> Study:
    """The study of a directory, as far as it has come.

    Raises:
        ConfigError: Optuna is missing, or takes none of the options.
        RecordError: the storage cannot be used, or holds another search.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    how: dict[str, Any] = {"sampler": sampler(options, space, 0), "pruner": pruner(options)}
    try:
        study = optuna.create_study(
            storage=_storage(options, directory), study_name=directory.name, load_if_exists=True,
            directions=["maximize" if goal.larger else "minimize" for goal in goals], **how,
        )  # fmt: skip
    except Exception as error:  # whatever a driver of a database raises
        told = " ".join(str(error).split())[:300]
        raise RecordError(f"the storage of {directory} cannot be used: {type(error).__name__}: {told}") from error
    known = study.user_attrs.get("space")
    if known is None:
        study.set_user_attr("space", space.described)
    elif known != space.described:
        names = sorted(key for key in {**known, **space.described} if known.get(key) != space.described.get(key))
        raise RecordError(f"{directory} holds a different search: {', '.join(names)}")
    return study


def _storage(options: SearchConfig, directory: Path) -> Any:
    if options.storage is None:
        return f"sqlite:///{directory / 'study.db'}"
    if options.storage == "journal":
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        return JournalStorage(JournalFileBackend(str(directory / "study.journal")))
    return options.storage
