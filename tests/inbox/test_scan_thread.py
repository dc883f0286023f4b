"""When the inbox is scanned: at events, and without them. Folders and watchdog are real."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

import daemon
from daemon.events import Event
from daemon.inbox import scan_thread
from daemon.inbox.inbox import Inbox
from daemon.inbox.scan import InboxScan
from daemon.inbox.watch import FolderEvents, FolderWatch
from tests.support.clock import Clock
from tests.support.daemon import wait_until
from tests.support.events import events
from tests.support.inbox import EVENTS_ONLY, SOON, STYLES, is_drained, put, running, take_next, take_within

OFTEN = replace(EVENTS_ONLY, scan=0.15)


# when, by the test's clock


def seconds_to_next_scan(inbox: Inbox, clock: Clock) -> float:
    """From the end of the last scan to the start of the next."""
    ended = inbox._scans._ended
    while inbox._scans._ended == ended:
        clock.now += 0.1
        inbox._scans._step()
    return clock.now - ended - inbox._scans._took


def test_without_an_event_the_next_scan_comes_after_five_seconds(still: Inbox, clock: Clock) -> None:
    still.scan()
    assert seconds_to_next_scan(still, clock) == pytest.approx(5.0, abs=0.11)


def test_at_an_event_the_next_scan_comes_at_once(still: Inbox, clock: Clock) -> None:
    still.scan()
    still.wake()
    assert seconds_to_next_scan(still, clock) == pytest.approx(0.2, abs=0.11)


def test_without_events_from_the_system_the_next_scan_comes_as_soon_as_files_settle(
    still: Inbox, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.inbox.watch.without_events", lambda folder: "cifs")
    still.scan()
    assert seconds_to_next_scan(still, clock) == pytest.approx(2.0, abs=0.11)


def test_a_missing_inbox_is_looked_for_each_second(still: Inbox, clock: Clock, folder: Path) -> None:
    shutil.rmtree(folder)
    still.scan()
    assert seconds_to_next_scan(still, clock) == pytest.approx(1.0, abs=0.11)
    assert still.trouble() == f"{folder} is missing"


@pytest.mark.parametrize(("event", "seconds"), [(True, 4 * 3), (False, 20 * 3)])
def test_slow_scans_take_a_fifth_of_a_core_at_most_and_a_twentieth_without_events(
    event: bool, seconds: float, still: Inbox, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = scan_thread._scanned

    def slow(scan: InboxScan) -> object:
        clock.now += 3
        return quick(scan)

    monkeypatch.setattr(scan_thread, "_scanned", slow)
    still.scan()
    if event:
        still.wake()
    assert seconds_to_next_scan(still, clock) == pytest.approx(seconds, abs=0.11)


# what is said


def test_a_folder_that_names_no_style_is_said_once_until_the_settings_change(
    still: Inbox, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(folder / "pencil\n/a.jpg")
    still.scan()
    still.scan()
    assert len([line for line in caplog.messages if "pencil\\n" in line]) == 1
    still.configure(styles=("starry",), default_style="starry", settle_seconds=2)
    still.scan()
    assert len([line for line in caplog.messages if "pencil\\n" in line]) == 2
    assert any("scream" in line and "no style" in line for line in caplog.messages)
    assert set(events(caplog)) == {Event.LEFT_ALONE}


def test_names_in_messages_cannot_break_a_line(live: Inbox, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    put(folder / "x\n<0>forged\x1b[2J/a.jpg")
    wait_until(lambda: "forged" in caplog.text, SOON)
    assert all("\n" not in line and "\x1b" not in line for line in caplog.messages)


# by events alone: a scan by the clock does not come in these tests


QUIET = 0.3  # seconds, until what came before the last step has been reported and scanned


def by_copy(source: Path, target: Path) -> None:
    shutil.copy(source, target)


def by_move(source: Path, target: Path) -> None:
    source.rename(target)


def by_rename_from_a_dot_file(source: Path, target: Path) -> None:
    hidden = target.with_name(f".{target.name}.Xy12")
    shutil.copy(source, hidden)
    time.sleep(QUIET)
    hidden.rename(target)


def by_hard_link(source: Path, target: Path) -> None:
    part = Path(shutil.copy(source, target.with_name(f"{target.name}.part")))
    time.sleep(QUIET)
    os.link(part, target)
    part.unlink()


def into_a_fresh_folder(source: Path, target: Path) -> None:
    target.parent.rmdir()
    target.parent.mkdir()
    shutil.copy(source, target)


@pytest.mark.parametrize("arrive", [by_copy, by_move, by_rename_from_a_dot_file, by_hard_link, into_a_fresh_folder])
def test_a_photo_is_found_at_once_however_it_came(
    arrive: Callable[[Path, Path], None], live: Inbox, folder: Path, tmp_path: Path
) -> None:
    source = put(tmp_path / "source.jpg", b"content")
    arrive(source, folder / "scream/a.jpg")
    photo = take_next(live)
    assert (photo.style, photo.folder, photo.name) == ("scream", "", "a.jpg")
    assert photo.signature.size == len(b"content")
    assert take_within(live, 0.3) is None


def test_an_inbox_deleted_and_made_again_goes_on(live: Inbox, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    shutil.rmtree(folder)
    wait_until(lambda: live.trouble() == f"{folder} is missing", SOON)
    assert not is_drained(live)
    put(folder / "starry/a.jpg")
    assert take_next(live).name == "a.jpg"
    put(folder / "starry/b.jpg")
    assert take_next(live).name == "b.jpg"
    found = [event for event in events(caplog) if event in (Event.INBOX_MISSING, Event.INBOX_BACK)]
    assert found == [Event.INBOX_MISSING, Event.INBOX_BACK]
    assert live._scans._watch.is_armed


def test_an_inbox_renamed_away_is_no_longer_watched_and_its_successor_is(
    live: Inbox, folder: Path, tmp_path: Path
) -> None:
    folder.rename(tmp_path / "old")
    (folder / "scream").mkdir(parents=True)
    put(folder / "scream/a.jpg")  # no event: the watch is still on the old folder
    assert take_next(live).path == str(folder / "scream/a.jpg")
    put(tmp_path / "old/scream/lost.jpg")
    put(folder / "scream/b.jpg")
    assert take_next(live).name == "b.jpg"


def test_an_inbox_that_is_replaced_during_a_scan_is_scanned_again_with_a_new_watch(
    still: Inbox, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = FolderWatch.ensure_armed

    def ensure_armed(self: FolderWatch) -> None:
        real(self)
        folder.rename(tmp_path / "old")
        (folder / "starry").mkdir(parents=True)

    with monkeypatch.context() as patched:
        patched.setattr(FolderWatch, "ensure_armed", ensure_armed)
        still.scan()
    put(folder / "starry/a.jpg")
    still._scans._step()
    assert still.waiting() == {"starry": 1}
    assert not still._scans._watch.has_ended()


def test_an_inbox_that_is_a_link_is_watched_where_it_leads(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    with running(tmp_path / "link") as linked:
        put(folder / "scream/a.jpg")
        assert take_next(linked).path == str(tmp_path / "link/scream/a.jpg")
        put(folder / "top.jpg")
        assert take_next(linked).path == str(tmp_path / "link/top.jpg")


def test_a_dead_watch_is_replaced(live: Inbox, folder: Path) -> None:
    watched = live._scans._watch._events
    assert watched is not None
    for emitter in watched._observer.emitters:
        emitter.stop()
    wait_until(lambda: live._scans._watch._events not in (watched, None), SOON)
    put(folder / "starry/a.jpg")
    assert take_next(live).name == "a.jpg"


# without events


def test_photos_without_an_event_are_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the system has no watch left for a folder deep below, which it does not report."""
    monkeypatch.setattr(FolderEvents, "dispatch", lambda self, event: None)
    with running(folder, OFTEN) as deaf:
        put(folder / "starry/a.jpg")
        assert take_next(deaf).name == "a.jpg"


