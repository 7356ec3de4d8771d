"""A worker process: jobs one after another, each as if it were alone."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from runner.errors import Pruned, RecordError, RunnerError, Stopped
from runner.files import read_json
from runner.kept import Kept
from runner.stop import GIVE_UP
from runner.sweep.paired import by_row
from runner.sweep.plan import thawed, way_of
from runner.types import Reached, Row

TOLD_S = 0.2  # seconds between two reports of progress
PASSING = (ConnectionError, TimeoutError, BlockingIOError, InterruptedError)  # causes that may pass
PASSES = ("cannot be reached", "timed out", "temporarily")  # in the words of the errors that are told in one line


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Fields:
        state: done | failed | stopped | pruned | busy (another process is at this run).
        directory: of the run, if there is one.
        error: why it failed, one line.
        passing: whether the cause may pass.
        fresh: False where it had been done before.
        changed: whether it had been done before with other inputs.
        seconds: of its work, imports and loading left out.
        wall_s: seconds from its beginning to its end.
        loads: checkpoints that the worker has loaded so far.
    """

    state: str
    directory: str = ""
    error: str = ""
    passing: bool = False
    fresh: bool = True
    changed: bool = False
    seconds: float = 0.0
    wall_s: float = 0.0
    loads: int = 0
    metrics: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Seat:
    """Where a worker works: what a process of its own would have from whoever started it.

    Fields:
        log: where what the libraries print goes.
        threads: processor threads of each job that does not say how many.
    """

    log: str
    threads: int | None
    place: str = field(default_factory=os.getcwd)
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    def take(self) -> None:
        """Nothing is read from the terminal, what is printed goes to the log; its Ctrl-C is the parent's to pass on."""
        os.setpgid(0, 0)
        os.chdir(self.place)
        os.environ.clear()
        os.environ.update(self.environment)
        if self.threads is not None:
            os.environ.setdefault("OMP_NUM_THREADS", str(self.threads))
        written = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (written, 1), (written, 2)):
            os.dup2(source, target)
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(GIVE_UP, signal.SIG_IGN)  # but in a run, see stop_on_signals


def serve(pipe: Any, life: Any, seat: Seat) -> None:
    """Do jobs until the pipe brings None, or whoever holds the other end of `life` is gone.

    Args:
        pipe: brings (configuration, overrides, metric), takes ("ready" | "progress" | "reached" | "ended", ...).
        life: closed when the parent ends, however it ends.
        seat: taken first.
    """
    seat.take()
    threading.Thread(target=_end_with, args=(life,), daemon=True).start()
    from runner import experiment

    kept, alone = Kept(), Alone()
    pipe.send(("ready", os.getpid()))
    while (job := pipe.recv()) is not None:
        values, overrides, metric = job
        start = time.perf_counter()
        alone.restore()
        outcome = _ended(experiment, values, overrides, Telling(pipe, metric), kept)
        seconds = cost(Path(outcome.directory)) if outcome.state == "done" else 0.0
        told = asdict(outcome) | {"seconds": seconds, "wall_s": time.perf_counter() - start, "loads": kept.loads}
        _send(pipe, ("ended", told))


def _ended(experiment: Any, values: Mapping[str, Any], overrides: Sequence[str], observer: Any, kept: Kept) -> Outcome:
    try:
        config = thawed(values)
        observer.parts = way_of(config).parts
        result = experiment.run(config, observer, overrides, kept)
    except Pruned as error:
        return Outcome("pruned", _where(error), str(error))
    except Stopped as error:
        return Outcome("stopped", _where(error), str(error))
    except KeyboardInterrupt as error:
        return Outcome("stopped", _where(error), "interrupted")
    except SystemExit as error:
        return Outcome("failed", _where(error), f"process ended with code {error.code}")
    except RunnerError as error:
        if isinstance(error, RecordError) and error.in_use:
            return Outcome("busy", error=str(error))
        if isinstance(error, RecordError) and error.changed:
            told = f"inputs changed since this run ({', '.join(error.changed)}); sweep.done=redo replaces it"
            return Outcome("failed", error=told, changed=True)
        from runner.secret import redacted

        told = f"{type(error).__name__}: {redacted(' '.join(str(error).split()))}"
        return Outcome("failed", _where(error), told, any(words in told for words in PASSES))
    except Exception as error:
        traceback.print_exc()
        return Outcome(
            "failed", _where(error), f"{type(error).__name__}: {error}".splitlines()[0], isinstance(error, PASSING)
        )
    metrics = {name: asdict(one) for name, one in result.metrics.items()}
    return Outcome("done", str(result.directory), fresh=result.fresh, metrics=metrics)


def _where(error: BaseException) -> str:
    return next(iter(getattr(error, "__notes__", [])), "").partition("        ")[0]


@dataclass
class Telling:
    """An observer at the other end of a pipe.

    Fields:
        metric: the number whose way is told while a run works; None: no one wants to know.
        parts: see Metric.
    """

    pipe: Any
    metric: str | None = None
    parts: Mapping[str, Any] = field(default_factory=dict)
    last: float = 0.0  # when progress was told, seconds

    def phase(self, line: str) -> None:
        """log.txt of the run keeps it."""

    def answer(self, row: Row, prediction: Any) -> None:
        """predictions.jsonl keeps it."""

    def progress(self, name: str, done: int, total: int | None, note: str, under_way: float = 0.0) -> None:
        """A few times a second."""
        now = time.monotonic()
        if done == total or now - self.last > TOLD_S:
            self.last = now
            _send(self.pipe, ("progress", name, done, total, note))

    @property
    def follows(self) -> bool:
        """See Following."""
        return self.metric is not None

    def reached(self, step: int, find: Callable[[], Reached]) -> None:
        """The number so far, and what each row has in it."""
        assert self.metric is not None
        numbers, scores = find()
        rows = by_row(scores, self.parts.get(self.metric)) or {}
        _send(self.pipe, ("reached", {"step": step, "numbers": dict(numbers), "rows": rows}))


class Alone:
    """The state of a fresh process, set back before each job."""

    def __init__(self) -> None:
        import numpy
        import torch

        self.environment, self.place = dict(os.environ), os.getcwd()
        self.random = (random.getstate(), numpy.random.get_state(), torch.get_rng_state())
        self.dtype, self.threads = torch.get_default_dtype(), torch.get_num_threads()

    def restore(self) -> None:
        """Everything is as it was when the process began."""
        import numpy
        import torch

        os.environ.clear()
        os.environ.update(self.environment)
        os.chdir(self.place)
        random.setstate(self.random[0])
        numpy.random.set_state(self.random[1])
        torch.set_rng_state(self.random[2])
        torch.set_default_dtype(self.dtype)
        torch.set_num_threads(self.threads)
        torch.use_deterministic_algorithms(False)


def cost(directory: Path) -> float:
    """Seconds of a run's work, imports and loading left out."""
    timing = read_json(directory / "timing.json")
    phases = timing.get("phases", {}) if isinstance(timing, dict) else {}
    return float(sum(value for name, value in phases.items() if name in ("train", "predict")))


def _send(pipe: Any, what: Any) -> None:
    """A parent that is gone is no failure of the job: it is left as it is, to be gone on with."""
    try:
        pipe.send(what)
    except OSError:
        os._exit(1)


def _end_with(life: Any) -> None:
    """End this process when the parent is gone; a parent's death under forkserver sends no signal."""
    try:
        life.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)
