"""A watch that ends is noticed and armed again. Folders and watchdog are real, the clock is the test's."""

import errno
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.events import Event
from daemon.inbox import watch as watch_module
from daemon.inbox.watch import RETRY_SECONDS, FolderWatch
from tests.support.clock import Clock
from tests.support.daemon import wait_until
from tests.support.events import events
from tests.support.inbox import SOON, put


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


@pytest.fixture
def watch(folder: Path, clock: Clock) -> Iterator[FolderWatch]:
    made = FolderWatch(str(folder), lambda: None, clock)
    yield made
    made.disarm()


@pytest.fixture(autouse=True)
def _all_messages(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "styled")


def refuse(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let the system have no watch left."""

    def refused(folder: str, notify: object) -> None:
        raise error

    monkeypatch.setattr(watch_module, "FolderEvents", refused)


def test_a_watch_is_armed_once_and_kept_while_it_works(watch: FolderWatch, caplog: pytest.LogCaptureFixture) -> None:
    watch.ensure_armed()
    first = watch._events
    watch.ensure_armed()
    assert watch._events is first
    assert (watch.is_armed, watch.has_ended()) == (True, False)
    assert events(caplog) == [Event.WATCHING]


def test_a_watch_with_a_dead_thread_has_ended_and_is_armed_again(
    watch: FolderWatch, caplog: pytest.LogCaptureFixture
) -> None:
    watch.ensure_armed()
    assert watch._events is not None
    for emitter in watch._events._observer.emitters:  # watchdog's observer itself lives on
        emitter.stop()
    wait_until(watch.has_ended, SOON)
    watch.ensure_armed()
    assert not watch.has_ended()
    assert events(caplog) == [Event.WATCHING, Event.WATCH_LOST, Event.WATCHING]


@pytest.mark.parametrize("how", ["deleted", "renamed away"])
def test_a_folder_made_again_under_the_same_name_is_watched_again(how: str, watch: FolderWatch, folder: Path) -> None:
    watch.ensure_armed()
    if how == "deleted":
        folder.rmdir()
    else:
        folder.rename(f"{folder}-old")
    assert watch.has_ended()
    folder.mkdir()
    wait_until(watch.has_ended, SOON)  # the new folder may get the old folder's inode: watchdog's thread ends
    watch.ensure_armed()
    assert watch.is_armed
    assert not watch.has_ended()


def test_without_a_folder_there_is_no_watch_until_the_folder_is_back(watch: FolderWatch, folder: Path) -> None:
    watch.ensure_armed()
    folder.rmdir()
    watch.ensure_armed()
    assert not watch.is_armed
    folder.mkdir()
    watch.ensure_armed()
    assert watch.is_armed


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "inotify watch limit reached"), "fs.inotify.max_user_watches"),
        (OSError(errno.EMFILE, "inotify instance limit reached"), "fs.inotify.max_user_instances"),
        (RuntimeError("can't start new thread"), "can't start new thread"),
    ],
)
def test_without_a_watch_the_folder_is_polled_with_one_message_that_says_what_to_raise(
    error: OSError | RuntimeError,
    words: str,
    watch: FolderWatch,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refuse(monkeypatch, error)
    for _ in range(3):
        watch.ensure_armed()
        clock.now += RETRY_SECONDS + 1
    assert caplog.text.count(words) == 1
    assert events(caplog) == [Event.POLLING]
    assert not watch.is_armed
    assert not watch.has_ended(), "there is nothing to mend between scans"


def test_a_watch_that_was_refused_is_tried_again_after_a_while(watch: FolderWatch, clock: Clock) -> None:
    with pytest.MonkeyPatch.context() as patched:
        refuse(patched, OSError(errno.ENOSPC, "inotify watch limit reached"))
        watch.ensure_armed()
    watch.ensure_armed()
    assert not watch.is_armed
    clock.now += RETRY_SECONDS
    watch.ensure_armed()
    assert watch.is_armed


def test_filesystems_without_events_are_polled_without_being_told(
    watch: FolderWatch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watch_module, "without_events", lambda folder: "nfs4")
    for _ in range(3):
        watch.ensure_armed()
    assert not watch.is_armed
    assert caplog.text.count("the system does not report changes on nfs4") == 1
    assert events(caplog) == [Event.POLLING]


def test_an_exception_in_the_handler_ends_nothing(folder: Path, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    calls: list[str] = []
    later = threading.Event()

    def notify() -> None:
        calls.append("event")
        if len(calls) < 3:
            raise OSError("the handler's own trouble")
        later.set()

    watch = FolderWatch(str(folder), notify, clock)
    watch.ensure_armed()
    for number in range(3):
        put(folder / f"a{number}.jpg")
    assert later.wait(SOON)
    assert not watch.has_ended()
    watch.disarm()
    assert "the handler's own trouble" in caplog.text


def test_reading_a_file_is_no_event(folder: Path, clock: Clock) -> None:
    happened = threading.Event()
    put(folder / "a.jpg")
    watch = FolderWatch(str(folder), happened.set, clock)
    watch.ensure_armed()
    (folder / "a.jpg").read_bytes()
    assert not happened.wait(0.5)
    put(folder / "b.jpg")
    assert happened.wait(SOON)
    watch.disarm()
