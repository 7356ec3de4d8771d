"""Trials outlive whatever happens to workers, to a sweep, and to what they are kept in; hosts share them."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runner.errors import ConfigError
from runner.sweep.aims import Goal, SearchConfig
from runner.sweep.search import opened
from runner.sweep.space import space
from runner.sweep.storage import storage
from tests.faults.conftest import disk  # noqa: F401
from tests.sweep.postgres import PASSWORD, Server
from tests.sweep.processes import until
from tests.sweep.trials import study, told

optuna = pytest.importorskip("optuna")
TRIALS = 8


@pytest.fixture(scope="module")
def server():
    made = Server.made()
    yield made
    made.remove()


@pytest.fixture
def stoppable(server):
    """The same, running again at the end of the test."""
    yield server
    if not server.running:
        server.start()


@pytest.fixture
def database(server, monkeypatch):
    """The URL of an empty database; the password is where libpq looks for it."""
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    name = f"runner_{time.monotonic_ns()}"
    server.create(name)
    return server.url(name)


@pytest.fixture
def searching(doing):
    """The arguments of a search that draws by the trials' numbers alone, in two workers."""

    def arguments(what, *more, **fields):
        given = [text for text in doing(what, **fields) if not text.startswith("hydra.launcher")]
        return [*given, "hydra/sweeper=search", f"hydra.sweeper.n_trials={TRIALS}", "hydra.sweeper.sampler=random",
                "hydra.sweeper.metric=well_formed", "hydra.launcher.n_jobs=2", "seed=tag(int,interval(0,100000))",
                "decode.max_new_tokens=range(3,8)", *more]  # fmt: skip

    return arguments


@pytest.fixture(scope="module")
def known():
    return []


@pytest.fixture
def calm(cli, searching, known):
    """What the search comes to where nothing happens to it; it is run once."""
    if not known:
        ended = cli(*searching("work", "sweep.name=calm"))
        assert ended.code == 0, ended.err
        known += told(study(cli.home, name="calm*"))
        shutil.rmtree(cli.home / "outputs")
        assert len({str(params) for _, params, _, _ in known}) == TRIALS
    return known


def done(home):
    """How many runs there are that have ended well."""
    return sum('"state": "done"' in path.read_text() for path in home.glob("outputs/*/*/status.json"))


@pytest.fixture
def meanwhile(cli):
    """Does something from another thread as soon as so many runs are done."""
    pool = ThreadPoolExecutor()

    def begin(act, after=2):
        return pool.submit(lambda: (until(lambda: done(cli.home) >= after), act()))

    yield begin
    pool.shutdown()


def test_a_killed_worker_costs_no_trial(cli, searching, calm, database, tmp_path):
    mark = tmp_path / "mark"
    ended = cli(*searching("kill", f"hydra.sweeper.storage={database}", mark=str(mark)))
    assert ended.code == 0 and mark.exists(), ended.err
    assert told(study(cli.home, url=database)) == calm


@pytest.fixture
def host(spawn, rules):
    """The command line in a process of its own."""
    path = f"{Path(__file__).parents[2]}{os.pathsep}{rules}"
    return lambda home, arguments: spawn(*arguments, cwd=home, env={"PYTHONPATH": path})


def test_a_killed_sweep_goes_on_with_its_trials(cli, host, searching, calm, database):
    arguments = searching("slow", f"hydra.sweeper.storage={database}")
    process = host(cli.home, arguments)
    until(lambda: done(cli.home) >= 2)
    process.kill()
    process.wait()
    states = [trial.state.name for trial in study(cli.home, url=database).trials]
    assert "RUNNING" in states
    ended = cli(*arguments)
    assert ended.code == 0, ended.err
    assert told(study(cli.home, url=database)) == calm


