"""What is asked of a search: its options, what is made best, and the conditions that a point has to meet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from runner.config import Config
from runner.errors import ConfigError, nearest
from runner.sweep.board import COSTS
from runner.sweep.conditions import condition
from runner.sweep.plan import way_of
from runner.sweep.samplers import CONSTRAINED, PRUNERS, SAMPLERS
from runner.task import Task


@dataclass(frozen=True)
class SearchConfig:
    """Options of hydra.sweeper.

    Fields:
        n_trials: points in all, those of earlier attempts too.
        metric: the number to make best, or several of them; null: the first of the task.
        sampler: tpe | gp | cmaes | random | qmc | grid | nsga2.
        pruner: median | hyperband | halving | wilcoxon (over examples, see Best); null: every job is done to its end.
        startup: points drawn at random before the sampler learns; with median, and with samplers that learn nothing
            from what was given up (gp, cmaes, nsga2), so many are done to their end.
        warmup_steps: steps of a training, rows of a run without one, before which nothing is given up.
        constraints: conditions on numbers, e.g. "perplexity<=80", that a point has to meet.
        storage: null: SQLite in the sweep's directory; journal: a file there, for shared file systems; else a URL.
        budget_s: seconds, those of earlier attempts too, after which no point is begun and those under way are stopped.
        seed: of the points.
    """

    n_trials: int = 20
    metric: list[str] = field(default_factory=list)
    sampler: str = "tpe"
    pruner: str | None = None
    startup: int = 5
    warmup_steps: int = 0
    constraints: list[str] = field(default_factory=list)
    storage: str | None = None
    budget_s: float | None = None
    seed: int = 0


@dataclass(frozen=True)
class Goal:
    """A number, and whether a larger one is better."""

    name: str
    larger: bool


def asked(given: Mapping[str, Any]) -> SearchConfig:
    """The options as Hydra hands them over; one metric may stand alone."""
    metric = given["metric"]
    names = [] if metric is None else [metric] if isinstance(metric, str) else list(metric)
    return SearchConfig(**{**given, "metric": names, "constraints": list(given["constraints"])})


def problems(options: SearchConfig, numbers: Mapping[str, bool], first: Config) -> list[str]:
    """What is wrong with the options of a search, a line each.

    Args:
        options: of hydra.sweeper.
        numbers: of its jobs, and whether a larger one is better.
        first: the configuration of one of them.
    """
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
        ("warmup_steps >= 0", options.warmup_steps >= 0),
        ("budget_s > 0", options.budget_s is None or options.budget_s > 0),
        ("0 <= seed < 2**32", 0 <= options.seed < 2**32),
    ):
        if not holds:
            name = next(word for word in ("n_trials", "startup", "warmup_steps", "budget_s", "seed") if word in law)
            found.append(f"hydra.sweeper.{name}  {law} must hold, but got {getattr(options, name)}")
    for text in options.constraints:
        name = (condition(text) or ("",))[0]
        if name not in known:
            told = f"{text} is no condition with <= or >=, e.g. seconds<=10"
            found.append(f"hydra.sweeper.constraints  {told}; {nearest(name, known)}")
    if options.constraints and options.sampler not in CONSTRAINED:
        found.append(f"hydra.sweeper.constraints  mean nothing to {options.sampler}: use {', '.join(CONSTRAINED)}")
    if options.pruner is not None and len(options.metric) > 1:
        found.append("hydra.sweeper.pruner  must be null: with several goals nothing is worse in the middle")
    elif options.pruner is not None and not found:
        goal = next(iter(options.metric or numbers), "")
        found += [f"hydra.sweeper.pruner  {told}" for told in _why_not_in_the_middle(options.pruner, goal, first)]
    return found


def _why_not_in_the_middle(pruner: str, goal: str, config: Config) -> Iterator[str]:
    """Why a pruner could never give such a job up."""
    if goal in COSTS:
        yield f"must be null: {goal} is known at the end alone"
    elif pruner == "wilcoxon" and config.trains:
        yield "wilcoxon compares rows, and trainings report none: use median, hyperband or halving"
    elif pruner == "wilcoxon" and goal not in way_of(config).parts:
        yield f"wilcoxon compares rows, and {goal} is not made of what each row has: use median, hyperband or halving"
    elif config.trains and goal != "loss" and Task.build(config.task).validates_by_loss_alone(config.train.metric):
        yield f"looks at validations, which hold the loss alone: train.metric={goal} makes them hold {goal}"


def goals(options: SearchConfig, numbers: Mapping[str, bool]) -> list[Goal]:
    """What is made best."""
    known = {**numbers, **COSTS}
    names = options.metric or list(numbers)[:1]
    if not names:
        raise ConfigError("hydra.sweeper.metric  these jobs have no numbers: search what is scored")
    return [Goal(name, known[name]) for name in names]