def test_a_folder_moved_in_is_taken_with_its_files_and_those_that_come_later(folder: Path, tmp_path: Path) -> None:
    with running(folder, OFTEN) as inbox:
        put(tmp_path / "holiday/rome/a.jpg")
        (tmp_path / "holiday").rename(folder / "scream/holiday")
        first = take_next(inbox)
        assert (first.style, first.folder, first.name) == ("scream", "holiday/rome", "a.jpg")
        put(folder / "scream/holiday/rome/b.jpg")
        assert take_next(inbox).name == "b.jpg"


def test_a_filesystem_without_events_is_polled(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.inbox.watch.without_events", lambda folder: "cifs")
    with running(folder) as polled:
        put(folder / "starry/a.jpg")
        assert take_next(polled).name == "a.jpg"


def test_an_unreadable_folder_is_said_once_and_scanned_when_it_may_be_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put(folder / "starry/locked/a.jpg")
    put(folder / "starry/open/b.jpg")
    real, locked = os.open, True

    def guarded(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if locked and path == "locked":  # root may look anywhere, so the refusal is made here
            raise PermissionError(13, "Permission denied")
        return real(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", guarded)
    with running(folder, OFTEN) as inbox:
        assert take_next(inbox).name == "b.jpg"
        assert take_within(inbox, 0.5) is None
        assert sum("Permission denied" in line for line in caplog.messages) == 1
        locked = False
        assert take_next(inbox).name == "a.jpg"


def test_photos_of_no_style_are_left_until_a_style_has_them(folder: Path) -> None:
    put(folder / "old/a.jpg")
    with running(folder, OFTEN) as inbox:
        (left,) = inbox.left()
        assert left.path == str(folder / "old")
        assert "1 photo waits there; move it: mv" in left.why
        inbox.configure(styles=[*STYLES, "old"], default_style="starry", settle_seconds=0.2)
        assert take_next(inbox).style == "old"
        assert inbox.left() == []


# health


def test_a_bug_in_the_scan_reaches_every_taker(live: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(scan: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(scan_thread, "_scanned", broken)
    live.wake()
    with pytest.raises(RuntimeError, match="no longer scanned"):
        take_within(live, SOON)
    assert not live.health().is_fresh


def test_health_is_fresh_while_the_thread_runs_and_not_before_or_after(folder: Path) -> None:
    inbox = Inbox(folder, styles=STYLES, default_style="starry", settle_seconds=0.2)
    assert not inbox.health().is_fresh
    inbox.start()
    assert inbox.health().is_fresh
    inbox.close()
    assert not inbox.health().is_fresh


FLOODED = """
import sys, time
from pathlib import Path
from daemon.inbox.inbox import Inbox

inbox = Inbox(Path(sys.argv[1]), styles=["starry"], default_style="starry", settle_seconds=60)
inbox.start()
print("ready", flush=True)
for wanted in (25_000, 25_001):
    end = time.monotonic() + 45
    while sum(inbox.waiting().values()) < wanted and time.monotonic() < end:
        time.sleep(0.05)
    print(sum(inbox.waiting().values()), flush=True)
inbox.close()
"""


@contextmanager
def stopped(process: "subprocess.Popen[str]") -> Iterator[None]:
    os.kill(process.pid, signal.SIGSTOP)
    yield
    os.kill(process.pid, signal.SIGCONT)


@pytest.mark.slow
def test_nothing_of_a_flood_is_missed_that_overflows_the_systems_queue(folder: Path, tmp_path: Path) -> None:
    """The queue holds 16,384 events and drops the rest in silence; the whole process cannot read meanwhile."""
    source = put(tmp_path / "source.jpg")
    environment = {**os.environ, "PYTHONPATH": str(Path(daemon.__file__).parents[1])}
    command = [sys.executable, "-c", FLOODED, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with stopped(process):
            for number in range(25_000):
                os.link(source, folder / f"starry/p{number}.jpg")
        assert process.stdout.readline() == "25000\n"
        put(folder / "starry/one-more.jpg")
        assert process.stdout.readline() == "25001\n"
    assert process.returncode == 0