def test_two_hosts_share_the_trials(cli, host, searching, calm, database, tmp_path):
    """No disk is shared: each has its own home, and knows the other by the database alone."""
    other = tmp_path / "other"
    other.mkdir()
    arguments = searching("slow", f"hydra.sweeper.storage={database}")
    process = host(other, arguments)
    until(lambda: list(other.glob("outputs/*/*/status.json")))
    ended = cli(*arguments)
    assert ended.code == 0, ended.err
    assert process.wait(60) == 0
    found = study(cli.home, url=database)
    assert told(found) == calm
    runs = [{path.parent.name for path in home.glob("outputs/*/*/status.json")} for home in (cli.home, other)]
    assert all(runs) and not runs[0] & runs[1] and len(runs[0] | runs[1]) == TRIALS
    assert cli(*arguments).code == 0  # the other one's last trial is known now
    (best, *_) = json.loads(next(cli.home.glob("outputs/sweeps/*/best.json")).read_text())
    assert best["values"]["well_formed"] == found.best_value and best["host"] == os.uname().nodename
    assert (cli.home / best["directory"]).exists() != (other / best["directory"]).exists()


def test_a_server_that_goes_away_ends_the_search_in_one_line(
    cli, searching, calm, database, stoppable, meanwhile, monkeypatch
):
    monkeypatch.setattr("runner.sweep.storage.AWAY_S", 0.2)
    arguments = searching("slow", f"hydra.sweeper.storage={database}")
    stopped = meanwhile(stoppable.stop)
    ended = cli(*arguments)
    stopped.result()
    assert ended.code == 1
    assert ended.err.startswith(f"RunFailed: the storage {database} cannot be used: ") and "sqlalche" not in ended.err
    assert ended.err.endswith("; bring it back, and the same command goes on\n") and ended.err.count("\n") == 1
    refused = cli(*arguments)
    assert refused.code == 2 and refused.err.startswith(f"RecordError: the storage {database} cannot be used")
    stoppable.start()
    assert cli(*arguments).code == 0
    assert told(study(cli.home, url=database)) == calm


def test_a_server_that_is_back_soon_is_waited_for(cli, searching, calm, database, stoppable, meanwhile):
    again = meanwhile(lambda: (stoppable.stop(), time.sleep(1), stoppable.start()))
    ended = cli(*searching("slow", f"hydra.sweeper.storage={database}"))
    again.result()
    assert (ended.code, ended.err) == (0, "")
    assert told(study(cli.home, url=database)) == calm


def test_a_password_comes_from_the_environment_and_stays_there(cli, searching, database, server, monkeypatch):
    url = database.replace("postgres@", f"postgres:{PASSWORD}@")
    refused = cli(*searching("work", f"hydra.sweeper.storage={url}"))
    assert refused.code == 2 and list(cli.home.iterdir()) == [] and PASSWORD not in refused.out + refused.err
    assert "hydra.sweeper.storage  holds a password: give it by PGPASSWORD or ~/.pgpass" in refused.err
    monkeypatch.delenv("PGPASSWORD")
    monkeypatch.setenv("RUNNER_STORAGE", url)
    given = searching("work", "hydra.sweeper.storage=${oc.env:RUNNER_STORAGE}", "hydra.sweeper.n_trials=2")
    assert cli(*given).code == 0
    (directory,) = cli.home.glob("outputs/sweeps/*")
    resumed = cli(f"sweep.resume={directory.relative_to(cli.home)}", "hydra.sweeper.n_trials=3")
    assert resumed.code == 0, resumed.err
    assert len(study(cli.home, url=url).trials) == 3
    monkeypatch.setenv("RUNNER_STORAGE", url.replace(PASSWORD, "falsch7391"))
    wrong = cli(*given)
    assert wrong.code == 2 and "falsch7391" not in wrong.err and wrong.err.count("\n") == 1, wrong.err
    assert "password authentication failed" in wrong.err and "PGPASSWORD" in wrong.err
    kept = [path for path in cli.home.rglob("*") if path.is_file()]
    assert kept and not [path for path in kept if b"7391" in path.read_bytes()]


