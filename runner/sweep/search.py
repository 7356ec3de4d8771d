"""A search: a study asks for points, is told what they came to, and gives up those that are worse in the middle."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import ConfigError, RecordError, nearest
from runner.files import write_json
from runner.sweep.board import COSTS
from runner.sweep.plan import Job
from runner.sweep.space import Space
from runner.sweep.worker import Outcome

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.study import Study
    from optuna.trial import Trial

SAMPLERS = ("tpe", "gp", "cmaes", "random", "qmc", "grid", "nsga2")
CONSTRAINED = ("tpe", "gp", "nsga2")  # samplers that keep to conditions
PRUNERS = ("median", "hyperband", "halving", "wilcoxon")
ENDED = ("COMPLETE", "PRUNED", "FAIL")
CONDITIONS: dict[str, Callable[[float, float], float]] = {  # to what Optuna calls feasible: at most 0
    "<=": lambda value, bound: value - bound,
    ">=": lambda value, bound: bound - value,
}


@dataclass(frozen=True)
class SearchConfig:
    """Options of hydra.sweeper.

    Fields:
        n_trials: points in all, those of earlier attempts too.
        metric: the number to make best, or several of them; null: the first of the task.
        sampler: tpe | gp | cmaes | random | qmc | grid | nsga2.
        pruner: median | hyperband | halving | wilcoxon (over examples); null: every job is done to its end.
        startup: points drawn at random before the sampler learns, and that are done to their end.
        constraints: conditions on numbers, e.g. "perplexity<=80", that a point has to meet.
        storage: null: SQLite in the sweep's directory; journal: a file there, for shared file systems; else a URL.
        budget_s: seconds after which no point is begun and those under way are stopped.
        seed: of the points.
    """

    n_trials: int = 20
    metric: list[str] = field(default_factory=list)
    sampler: str = "tpe"
    pruner: str | None = None
    startup: int = 5
    constraints: list[str] = field(default_factory=list)
    storage: str | None = None
    budget_s: float | None = None
    seed: int = 0


@dataclass(frozen=True)
class Goal:
    """A number, and whether a larger one is better."""

    name: str
    larger: bool


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


def asked(given: Mapping[str, Any]) -> SearchConfig:
    """The options as Hydra hands them over; one metric may stand alone."""
    metric = given["metric"]
    names = [] if metric is None else [metric] if isinstance(metric, str) else list(metric)
    return SearchConfig(**{**given, "metric": names, "constraints": list(given["constraints"])})


def opened(options: SearchConfig, goals: Sequence[Goal], space: Space, directory: Path) -> Study:
    """The study of a directory, as far as it has come.

    Raises:
        ConfigError: Optuna is missing, or takes none of the options.
        RecordError: the storage cannot be used, or holds another search.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    how: dict[str, Any] = {"sampler": sampler(options, space, 0), "pruner": _pruner(options)}
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


