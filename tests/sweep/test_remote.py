"""What goes between a sweep and its hosts: silence, restarts, and orders for a worker that another has replaced."""

from __future__ import annotations

import signal
import socket
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from runner.sweep import post as posts
from runner.sweep.host import Desk, Host
from runner.sweep.pool import Local
from runner.sweep.post import Incoming, Outgoing, address, held
from runner.sweep.remote import Post, Remote
from runner.sweep.workers import Worker
from tests.sweep.processes import until


@dataclass
class Written:
    """A line to no process: what is sent stays here."""

    pid: int
    memory_mb: float = 0.0
    sent: list[object] = field(default_factory=list)

    def send(self, order):
        self.sent.append(order)
        return True

    def signal(self, number):
        self.sent.append(number)


@pytest.fixture
def post(tmp_path):
    return Post.at(tmp_path, 0)


@pytest.fixture
def tell(tmp_path):
    """Says something as a host does."""
    return Outgoing(tmp_path / "0.told").send


def heard(post):
    return [event for _, event in post.events()]


def orders(post):
    return [order for order in Incoming(post.orders.path).new() if order[1] != "alive"]


def test_a_host_that_was_silent_for_long_is_given_jobs_again(post, tell, monkeypatch):
    tell("host", "begun", "elsewhere")
    tell("host", "ready", 1)
    assert heard(post) == [] and post.worker is not None and post.alive
    monkeypatch.setattr(posts, "LOST_S", -1.0)
    assert heard(post) == [("gone", None)] and post.worker is None and not post.alive
    assert orders(post) == [[address("host", 1), "signal", signal.SIGKILL]]  # its job may be another's now
    monkeypatch.undo()
    tell("host", "ended", {})
    tell("host", "gone", -9)
    tell("host", "ready", 2)
    assert heard(post) == [] and post.worker is not None and post.worker.line.pid == 2 and post.alive


def test_a_host_that_imports_for_long_is_not_forgotten(post, tell, monkeypatch):
    tell("host", "begun", "elsewhere")
    monkeypatch.setattr(posts, "LOST_S", -1.0)
    assert heard(post) == [] and not post.alive
    monkeypatch.undo()
    tell("host", "ready", 1)
    assert heard(post) == [] and post.worker is not None


def test_what_a_worker_took_is_not_held_against_the_next_one(post, tell):
    tell("host", "begun", "elsewhere")
    tell("host", "ready", 1)
    tell("host", "alive", 9000.0, ["predict", 1, 2, ""])
    assert heard(post) == [] and post.worker.line.memory_mb == 9000.0 and post.worker.progress[1] == 1
    tell("host", "gone", -9)
    tell("host", "ready", 2)
    assert heard(post) == [("gone", -9)] and post.worker.line.memory_mb == 0.0 and post.worker.progress == ()


def test_a_worker_that_was_about_to_begin_when_its_machine_was_taken_back_is_not_killed(post, tell, tmp_path):
    desk = Desk("host", Local(tmp_path / "log"), Outgoing(tmp_path / "0.told"))
    tell("host", "begun", "elsewhere")
    try:
        until(lambda: desk.listen() or desk.pool.workers[0].ready)
        assert heard(post) == [] and post.worker is not None
        desk.stop()  # a request to stop ends a worker that is not at work
    finally:
        desk.pool.close()
    assert heard(post) == [("left",)] and post.worker is None  # its job, if it has been given one, is another's


def test_a_line_that_a_killed_host_left_torn_takes_no_other_along(post, tell, tmp_path):
    tell("host", "begun", "elsewhere")
    with (tmp_path / "0.told").open("a") as file:
        file.write('["host", "reached", {"ro')
    again = Outgoing(tmp_path / "0.told").send
    again("other", "begun", "elsewhere")
    again("other", "ready", 2)
    assert heard(post) == [] and post.worker is not None and post.worker.line.pid == 2


def test_what_a_host_here_says_last_is_heard(post, tell, tmp_path):
    with held(tmp_path / "0.lock"):
        tell("host", "begun", socket.gethostname())
        tell("host", "ready", 1)
        assert heard(post) == []
    tell("host", "failed", "no memory")
    assert heard(post) == [("gone", None)] and post.error == "no memory" and not post.alive


def test_orders_for_a_worker_that_has_ended_are_not_for_the_next_one(tmp_path):
    line = Written(2)
    desk = Desk("host", SimpleNamespace(workers=[Worker(line, ready=True)]), Outgoing(tmp_path / "told"))
    for order in (("job", {}, [], None), ("signal", 9), ("leave",)):
        desk.obey((address("host", 1), *order))
        desk.obey((address("other", 2), *order))
    assert line.sent == [] and not desk.over
    desk.obey((address("host", 2), "job", {}, [], None))
    desk.obey((address("host", 2), "signal", 15))
    assert line.sent == [[{}, [], None], 15] and not desk.over
    desk.obey(("", "leave"))
    assert desk.over


def test_a_worker_that_ended_as_it_became_ready_is_not_told(tmp_path):
    @dataclass
    class Brief:
        """A pool whose only worker is ready and gone at once."""

        workers: list[Worker]

        def events(self, timeout_s):
            (worker,) = self.workers
            worker.ready, self.workers = True, []
            yield worker, ("gone", 1)

    desk = Desk("host", Brief([Worker(Written(2))]), Outgoing(tmp_path / "told"))
    desk.listen()
    assert [message[1] for message in Incoming(tmp_path / "told").new()] == ["gone", "alive"]


def test_a_host_that_begins_when_a_sweep_ends_starts_no_worker(tmp_path, monkeypatch):
    monkeypatch.setattr("runner.sweep.remote.shutil.rmtree", lambda folder, ignore_errors: None)
    monkeypatch.setattr(Local, "hire", lambda self: pytest.fail("a worker was started"))
    remote = Remote(tmp_path, lambda count, first: None, 1, [Post.at(tmp_path, 0)])
    remote.close()
    with held(tmp_path / "lock"):
        Host(str(tmp_path), str(tmp_path / "{}.log"))._attend(tmp_path, 0)
    assert [message[1] for message in Incoming(tmp_path / "0.told").new()] == ["begun"]
