"""Where the trials of a search are kept: a file in the sweep's directory, or a database that several hosts share."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from runner.errors import ConfigError, RecordError, RunFailed
from runner.secret import redacted
from runner.sweep.journal import journal

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from sqlalchemy import URL

T = TypeVar("T")

LOCKED_S = 10  # seconds that another connection may hold SQLite's lock
CONNECT_S = 10  # seconds until a server must have answered
AWAY_S = 10.0  # seconds that a server may be away in the middle of a search, e.g. to start anew
PAUSE_S = 0.5  # seconds until it is asked again
MAKING = 5  # attempts to make the tables, which another host may be making
DRIVERS = ("psycopg", "psycopg2")  # of PostgreSQL, both on libpq
GONE = "Record does not exist"  # what Optuna says of a study that was deleted
REMEDIES = {  # by what the cause says
    "locked": "close the program that has locked it",
    "is full": "free some space",
    "no space": "free some space",
    "disk i/o": "free some space, or look after the disk",
    "readonly": "make it writable",
    "read-only": "make it writable",
    "password": "give the password by environment: PGPASSWORD, or ~/.pgpass",
    "unable to open": "free some space, or make its folder writable",
    "not a database": "move it away",
    "malformed": "move it away",
    "schema": "use the version of Optuna that made it",
}


@dataclass(frozen=True)
class Storage:
    """What a search keeps its trials in.

    Fields:
        name: as it is told, without a password.
        make: the storage as Optuna takes it, connected.
        own: no other sweep writes to it.
        waits: whether it may be away for a moment.
    """

    name: str
    make: Callable[[], BaseStorage]
    own: bool = True
    waits: bool = False

    def open(self) -> BaseStorage:
        """Connect, and make the tables where there are none.

        Raises:
            RecordError: it cannot be used.
        """
        from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

        for attempt in range(MAKING):
            try:
                return self.make()
            except (IntegrityError, OperationalError, ProgrammingError) as error:
                if attempt == MAKING - 1 or "already exists" not in str(error):
                    raise self._unusable(error, RecordError) from error
                time.sleep(0.2 * (attempt + 1))  # two hosts have begun at once
            except RecordError:
                raise
            except Exception as error:  # whatever a driver of a database raises
                raise self._unusable(error, RecordError) from error
        raise AssertionError

    def ask(self, do: Callable[[], T]) -> T:
        """What `do` comes to. It is done again where the storage fails for a moment, and so must bear to be done twice.

        Raises:
            RunFailed: it fails for longer.
        """
        until: float | None = None
        while True:
            try:
                with self.telling():
                    return do()
            except RunFailed:
                until = until or time.monotonic() + AWAY_S
                if not self.waits or time.monotonic() > until:
                    raise
                time.sleep(PAUSE_S)

    @contextmanager
    def telling(self, kind: type[RecordError] | type[RunFailed] = RunFailed) -> Iterator[None]:
        """Errors of the storage in one line; others pass.

        Raises:
            RunFailed: or what `kind` says.
        """
        from optuna.exceptions import StorageInternalError
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (StorageInternalError, SQLAlchemyError, OSError) as error:
            raise self._unusable(error, kind) from error
        except KeyError as error:
            if GONE not in str(error):
                raise
            raise self._unusable(RuntimeError("the study has been deleted"), kind) from error

    def _unusable(self, error: Exception, kind: type[RecordError] | type[RunFailed]) -> RecordError | RunFailed:
        cause = _cause(error)
        remedy = next((do for words, do in REMEDIES.items() if words in cause.lower()), "bring it back")
        return kind(f"the storage {self.name} cannot be used: {cause}; {remedy}, and the same command goes on")


def storage(said: str | None, directory: Path) -> Storage:
    """The storage of a search.

    Args:
        said: null: SQLite in the sweep's directory; journal: a file there; else a URL.
        directory: of the sweep.

    Raises:
        ConfigError: the URL cannot be read, or its driver is not installed.
    """
    if said == "journal":
        path = directory / "study.journal"
        return Storage(str(path), lambda: journal(path))
    from sqlalchemy import URL

    if said is None:
        file = directory / "study.db"
        return Storage(str(file), lambda: _database(URL.create("sqlite", database=str(file))))
    url = _url(said)
    name = URL.create(url.get_backend_name(), url.username, None, url.host, url.port, url.database)
    waits = not url.drivername.startswith("sqlite")  # which waits for its lock itself
    return Storage(name.render_as_string(), lambda: _database(url), own=False, waits=waits)


def _url(said: str) -> URL:
    """A URL with a driver that is there."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(said)
        if url.drivername.startswith("sqlite") and url.database in (None, "", ":memory:"):
            raise ValueError("it would be gone with the process")
        if url.drivername in ("postgres", "postgresql"):
            there = next((name for name in DRIVERS if importlib.util.find_spec(name)), None)
            if there is None:
                raise ConfigError("hydra.sweeper.storage  needs psycopg: pip install 'runner[postgresql]'")
            url = url.set(drivername=f"postgresql+{there}")
        url.get_dialect().import_dbapi()
    except (ArgumentError, ValueError) as error:
        raise ConfigError(
            "hydra.sweeper.storage  must be null, journal or the URL of a database, e.g. postgresql://host/name"
        ) from error
    except ImportError as error:
        raise ConfigError(f"hydra.sweeper.storage  needs a driver of {url.drivername}: {error}") from error
    return url


def _database(url: URL) -> BaseStorage:
    from optuna.storages import RDBStorage, get_storage

    how: dict[str, Any] = {}
    if url.drivername.startswith("sqlite"):
        how["connect_args"] = {"timeout": LOCKED_S}
    else:
        how["pool_pre_ping"] = True  # a connection that broke between two jobs is made anew
        if url.get_driver_name() in DRIVERS and "connect_timeout" not in url.query:
            how["connect_args"] = {"connect_timeout": CONNECT_S}
    text = url.render_as_string(hide_password=False)
    return get_storage(RDBStorage(text.replace("{", "{{").replace("}", "}}"), engine_kwargs=how))  # it fills a template


def _cause(error: BaseException) -> str:
    """What the database itself said, without the statement that it was asked for."""
    at: BaseException | None = error
    while at is not None and getattr(at, "orig", None) is None:
        at = at.__cause__ or at.__context__
    said = at.orig if at is not None else error  # type: ignore[attr-defined]
    text = (said.strerror if isinstance(said, OSError) and said.strerror else str(said)).strip()
    first = text.splitlines()[0] if text else type(said).__name__
    return str(redacted(first))[:300].rstrip(".")
