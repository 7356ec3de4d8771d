"""What a launcher of Hydra's starts, on whatever machine: a worker of a sweep, until that lets it go."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.errors import RunFailed
from runner.sweep.pool import Local
from runner.sweep.post import POLL_S, TERMINAL, Incoming, Outgoing, address, held, is_held

SEAL_S = 60.0  # seconds that a job has to stop by itself; submitit gives notice two minutes before the end
PASSED_ON = ("RUNNER_TRUST", "HF_HOME", "HF_HUB_OFFLINE", "HF_ENDPOINT")  # of the environment: no secrets


@dataclass(frozen=True)
class Host:
    """Hydra's task function; its job number is that of the host.

    Fields:
        folder: of the messages, on a file system that all machines share.
        log: where what the workers print goes; {} is the number.
        threads: processor threads of each job that does not say how many.
        machine: of the sweep itself.
        place: its working directory.
        path: where it finds its modules.
    """

    folder: str
    log: str
    threads: int | None = None
    machine: str = field(default_factory=socket.gethostname)
    place: str = field(default_factory=os.getcwd)
    path: Sequence[str] = field(default_factory=lambda: list(sys.path))
    environment: Mapping[str, str] = field(
        default_factory=lambda: {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    )

    def __call__(self, composed: Any) -> None:
        """Work until there is no more to do; a host that starts when the sweep has ended has nothing to do."""
        from hydra.core.hydra_config import HydraConfig

        folder, number = Path(self.folder), HydraConfig.get().job.num
        multiprocessing.set_start_method("forkserver", force=True)  # whatever the launcher's processes start theirs by
        with suppress(ValueError):  # in the sweep's own process (joblib with one worker), which heeds them
            for one in TERMINAL:
                signal.signal(one, signal.SIG_IGN)
        os.chdir(self.place)
        os.environ.update(self.environment)
        sys.path += [entry for entry in self.path if entry not in sys.path]
        with suppress(FileNotFoundError), held(folder / f"{number}.lock"):  # the folder goes when the sweep ends
            self._attend(folder, number)

    def _attend(self, folder: Path, number: int) -> None:
        name = f"{socket.gethostname()}/{os.getpid()}/{time.time_ns()}"  # a host that was started again has another
        pool = Local(Path(self.log.format(number)), self.threads)
        orders = Incoming(folder / f"{number}.orders")
        desk = Desk(name, pool, Outgoing(folder / f"{number}.told"))
        try:
            desk.told.send(name, "begun", socket.gethostname())
            while not orders.lost and not self._orphaned(folder):
                for order in orders.new():
                    desk.obey(order)
                if desk.over:
                    return
                desk.listen()
        except RunFailed as error:
            desk.told.send(name, "failed", str(error))
        except FileNotFoundError:  # the sweep has ended
            raise
        except BaseException:  # raised by submitit where the time limit is near, by Ctrl-C elsewhere
            desk.stop()
            raise
        finally:
            pool.close()

    def _orphaned(self, folder: Path) -> bool:
        return self.machine == socket.gethostname() and not is_held(folder / "lock")


@dataclass
class Desk:
    """Orders to a worker, and what it tells back.

    Fields:
        name: of the host.
        progress: of the worker's job, told with the next sign of life.
    """

    name: str
    pool: Local
    told: Outgoing
    progress: Sequence[Any] = ()
    over: bool = False

    def listen(self) -> None:
        """Pass on what the worker tells; where it has ended there is another one."""
        if not self.pool.workers:
            self.pool.hire()
        (worker,) = self.pool.workers
        ready = worker.ready
        for _, message in self.pool.events(POLL_S):
            if message[0] == "progress":
                self.progress = message[1:]
            else:
                self.told.send(self.name, *message)
        if worker.ready and not ready and worker in self.pool.workers:
            self.told.send(self.name, "ready", worker.line.pid)
        self.told.beat(self.name, "alive", worker.line.memory_mb, self.progress)

    def stop(self) -> None:
        """The machine is taken back: a job that is under way stops where another worker can go on with it."""
        until, stopped = time.monotonic() + SEAL_S, False
        for worker in self.pool.workers:
            worker.line.signal(signal.SIGTERM)
        while self.pool.workers and not stopped and time.monotonic() < until:
            for _, message in self.pool.events(POLL_S):
                if message[0] == "ended":
                    self.told.send(self.name, *message)
                stopped = stopped or message[0] in ("ended", "gone")  # gone: the job had not quite begun
        self.told.send(self.name, "left")

    def obey(self, order: Sequence[Any]) -> None:
        """(to whom, what, ...); what is for a worker that has ended is not for the next one."""
        to, what, *more = order
        mine = [worker for worker in self.pool.workers if to == address(self.name, worker.line.pid)]
        if what == "leave" and (mine or not to):  # or to whoever is there
            self.over = True
        for worker in mine:
            if what == "job":
                self.progress = ()
                worker.line.send(more)
            elif what == "signal":
                worker.line.signal(more[0])