def sampler(options: SearchConfig, space: Space, number: int) -> BaseSampler:
    """The sampler of one trial, seeded by the search and the trial: a resumed search draws the same points."""
    import optuna

    made = zlib.crc32(f"{options.seed}/{number}".encode())
    kinds: dict[str, Callable[[], BaseSampler]] = {
        "tpe": lambda: optuna.samplers.TPESampler(seed=made, n_startup_trials=options.startup, constant_liar=True),
        "gp": lambda: optuna.samplers.GPSampler(seed=made, n_startup_trials=options.startup),
        "cmaes": lambda: optuna.samplers.CmaEsSampler(
            seed=made, n_startup_trials=options.startup, warn_independent_sampling=False
        ),
        "random": lambda: optuna.samplers.RandomSampler(seed=made),
        "qmc": lambda: optuna.samplers.QMCSampler(
            seed=options.seed, scramble=True, warn_asynchronous_seeding=False, warn_independent_sampling=False
        ),
        "grid": lambda: _grid(space.all_values(), options.seed),
        "nsga2": lambda: optuna.samplers.NSGAIISampler(seed=made),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return kinds[options.sampler]()


def problems(options: SearchConfig, numbers: Mapping[str, bool]) -> list[str]:
    """What is wrong with the options of a search, a line each."""
    found = []
    known = [*numbers, *COSTS]
    for name, one, all_ in (("sampler", options.sampler, SAMPLERS), ("pruner", options.pruner, (*PRUNERS, None))):
        if one not in all_:
            said = ", ".join("null" if each is None else each for each in all_)
            found.append(f"hydra.sweeper.{name}  must be one of {said}, but got {one}")
    found += [
        f"hydra.sweeper.metric  {name} is no number of these jobs; {nearest(name, known)}"
        for name in options.metric
        if name not in known
    ]
    for law, holds in (
        ("n_trials >= 1", options.n_trials >= 1),
        ("startup >= 1", options.startup >= 1),
        ("budget_s > 0", options.budget_s is None or options.budget_s > 0),
        ("0 <= seed < 2**32", 0 <= options.seed < 2**32),
    ):
        if not holds:
            name = next(word for word in ("n_trials", "startup", "budget_s", "seed") if word in law)
            found.append(f"hydra.sweeper.{name}  {law} must hold, but got {getattr(options, name)}")
    for text in options.constraints:
        name = (_condition(text) or ("",))[0]
        if name not in known:
            found.append(f"hydra.sweeper.constraints  {text} is no condition, e.g. seconds<=10; {nearest(name, known)}")
    if options.constraints and options.sampler not in CONSTRAINED:
        found.append(f"hydra.sweeper.constraints  mean nothing to {options.sampler}: use {', '.join(CONSTRAINED)}")
    if options.pruner is not None and len(options.metric) > 1:
        found.append("hydra.sweeper.pruner  must be null: with several goals nothing is worse in the middle")
    return found


def goals(options: SearchConfig, numbers: Mapping[str, bool]) -> list[Goal]:
    """What is made best."""
    known = {**numbers, **COSTS}
    names = options.metric or list(numbers)[:1]
    if not names:
        raise ConfigError("hydra.sweeper.metric  these jobs have no numbers: search what is scored")
    return [Goal(name, known[name]) for name in names]


def conditions(texts: Sequence[str], numbers: Mapping[str, float]) -> dict[str, float]:
    """How far each condition is from being met: at most 0 where it is."""
    found = {}
    for text in texts:
        condition = _condition(text)
        assert condition is not None
        name, relation, bound = condition
        found[text] = CONDITIONS[relation](numbers[name], bound) if name in numbers else float("inf")
    return found


def _condition(text: str) -> tuple[str, str, float] | None:
    for relation in CONDITIONS:
        name, found, bound = text.partition(relation)
        if found:
            try:
                return name.strip(), relation, float(bound)
            except ValueError:
                return None
    return None


def _storage(options: SearchConfig, directory: Path) -> Any:
    if options.storage is None:
        return f"sqlite:///{directory / 'study.db'}"
    if options.storage == "journal":
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        return JournalStorage(JournalFileBackend(str(directory / "study.journal")))
    return options.storage


def _pruner(options: SearchConfig) -> BasePruner:
    import optuna

    kinds: dict[str | None, Callable[[], BasePruner]] = {
        None: optuna.pruners.NopPruner,
        "median": lambda: optuna.pruners.MedianPruner(n_startup_trials=options.startup),
        "hyperband": optuna.pruners.HyperbandPruner,
        "halving": optuna.pruners.SuccessiveHalvingPruner,
        "wilcoxon": lambda: optuna.pruners.WilcoxonPruner(p_threshold=0.1),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return kinds[options.pruner]()


def _grid(values: Mapping[str, Sequence[Any]], seed: int) -> BaseSampler:
    """Every point once, in an order that the seed decides."""
    from optuna.samplers import GridSampler

    class Once(GridSampler):
        def after_trial(self, *_: Any, **__: Any) -> None:
            """The search ends by itself when all points have been asked for: the library's own end is for its loop."""

    return Once(values, seed=seed)