def test_a_locked_database_ends_the_search_in_one_line(cli, searching, calm, meanwhile, monkeypatch):
    monkeypatch.setattr("runner.sweep.storage.LOCKED_S", 0.2)
    held = []

    def lock():
        (path,) = cli.home.glob("outputs/sweeps/*/study.db")
        held.append(sqlite3.connect(path, check_same_thread=False))
        held[0].execute("BEGIN EXCLUSIVE")

    locked = meanwhile(lock)
    ended = cli(*searching("slow"))
    locked.result()
    (directory,) = cli.home.glob("outputs/sweeps/*")
    where = f"{directory.relative_to(cli.home)}/study.db"
    remedy = "close the program that has locked it, and the same command goes on"
    line = f"the storage outputs/sweeps/{directory.name}/study.db cannot be used: database is locked; {remedy}\n"
    assert (ended.code, ended.err) == (1, f"RunFailed: {line}") and where in line
    refused = cli(*searching("slow"))
    assert (refused.code, refused.err) == (2, f"RecordError: {line}")
    held[0].close()
    assert cli(*searching("slow")).code == 0
    assert told(study(cli.home)) == calm


@pytest.mark.parametrize("whole", [False, True], ids=["storage", "sweep"])
def test_a_full_disk_ends_the_search_in_one_line(cli, searching, calm, meanwhile, disk, whole):  # noqa: F811
    small = disk(2_000_000)
    if not small.mounted:
        pytest.skip("needs a file system of its own")
    url = f"sqlite:///{small.path}/trials.db"
    if whole:
        (cli.home / "outputs").symlink_to(small.path)
    arguments = searching("slow", *([] if whole else [f"hydra.sweeper.storage={url}"]))

    def fill():
        (small.path / "filler").write_bytes(bytes(shutil.disk_usage(small.path).free // 4096 * 4096))

    filled = meanwhile(fill)
    ended = cli(*arguments)
    filled.result()
    assert ended.code == 1 and "Traceback" not in ended.err and ended.err.count("\n") == 1, ended.err
    if not whole:
        told_ = f"the storage {url} cannot be used: database or disk is full; free some space"
        assert ended.err == f"RunFailed: {told_}, and the same command goes on\n"
    small.free()
    again = cli(*arguments)
    assert again.code == 0, again.err
    assert told(study(cli.home, url=None if whole else url)) == calm


def test_a_torn_journal_is_mended(cli, searching):
    fewer = searching("work", "hydra.sweeper.storage=journal", "hydra.sweeper.n_trials=2")
    assert cli(*fewer).code == 0
    (path,) = cli.home.glob("outputs/sweeps/*/study.journal")
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"op_code":4,"worker')
    Path(f"{path}.lock").symlink_to(path)  # of the process that was killed
    begun = time.monotonic()
    more = [text.replace("n_trials=2", "n_trials=3") for text in fewer]
    assert cli(*more).code == 0 and time.monotonic() - begun < 20
    backend = optuna.storages.journal.JournalFileBackend(str(path))
    kept = optuna.load_study(study_name=path.parent.name, storage=optuna.storages.JournalStorage(backend))
    assert [trial.state.name for trial in kept.trials] == ["COMPLETE"] * 3
    path.write_bytes(whole[:300] + b"\x00\n" + whole[300:])
    refused = cli(*more)
    assert refused.code == 2 and f"{path.name} is damaged at line " in refused.err and refused.err.count("\n") == 1


def test_what_cannot_be_a_storage_is_refused(cli, searching, monkeypatch):
    for url, expected in {
        "study.db": "must be null, journal or the URL of a database",
        "sqlite://": "must be null, journal or the URL of a database",
        "nosql://host/name": "must be null, journal or the URL of a database",
        "mysql+pymysql://host/name": "needs a driver of mysql+pymysql: No module named 'pymysql'",
    }.items():
        with pytest.raises(ConfigError, match="hydra.sweeper.storage  ") as error:
            storage(url, Path())
        assert expected in str(error.value)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"needs psycopg: pip install 'runner\[postgresql\]'"):
        storage("postgresql://host/name", Path())


def test_hosts_that_begin_at_once_make_the_tables_together(database, tmp_path):
    makers = [storage(database, tmp_path) for _ in range(4)]
    ready = threading.Barrier(4)

    def begin(one):
        ready.wait()
        options = SearchConfig()
        return opened(options, [Goal("x", True)], space(["a=1,2"], {}), one, "one")

    with ThreadPoolExecutor(4) as pool:
        studies = list(pool.map(begin, makers))
    assert {found.user_attrs["space"]["a"] for found in studies} == {studies[0].user_attrs["space"]["a"]}
