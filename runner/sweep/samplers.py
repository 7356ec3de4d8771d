"""How the points of a search are drawn, and by what a run is given up: Optuna's algorithms by their names."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

    from runner.sweep.aims import SearchConfig
    from runner.sweep.space import Space

SAMPLERS = ("tpe", "gp", "cmaes", "random", "qmc", "grid", "nsga2")
CONSTRAINED = ("tpe", "gp", "nsga2")  # samplers that keep to conditions
WHOLE = ("gp", "cmaes", "nsga2")  # samplers that learn nothing from what was given up
PRUNERS = ("median", "hyperband", "halving", "wilcoxon")


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
        "qmc": lambda: _qmc(space, options.seed, number),
        "grid": lambda: _grid(space.all_values(), options.seed),
        "nsga2": lambda: optuna.samplers.NSGAIISampler(seed=made, population_size=max(2, options.startup)),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return kinds[options.sampler]()


def pruner(options: SearchConfig, first: int) -> BasePruner:
    """What says by its number that a run is not worth going on with.

    Args:
        options: with a pruner that is not wilcoxon, which compares rows: see Best.
        first: steps, or rows, at the first look that may give a run up; halving and hyperband go on from there by
            powers. With fewer, a run would pass several of their rungs at one look, and only the best one would stay.
    """
    import optuna

    kinds: dict[str, Callable[[], BasePruner]] = {
        "median": lambda: optuna.pruners.MedianPruner(n_startup_trials=options.startup),
        "hyperband": lambda: optuna.pruners.HyperbandPruner(min_resource=first),
        "halving": lambda: optuna.pruners.SuccessiveHalvingPruner(min_resource=first),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return kinds[str(options.pruner)]()


def _grid(values: Mapping[str, Sequence[Any]], seed: int) -> BaseSampler:
    """Every point once, in an order that the seed decides."""
    from optuna.samplers import GridSampler

    class Once(GridSampler):
        def after_trial(self, *_: Any, **__: Any) -> None:
            """The search ends by itself when all points have been asked for: the library's own end is for its loop."""

    return Once(values, seed=seed)


def _qmc(space: Space, seed: int, number: int) -> BaseSampler:
    """The point of a trial's number in a Sobol sequence; the library counts by itself, and two hosts to the same."""
    from optuna.samplers import QMCSampler

    class Numbered(QMCSampler):
        def infer_relative_search_space(self, *_: Any) -> dict[str, Any]:
            """Known from the first trial on."""
            return dict(space.drawn)

        def _find_sample_id(self, *_: Any) -> int:
            return number

    return Numbered(seed=seed, scramble=True, warn_asynchronous_seeding=False, warn_independent_sampling=False)
