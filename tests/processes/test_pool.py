"""Pools of real child processes, really killed."""

import contextlib
import errno
import os
import signal
import threading
from collections.abc import Callable

import pytest

from daemon.errors import ConfigError, ShuttingDown, WorkerDied
from daemon.processes.child import Child
from daemon.processes.pool import Pool
from tests.support.daemon import wait_until
from tests.support.residents import Named, Resident


def test_a_dead_child_is_replaced_for_the_next_taker() -> None:
    pool = Pool([Child("reader", Resident)])
    with pool.take() as child:
        first = child.ready_info
        os.kill(first, signal.SIGKILL)
    wait_until(lambda: not pool.children[0].running)
    with pool.take() as child:
        assert child.ready_info != first
        assert child.call("ignores_ctrl_c")
    pool.close()
    pool.children[0].close()


def test_closing_a_pool_stops_takers_that_work_or_wait() -> None:
    pool = Pool([Child("painter", Resident)])
    ended: list[type[BaseException]] = []

    def work() -> None:
        try:
            with pool.take() as child:
                child.call("hang")
        except BaseException as error:
            ended.append(type(error))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    wait_until(lambda: pool.children[0].ready_info is not None)
    pool.close()
    for thread in threads:
        thread.join(10)
    assert ended == [ShuttingDown] * 3
    pool.children[0].close()


class Starts(Child):
    """A child that counts how often it was started."""

    count = 0

    def start(self) -> None:
        self.count += 1
        super().start()

    def then(self, count: int, step: Callable[[], None]) -> None:
        """Take the step, in another thread, once the child was started so often."""

        def wait() -> None:
            wait_until(lambda: self.count >= count)
            step()

        threading.Thread(target=wait).start()


def test_a_child_that_does_not_start_is_tried_again_and_fails_no_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pool, "RETRY_SECONDS", (0.01,))
    sick = Starts("painter", Resident, "sick")
    pool = Pool([sick])
    sick.then(3, pool.close)
    with pytest.raises(ShuttingDown), pool.take():
        pass
    sick.close()


def test_a_child_that_was_taken_for_the_same_affinity_lately_is_preferred() -> None:
    pool = Pool([Child("painter", Named, name) for name in ("a", "b")])
    with pool.take("waves") as first, pool.take("ink") as second:
        before = {"waves": first, "ink": second}
    for affinity in ("ink", "ink", "waves", "ink"):
        with pool.take(affinity) as child:
            assert child is before[affinity]
    for child in pool.children:
        child.close()


def test_a_sick_child_delays_no_taker_while_another_works(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Pool, "RETRY_SECONDS", (0.01,))
    sick = Starts("painter cuda:0", Named, "sick")
    pool = Pool([sick, Child("painter cuda:1", Named, "well")], trial="trial")
    for wanted in ("sick", "well"):
        with contextlib.suppress(WorkerDied), pool.take() as child:
            assert child.ready_info == wanted
            child.call("break_down" if wanted == "sick" else "ignores_ctrl_c")
    for _ in range(3):
        with pool.take() as child:
            assert child.ready_info == "well"
    with pool.take() as well:
        sick.then(sick.count + 2, pool.close)
        with pytest.raises(ShuttingDown), pool.take():  # only the sick one is left: it is tried again and again
            pass
        assert well.ready_info == "well"
    assert not pool.trouble, "something is painted"
    events = [vars(record).get("event") for record in caplog.records]
    assert events.count("worker_failed") <= 1, "a failure is logged once"
    for child in pool.children:
        child.close()


def test_children_join_and_leave_while_others_wait_for_them() -> None:
    pool: Pool[Child] = Pool()
    taken: list[str] = []

    def work() -> None:
        with pool.take() as child:
            taken.append(child.ready_info)

    waiting = threading.Thread(target=work)
    waiting.start()
    late = Child("painter", Named, "late")
    pool.add(late)
    waiting.join(60)
    assert taken == ["late"]
    with pool.take():
        pool.remove(late)
        assert late.running, "what it does is finished first"
    assert not late.running
    assert pool.children == ()
    pool.refuse(ConfigError(["cluster: Ray is not installed"]))
    with pytest.raises(ConfigError, match="not installed"), pool.take():
        pass


class Mortal:
    """A child without a process, that starts only when it is told to."""

    def __init__(self, name: str) -> None:
        self.name, self.ready_info, self.running, self.starts = name, name, False, False

    def start(self) -> None: ...

    def ready(self, patience: float | None = None) -> str:
        if not self.starts:
            raise WorkerDied("the device is on fire")
        self.running = True
        return self.name

    def call(self, method: str, *arguments: object, progress: object = None, patience: float | None = None) -> None: ...

    def kill(self) -> None: ...

    def close(self) -> None: ...


def test_a_failure_and_its_end_are_logged_once_each(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Pool, "RETRY_SECONDS", (0.01,))
    child = Mortal("painter")
    pool = Pool([child])

    def recover() -> None:
        wait_until(lambda: pool.trouble == "the painter cannot work: the device is on fire")
        child.starts = True

    thread = threading.Thread(target=recover)
    thread.start()
    for _ in range(2):
        with pool.take():
            pass
    thread.join(10)
    assert [vars(record)["event"] for record in caplog.records] == ["worker_failed", "worker_recovered"]
    assert not pool.trouble


@pytest.mark.slow
def test_a_child_that_hangs_at_its_start_is_said_to_and_tried_again_with_more_patience(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("daemon.processes.pool.SHORTEST_START", 0.5)
    monkeypatch.setattr(Pool, "RETRY_SECONDS", (0.01,))
    child = Child("painter", Resident, "hung")
    pool = Pool([child], patience=lambda: 0.1)

    def recover() -> None:
        wait_until(lambda: pool.trouble)
        assert pool.trouble == "the painter cannot work: the painter gave no sign of life for 0.5 s"
        child._arguments = ()

    thread = threading.Thread(target=recover)
    thread.start()
    monkeypatch.setattr("daemon.processes.pool.MOST_DOUBLED", 8)  # to be up within a busy machine's time
    with pool.take() as found:
        assert found.call("ignores_ctrl_c")
    thread.join(10)
    assert [vars(record)["event"] for record in caplog.records] == ["worker_failed", "worker_recovered"]
    child.close()


def test_who_comes_after_a_child_that_was_killed_for_its_silence_gets_another() -> None:
    pool = Pool([Child("reader", Resident)])
    for _ in range(3):
        with contextlib.suppress(WorkerDied), pool.take() as child:
            child.call("hang", patience=0.05)
        assert not pool.children[0].running, "it is dead, and not dying"
    with pool.take() as child:
        assert child.call("ignores_ctrl_c")
    pool.close()
    pool.children[0].close()


def test_a_child_for_which_the_system_has_no_room_is_said_to_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Pool, "RETRY_SECONDS", (0.01,))
    refusals = iter(["Resource temporarily unavailable"] * 3)

    def refuse() -> None:
        for why in refusals:
            raise BlockingIOError(errno.EAGAIN, why)

    monkeypatch.setattr("daemon.processes.child.resource_tracker.ensure_running", refuse)
    pool = Pool([Child("painter", Resident)])
    pool.start()
    with pool.take() as child:
        assert child.call("ignores_ctrl_c")
    assert "the painter cannot be started" in caplog.text
    assert [vars(record)["event"] for record in caplog.records] == ["worker_failed", "worker_recovered"]
    pool.close()
    pool.children[0].close()
