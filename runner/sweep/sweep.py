"""One sweep, from the values given to a directory that holds its plan and what came of it."""

from __future__ import annotations

import importlib.util
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.compose import Composer, composer
from runner.config import Config
from runner.errors import DONE, ConfigError, RecordError
from runner.files import read_json
from runner.record import disk_error
from runner.sweep.board import COSTS, chosen_metric
from runner.sweep.crew import Limits
from runner.sweep.directory import FILE, locked, place, read
from runner.sweep.grid import Grid, grid
from runner.sweep.launcher import Launcher
from runner.sweep.options import SweepConfig, spelled
from runner.sweep.plan import Job, Plan, thawed, way_of
from runner.sweep.plugins import before, is_plugin
from runner.sweep.source import Listed, Source
from runner.sweep.work import Work

if TYPE_CHECKING:
    from omegaconf import DictConfig

FURTHER = ("hydra.sweeper.n_trials=", "hydra.sweeper.budget_s=")  # how far a search goes


@dataclass
class Sweep:
    """What was asked for, as Hydra's plugins are handed it.

    Fields:
        options: of the sweep.
        arguments: the overrides of its jobs.
        plugins: the overrides that chose a sweeper and a launcher, and their options.
        limits: what was said of any launcher: n_jobs, timeout_s, memory_mb.
        also: a further folder of YAML groups.
        code: the exit code, once it has ended.
        error: what it failed with.
    """

    options: SweepConfig
    arguments: Sequence[str]
    plugins: Sequence[str]
    limits: Mapping[str, Any]
    also: str | None = None
    code: int = DONE
    error: Exception | None = None

    def __call__(self, composed: DictConfig) -> None:
        """Hydra's name for a job; those of a sweep are run by its workers."""
        raise ConfigError("hydra/sweeper  jobs are run by the runner's own sweepers")

    def grid(self, launcher: Launcher) -> None:
        """Every combination of the values given."""
        with self._carrying(), composer(self.also) as composing:
            points, options = grid(self.arguments, self.options, composing.folders), self.options
            asked = {"command": [*self.arguments], "sweeper": _determining(self.plugins), "seeds": options.seeds,
                     "tied": options.tied, "when": options.when, "name": options.name}  # fmt: skip
            placed = partial(self._place, varied=points.varied, asked=asked)
            first, numbers = _checked(points.samples(), composing, lambda one: self._prepare(launcher, placed(one)))
            directory = placed(first)
            numbers |= COSTS if options.metric in COSTS else {}
            chosen_metric([], numbers, options.metric)
            limits = launcher.limits(self.limits)
            once = {"axes": points.frozen}
            work = Work(directory, asked, options, limits, numbers, self.plugins, once)

            def source(plan: Plan, facts: Mapping[str, Any]) -> Source:
                given = points.as_planned(facts["axes"])
                plan.amend(partial(_again, composing))
                return Listed(planned(plan, given, composing), len(given))

            self.code = work.done(source, launcher.pool)

    def search(self, launcher: Launcher, given: Mapping[str, Any]) -> None:
        """Points that a study chooses."""
        with self._carrying(), composer(self.also) as composing:
            if self.options.dry_run:
                raise ConfigError("dry_run  lists a grid; a search draws its points when it runs")
            if importlib.util.find_spec("optuna") is None:
                raise ConfigError("hydra/sweeper=search  needs optuna: pip install 'runner[search]'")
            from runner.sweep import aims, search, space, storage

            options, drawn = aims.asked(given), space.space(self.arguments, self.options.when)
            first, numbers = _checked(drawn.samples(), composing, lambda _: launcher.prepare())
            found = aims.problems(options, numbers, first)
            found += [f"{name}  is for a grid: draw it as any other key" for name in self._of_grids()]
            if found:
                raise ConfigError(found)
            goals = aims.goals(options, numbers)
            asked = {"command": [*self.arguments], "goals": [goal.name for goal in goals], "when": self.options.when,
                     "name": self.options.name, "sweeper": _determining(self.plugins)}  # fmt: skip
            asked |= {"constraints": options.constraints} if options.constraints else {}
            directory = self._place(first, list(drawn.drawn), asked)
            # a trial that failed has failed: the study has counted it
            chosen = replace(self.options, metric=self.options.metric or goals[0].name, failed="skip")
            limits = replace(launcher.limits(self.limits), budget_s=options.budget_s)
            kept = storage.storage(options.storage, directory)
            once = {"owner": f"{socket.gethostname()}:{directory.absolute()}"}
            work = Work(directory, asked, chosen, limits, {**numbers, **COSTS}, self.plugins, once)

            def source(plan: Plan, facts: Mapping[str, Any]) -> Source:
                study = search.opened(options, goals, drawn, kept, directory.name)
                begun = {job.number: job for job in plan}
                composed = partial(_composed, plan, composing)
                owner = facts["owner"]  # as it was when the sweep was begun: its directory may be on another host now
                return search.Search(options, drawn, goals, kept, study, owner, directory, composed, begun)

            self.code = work.done(source, launcher.pool, goals[0].name if options.pruner else None)

    def _of_grids(self) -> list[str]:
        """Options that mean nothing to a search."""
        return ["seeds"] * (self.options.seeds is not None) + ["sweep.tied"] * bool(self.options.tied)

    def _place(self, first: Config, varied: Sequence[str], asked: dict[str, Any]) -> Path:
        """The directory of the sweep; the folder of the user's own groups is a part of what was asked for."""
        asked["also"] = None if self.also is None else str(Path(self.also).resolve())
        if self.options.resume is not None:
            return Path(self.options.resume)
        return place(first.output_dir, self.options.name or first.task.name, varied, asked)

    def _prepare(self, launcher: Launcher, directory: Path) -> None:
        """Workers' libraries are imported while the jobs are composed, unless nothing will be left to do."""
        known = read_json(directory / FILE)
        if not self.options.dry_run and not (isinstance(known, dict) and known.get("state") == "done"):
            launcher.prepare()

    @contextmanager
    def _carrying(self) -> Iterator[None]:
        """Errors past Hydra, which would print a traceback of them."""
        try:
            yield
        except OSError as error:
            self.error = disk_error(error, Path(error.filename or ".").absolute().parent) or error
        except Exception as error:
            self.error = error


