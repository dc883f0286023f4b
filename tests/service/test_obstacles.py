"""When what cannot be painted is tried again, what is reported of it, and when `--once` gives up."""

import threading

import pytest

from daemon.events import Event
from daemon.service import obstacles
from daemon.service.obstacles import ALL, GiveUpTimer, Obstacles
from daemon.status import Status


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("daemon.service.obstacles.time.monotonic", lambda: now[0])
    return now


def test_the_pauses_of_each_place_grow_by_themselves(now: list[float]) -> None:
    waiting = Obstacles()
    for seconds in (2.0, 5.0, 15.0, 60.0, 60.0):
        assert waiting.failed("/inbox/alpha", "no right to write") == seconds
        now[0] += seconds
    assert waiting.failed("/inbox/beta", "no right to write") == 2.0
    waiting.succeeded("/inbox/alpha")
    assert waiting.failed("/inbox/alpha", "no right to write") == 2.0


def test_jobs_that_fail_at_the_same_time_count_once(now: list[float]) -> None:
    waiting = Obstacles()
    assert waiting.failed(ALL, "the disk is full") == 2.0
    now[0] += 0.5
    assert waiting.failed(ALL, "the disk is full") == 1.5
    now[0] += 1.5
    assert waiting.failed(ALL, "the disk is full") == 5.0


def test_each_obstacle_is_reported_once_when_it_appears_and_once_when_it_is_gone(
    now: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    waiting = Obstacles()
    for place in (ALL, "/inbox/alpha"):
        waiting.failed(place, "the disk is full")
        waiting.failed(place, "the disk is still full")
    assert (waiting.paused, waiting.any_reason) == ("the disk is still full", "the disk is still full")
    for _ in range(2):
        waiting.succeeded("/inbox/alpha")
    expected = [Event.PAUSED, Event.FOLDER_PAUSED, Event.FOLDER_RESUMED, Event.RESUMED]
    assert [record.event for record in caplog.records] == expected  # type: ignore[attr-defined]
    assert (waiting.paused, waiting.any_reason) == ("", "")


def test_an_obstacle_of_one_folder_pauses_nothing_else(now: list[float]) -> None:
    waiting = Obstacles()
    waiting.failed("/inbox/alpha", "no right to write")
    assert (waiting.paused, waiting.any_reason) == ("", "no right to write")
    waiting.wait(threading.Event())  # returns at once
    waiting.succeeded("/inbox/beta")
    assert waiting.any_reason == "no right to write"


def test_once_gives_up_when_nothing_was_finished_for_long_and_nothing_is_being_painted() -> None:
    now, status = [0.0], Status()
    timer = GiveUpTimer(lambda: now[0])

    def after(seconds: float, reason: str = "the disk is full") -> bool:
        now[0] += seconds
        return timer.expired(status, reason)

    assert not after(0)
    assert not after(obstacles.PATIENCE)
    status.count(delivered=1)
    assert not after(1)
    status.begin("1", "a.jpg", "starry")
    status.stage("1", "painting")
    assert not after(1000), "a long painting is progress"
    status.stage("1", "waiting for a painter")
    assert not after(1), "this photo will be painted, whatever stops the others"
    status.observe(device="", trouble="the painter cannot work", waiting={}, paused={})
    assert after(1)


def test_once_waits_for_ever_while_nothing_is_in_the_way() -> None:
    now = [0.0]
    timer = GiveUpTimer(lambda: now[0])
    for _ in range(3):
        now[0] += 1e6
        assert not timer.expired(Status(), "")
    now[0] += obstacles.PATIENCE
    assert not timer.expired(Status(), "the disk is full")
