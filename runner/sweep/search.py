"""A search: a study asks for points, is told what they came to, and gives up those that are worse in the middle."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import RecordError
from runner.files import write_json
from runner.sweep.aims import Goal, SearchConfig
from runner.sweep.conditions import conditions
from runner.sweep.plan import Job, rows_of, thawed, way_of
from runner.sweep.pruning import Best
from runner.sweep.samplers import WHOLE, pruner, sampler
from runner.sweep.space import Space
from runner.sweep.storage import Storage
from runner.sweep.worker import Outcome

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

ENDED = ("COMPLETE", "PRUNED", "FAIL")
OWNER = "owner"  # of a trial: the host and the directory of the sweep that began it


@dataclass
class Search:
    """See Source. Several hosts may search in one study: each runs the trials that it began.

    Fields:
        space: what is drawn.
        goals: what is made best.
        owner: of the trials that this sweep begins. The lock of its directory says that nobody else is at them.
        composed: the job of a number and of its overrides, written into the plan.
        begun: jobs of the plan, which are run again where their trial has not ended.
        total: trials, without those of other hosts.
        best: what pruner=wilcoxon compares with.
    """

    options: SearchConfig
    space: Space
    goals: Sequence[Goal]
    storage: Storage
    study: Study
    owner: str
    directory: Path
    composed: Callable[[int, list[str], list[str]], Job]
    begun: Mapping[int, Job]
    eager: bool = False
    total: int = 0
    best: Best = field(default_factory=Best)
    _given: set[int] = field(default_factory=set)
    _rows: dict[int, Mapping[str, Any]] = field(default_factory=dict)  # where those of each job come from
    _pruner: BasePruner | None = None

    def __post_init__(self) -> None:
        self._rows = {number: rows_of(job) for number, job in self.begun.items() if not job.error}
        self.storage.ask(self._counted)

    def next(self) -> Job | None:
        """A trial of this sweep, else a new one; ended ones are handed out too, and are found to be done."""
        found = self.storage.ask(self._point)
        if found is None:
            self._write_best()
            return None
        number, params = found
        self._given.add(number)
        return self._job(number, params)

    def reported(self, job: Job, report: Mapping[str, Any]) -> bool:
        """Intermediate values go to the study; whether the job is given up."""
        if self.options.pruner is None or len(self.goals) > 1 or self.goals[0].name not in report["numbers"]:
            return False
        return self.storage.ask(lambda: self._is_worse(job, report))

    def ended(self, job: Job, outcome: Outcome) -> None:
        """Tell the study; what was stopped stays open."""
        if self.storage.ask(lambda: self._told(job, outcome)):
            self._write_best()

    def _is_worse(self, job: Job, report: Mapping[str, Any]) -> bool:
        if self._frozen(job).state.is_finished():  # what it came to is known: it is done again
            return False
        self._trial(job).report(report["numbers"][self.goals[0].name], report["step"])
        trials = self.study.get_trials(deepcopy=False)
        done = [trial for trial in trials if trial.state.name == "COMPLETE"]
        if report["step"] < self._warm:
            return False
        learns = self.options.sampler not in WHOLE or len(done) >= self.options.startup
        if self.options.pruner == "wilcoxon":
            return learns and self._loses(job, {int(row): value for row, value in report["rows"].items()}, done)
        if self._pruner is None:
            first = min(step for trial in trials for step in trial.intermediate_values if step >= self._warm)
            self._pruner = pruner(self.options, first)
        worse = self._pruner.prune(self.study, self._frozen(job))  # asked anyway: it counts who has come so far
        return worse and learns

    @property
    def _warm(self) -> int:
        return max(self.options.warmup_steps, 1)  # a training may be looked at before its first step

    def _loses(self, job: Job, rows: Mapping[int, float], done: Sequence[FrozenTrial]) -> bool:
        """Whether it is worse than the best run, or cannot be better; see Best."""
        met = [trial for trial in done if all(missed <= 0 for missed in trial.constraints.values())]
        here = [trial for trial in met if self._ours(trial)]  # others' rows lie elsewhere
        if not here:
            return False
        (goal,) = self.goals
        sign = 1 if goal.larger else -1
        best = max(here, key=lambda trial: sign * trial.values[0])
        if self._rows[best.number] != self._rows[job.number]:
            return False
        way = way_of(thawed(job.config))
        part, perfect = way.parts.get(goal.name), way.perfect.get(goal.name)
        return self.best.beats(Path(best.user_attrs["directory"]), part, rows, sign, perfect)

    def _told(self, job: Job, outcome: Outcome) -> bool:
        """Whether the trial is one more that is complete."""
        from optuna.trial import TrialState

        if self._frozen(job).state.name in ENDED or outcome.state in ("stopped", "busy"):
            return False
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
            return True
        return False

    def _point(self) -> tuple[int, Mapping[str, Any]] | None:
        """The number of a trial, and what it draws."""
        trial = self._trial_to_run()
        return None if trial is None else (trial.number, self._params(trial))

    def _trial_to_run(self) -> FrozenTrial | None:
        """One of this sweep that has not been handed out; a new one is made first, and found as any other.

        A trial and its owner are written at once: killed at any moment, it is known whose it is.
        """
        from optuna.trial import TrialState, create_trial

        while True:
            counted = self._counted()
            for place, trial in enumerate(counted):
                if trial.number in self._given or not self._ours(trial):
                    continue
                if place < self._most or trial.number in self.begun:
                    return trial
                self._trial(trial).set_user_attr(
                    "not_run", f"n_trials={self._most} had been begun, on another host too"
                )
                self.study.tell(trial.number, state=TrialState.FAIL)
                self._given.add(trial.number)
            if len(counted) >= self._most:
                return None
            self.study.add_trial(create_trial(state=TrialState.RUNNING, user_attrs={OWNER: self.owner}))

    def _counted(self) -> list[FrozenTrial]:
        """Trials of all hosts, but those that two of them began at the limit and nobody ran."""
        found = [one for one in self.study.get_trials(deepcopy=False) if one.params or one.state.name != "FAIL"]
        self.total = max(self._most, len(found)) - sum(not self._ours(trial) for trial in found)
        return found

    def _ours(self, trial: FrozenTrial) -> bool:
        return self.storage.own or trial.user_attrs.get(OWNER) == self.owner

    @property
    def _most(self) -> int:
        return int(min(self.options.n_trials, self.space.size(self.options.sampler)))

    def _params(self, trial: FrozenTrial) -> Mapping[str, Any]:
        """What a trial draws by its number; one that was killed in the middle of that draws the rest of the same."""
        from optuna.trial import Trial

        if self.space.drawn.keys() <= trial.params.keys():
            return dict(trial.params)
        drawing = copy.copy(self.study)  # it remembers no trials of an earlier draw
        drawing.sampler = sampler(self.options, self.space, trial.number)
        going_on = Trial(drawing, trial._trial_id)
        for key, one in self.space.drawn.items():
            if key in trial.params and key not in going_on.relative_params and not one.single():
                drawing.sampler.sample_independent(drawing, trial, key, one)  # known; what is drawn after it is not
            going_on._suggest(key, one)
        return dict(going_on.params)

    def _job(self, number: int, params: Mapping[str, Any]) -> Job:
        """The job of a trial.

        Raises:
            RecordError: the plan has another one under its number.
        """
        overrides, differs = self.space.overrides({key: params[key] for key in self.space.drawn})
        job = self.begun[number] if number in self.begun else self.composed(number, overrides, differs)
        if job.overrides != overrides:
            raise RecordError(
                f"trial {number} in {self.storage.name} is {' '.join(differs)}, in {self.directory / 'plan.jsonl'}"
                f" {' '.join(job.differs)}: give the storage that the search was begun with, or move the plan away"
            )
        self._rows[number] = {} if job.error else rows_of(job)
        return job

    def _held(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Those of a trial that its run had: `sweep.when` takes others out."""
        _, differs = self.space.overrides({key: params[key] for key in self.space.drawn})
        kept = {text.partition("=")[0] for text in differs}
        return {key: value for key, value in params.items() if key in kept}

    def _frozen(self, job: Job | FrozenTrial) -> FrozenTrial:
        return self.study.get_trials(deepcopy=False)[job.number]

    def _trial(self, job: Job | FrozenTrial) -> Trial:
        from optuna.trial import Trial

        return Trial(self.study, self._frozen(job)._trial_id)

    def _write_best(self) -> None:
        """best.json: the best trial, or those that no other one beats in every goal; of all hosts."""
        best = self.storage.ask(lambda: self.study.best_trials)
        names = [goal.name for goal in self.goals]
        found = [
            {"trial": trial.number, "values": dict(zip(names, trial.values, strict=True)),
             "parameters": self._held(trial.params),
             "host": trial.user_attrs.get(OWNER, "").partition(":")[0], "directory": trial.user_attrs.get("directory")}
            for trial in best
        ]  # fmt: skip
        write_json(self.directory / "best.json", found)


def opened(options: SearchConfig, goals: Sequence[Goal], space: Space, storage: Storage, name: str) -> Study:
    """The study of a name, as far as it has come.

    Raises:
        RecordError: the storage cannot be used, or holds another search.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    backend = storage.open()
    with storage.telling(RecordError):
        study = optuna.create_study(
            storage=backend, study_name=name, load_if_exists=True, sampler=sampler(options, space, 0),
            pruner=optuna.pruners.NopPruner(),  # draws look at it, and what gives up is made for each run
            directions=["maximize" if goal.larger else "minimize" for goal in goals],
        )  # fmt: skip
        known = study.user_attrs.get("space")
        if known is None:
            study.set_user_attr("space", space.described)
    if known not in (None, space.described):
        names = sorted(key for key in {**known, **space.described} if known.get(key) != space.described.get(key))
        raise RecordError(f"{storage.name} holds a different search under {name}: {', '.join(names)}")
    return study