def resumed(options: SweepConfig, rest: Sequence[str]) -> tuple[SweepConfig, list[str], str | None]:
    """What a sweep was asked for by, and its folder of groups; what is said of it now counts.

    Raises:
        RecordError: the directory holds none, or one of other jobs.
    """
    assert options.resume is not None
    directory = Path(options.resume)
    facts = read(directory)
    asked, plugins = facts["asked"], [text for text in rest if is_plugin(text)]
    different = [text for text in rest if text not in (*asked["command"], *plugins)]
    kept = {name: asked[name] for name in ("seeds", "tied", "when", "name") if name in asked}
    said = {name: value for name in kept if (value := getattr(options, name)) != getattr(SweepConfig(), name)}
    different += [f"{spelled(name)}={value}" for name, value in said.items() if value != kept[name]]
    if different:
        raise RecordError(f"{directory} holds a different sweep: {', '.join(different)}")
    earlier = before(facts.get("plugins", []), plugins)
    return replace(options, **kept), [*asked["command"], *earlier, *plugins], asked.get("also")


def show(options: SweepConfig) -> Iterator[str]:
    """The results of a sweep, as far as it has come; its files are written anew, unless it is being worked off.

    Raises:
        RecordError: the directory holds none.
    """
    assert options.show is not None
    directory = Path(options.show)
    facts, plan = read(directory), Plan(directory)
    first = next((job for job in plan if not job.error), None)
    if first is None:
        raise RecordError(f"{directory} has no jobs yet")
    goals = facts["asked"].get("goals")
    chosen = replace(options, metric=options.metric or (goals[0] if goals else None))
    numbers = {**way_of(thawed(first.config)).numbers, **COSTS}
    work = Work(directory, facts["asked"], chosen, Limits(), numbers)
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(directory))
            why = ""
        except RecordError as error:
            why = str(error)
        facts = read(directory)
        state = "killed" if facts["state"] == "running" and not why else facts["state"]
        yield f"{directory} · {state}"
        yield from work.results(plan, _base(directory, facts, thawed(first.config).output_dir), kept=not why)
        if why:
            yield f"its files stay as they are: {why}"


