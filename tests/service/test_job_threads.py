"""What a thread does with a photo whose pipeline fails, and how many threads there are."""

import errno
import threading
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from daemon.config.live import LiveConfig
from daemon.config.load import load
from daemon.config.models import Config
from daemon.errors import ConfigError, PhotoLocked, RetryLater, ServicePaused
from daemon.inbox.inbox import Inbox
from daemon.inbox.photo import InboxPhoto, Signature
from daemon.jobs.pipeline import Pipeline
from daemon.service.job_threads import JobThreads
from daemon.storage.layout import Folders
from tests.support.daemon import wait_until

PHOTO = InboxPhoto("alpha", "", "a.jpg", "/inbox/alpha/a.jpg", Signature(1, 1, 1, 1))


class OnePhoto:
    """An inbox that hands out one photo, then blocks until the stop."""

    def __init__(self) -> None:
        self._photos = [PHOTO]
        self.released: list[float] = []
        self.taken = 0

    def take(self, stop: threading.Event) -> InboxPhoto | None:
        self.taken += 1
        if self._photos:
            return self._photos.pop()
        stop.wait()
        return None

    def release(self, photo: InboxPhoto, pause: float, locked: str) -> None:
        self.released.append(pause)


class Failing:
    def __init__(self, error: Exception | None) -> None:
        self._error = error

    def run(self, photo: InboxPhoto, config: Config) -> None:
        if self._error is not None:
            raise self._error


Make = Callable[[Exception | None], JobThreads]


@pytest.fixture
def stopping() -> threading.Event:
    return threading.Event()


@pytest.fixture
def make(root: Path, stopping: threading.Event) -> Make:
    folders, live = Folders(root), LiveConfig(root / "config.yaml", load(root / "config.yaml"))
    folders.prepare(live.current.styles)
    return lambda error: JobThreads(folders, cast(Pipeline, Failing(error)), live, stopping)


@pytest.mark.parametrize(
    ("error", "paused", "reason"),
    [
        (None, "", ""),
        (RetryLater("no right"), "", "no right"),
        (PhotoLocked("this one cannot be moved"), "", ""),
        (OSError(errno.EACCES, "Permission denied", "/outbox"), "", "/outbox: Permission denied"),
        (ServicePaused("the painter breaks down"), "the painter breaks down", "the painter breaks down"),
    ],
)
def test_a_photo_that_cannot_be_painted_now_is_released_with_a_pause(
    make: Make, stopping: threading.Event, error: Exception | None, paused: str, reason: str
) -> None:
    inbox, threads = OnePhoto(), make(error)
    threads.adjust(cast(Inbox, inbox), 1)
    wait_until(lambda: inbox.released)
    assert (inbox.released[0] > 0) == (error is not None)
    assert (threads.obstacles.paused, threads.obstacles.any_reason) == (paused, reason)
    assert not stopping.is_set()
    stopping.set()
    threads.join(10)
    assert not threads.at_work


def test_a_full_disk_pauses_every_photo(make: Make, stopping: threading.Event) -> None:
    inbox, threads = OnePhoto(), make(OSError(errno.ENOSPC, "No space left on device"))
    threads.adjust(cast(Inbox, inbox), 1)
    wait_until(lambda: inbox.released)
    assert "is full (No space left on device)" in threads.obstacles.paused
    stopping.set()


def test_a_bug_in_one_job_ends_no_daemon_and_is_not_met_again_at_once(make: Make, stopping: threading.Event) -> None:
    inbox, threads = OnePhoto(), make(RuntimeError("a bug"))
    threads.adjust(cast(Inbox, inbox), 1)
    wait_until(lambda: inbox.released)
    assert inbox.released[0] > 0
    assert threads.obstacles.any_reason == "styled itself broke down on it: RuntimeError: a bug"
    assert not stopping.is_set()
    stopping.set()
    threads.join(10)
    assert threads.crash is None


def test_settings_that_cannot_work_end_the_daemon(make: Make, stopping: threading.Event) -> None:
    inbox, threads = OnePhoto(), make(ConfigError(["device: there is none"]))
    threads.adjust(cast(Inbox, inbox), 1)
    assert stopping.wait(60)
    threads.join(10)
    assert isinstance(threads.crash, ConfigError)
    assert inbox.released == [0.0]


@pytest.mark.parametrize(("painters", "expected"), [(0, 2), (1, 3), (2, 4), (8, 16)])
def test_each_painter_has_a_photo_while_others_are_read_and_written(
    make: Make, stopping: threading.Event, painters: int, expected: int
) -> None:
    inbox, threads = OnePhoto(), make(None)
    for _ in range(2):
        threads.adjust(cast(Inbox, inbox), painters)
    wait_until(lambda: inbox.taken == expected + 1)  # the thread that had the photo takes again
    stopping.set()
    threads.join(10)
    assert inbox.taken == expected + 1