def _base(directory: Path, facts: Mapping[str, Any], output_dir: str) -> Path:
    """Where relative paths of a sweep's jobs begin, wherever it is shown from, or has been moved to."""
    outputs, named = directory.resolve().parents[1], Path(output_dir)
    depth = len(outputs.parts) - len(named.parts)
    beside = not named.is_absolute() and outputs.parts[depth:] == named.parts
    base = Path(*outputs.parts[:depth]) if beside else Path(facts.get("working_directory", "."))
    return Path() if base == Path.cwd() else base


def planned(plan: Plan, points: Grid, composing: Composer) -> Iterator[Job]:
    """The jobs of a plan, and then those of the points that are not in it yet, each written down as it is composed."""
    done, number = plan.points, plan.size
    yield from (_again(composing, job) for job in plan)
    if plan.complete:
        return
    varied = set(points.varied)
    for point, overrides in enumerate(points):
        if point < done:
            continue
        differs = [text for text in overrides if text.lstrip("+").partition("=")[0] in varied]
        job = _job(composing, number, point, overrides, differs)
        if job.error or job.id not in plan.ids:
            plan.append(job)
            number += 1
            yield job
    plan.end(len(points))


def _job(composing: Composer, number: int, point: int, overrides: list[str], differs: list[str]) -> Job:
    """A job, or why it cannot be run."""
    try:
        return Job.of(number, point, composing.config(overrides), overrides, differs)
    except ConfigError as error:
        told = "; ".join(" ".join(problem.split()) for problem in error.problems)
        return Job(number, point, "", overrides, differs, "", {}, f"ConfigError: {told}")


def _again(composing: Composer, job: Job) -> Job:
    """A job; one that could not be composed may be by now."""
    return _job(composing, job.number, job.point, job.overrides, job.differs) if job.error else job


def _composed(plan: Plan, composing: Composer, number: int, overrides: list[str], differs: list[str]) -> Job:
    """The job of a trial, which stands in the plan from then on."""
    job = _job(composing, number, number, overrides, differs)
    plan.append(job)
    return job


def _checked(
    points: Iterable[Iterable[list[str]]], composing: Composer, begun: Callable[[Config], None]
) -> tuple[Config, dict[str, bool]]:
    """The first configuration, which `begun` is told at once, and the numbers of all that were looked at.

    Args:
        points: for each value that is given some that have it.
        composing: them.
        begun: told of the first.

    Raises:
        ConfigError: naming each value that goes with none.
    """
    known: dict[tuple[str, ...], list[str]] = {}  # what is wrong with a point
    found: list[str] = []
    first: Config | None = None
    ways: dict[str, Mapping[str, bool]] = {}
    for around in points:
        wrong: list[str] = []
        for overrides in around:
            point = tuple(overrides)
            if point not in known:
                try:
                    config = composing.config(overrides)
                    if first is None:
                        begun(config)
                    first, known[point] = first or config, []
                    kind = repr((config.task, config.evaluates))
                    ways[kind] = ways.get(kind) or way_of(config).numbers
                except ConfigError as error:
                    known[point] = error.problems
            if not known[point]:
                wrong = []
                break
            wrong = wrong or known[point]
        found += wrong
    if found or first is None:
        raise ConfigError(list(dict.fromkeys(found)))
    return first, {name: larger for numbers in ways.values() for name, larger in numbers.items()}


def _determining(plugins: Sequence[str]) -> list[str]:
    """Overrides of a sweeper, which decides what jobs there are; how far a search goes does not."""
    own = [text for text in plugins if text.startswith(("hydra/sweeper", "hydra.sweeper"))]
    return sorted(text for text in own if not text.startswith(FURTHER))
