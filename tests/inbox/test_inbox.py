"""The inbox with the real watchdog on real folders. Time is the test's where it matters, and real at the ends."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import daemon
from daemon.inbox import inbox as inbox_module
from daemon.inbox.inbox import Inbox
from daemon.inbox.scan import InboxPhoto, InboxScan, Signature, look
from daemon.inbox.stability import State, observe
from daemon.inbox.watch import FolderEvents, FolderWatch
from tests.support.daemon import wait_until

STYLES = ("starry", "scream")
SOON = 10.0  # seconds; far more than anything here takes, for a busy machine


class Deadline:
    """A stop flag that is set after so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def is_set(self) -> bool:
        return time.monotonic() >= self._end


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for style in STYLES:
        (tmp_path / "inbox" / style).mkdir(parents=True)
    return tmp_path / "inbox"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `take` look at its flag more often, and the thread at its doorbell, so that tests end sooner."""
    monkeypatch.setattr(inbox_module, "STOP_SECONDS", 0.05)
    monkeypatch.setattr(inbox_module, "CHECK_SECONDS", 0.3)
    monkeypatch.setattr("daemon.inbox.watch.CHECK_SECONDS", 0.3)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def still(folder: Path, clock: Clock) -> Iterator[Inbox]:
    """Not started: the test lists, and moves the clock. Files settle in 2 s."""
    with_clock = Inbox(folder, styles=STYLES, default_style="starry", settle_seconds=2, clock=clock)
    yield with_clock
    with_clock.close()


@pytest.fixture
def live(folder: Path) -> Iterator[Inbox]:
    """Running. Files settle in 0.2 s."""
    with Inbox(folder, styles=STYLES, default_style="starry", settle_seconds=0.2) as running:
        yield running


def put(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def after(inbox: Inbox, clock: Clock, seconds: float) -> list[str]:
    """List, let time pass, list again, and take what has settled, by path below the inbox."""
    inbox.scan()
    clock.now += seconds
    inbox.scan()
    return [os.path.relpath(each.path, inbox.folder) for each in iter(inbox.take_now, None)]


def taken(inbox: Inbox, seconds: float = SOON) -> InboxPhoto:
    arrival = inbox.take(Deadline(seconds))
    assert arrival is not None, inbox.growing()
    return arrival


def nothing_comes(inbox: Inbox, seconds: float) -> None:
    assert inbox.take(Deadline(seconds)) is None


def needs_leases(folder: Path) -> None:
    """Skips where the filesystem of the tests cannot say that a file is open for writing."""
    probe = put(folder / ".probe.jpg")
    with probe.open("ab"):
        state = observe(InboxPhoto("starry", "", probe.name, str(probe), Signature.of(probe.stat()))).state
    if state is not State.WRITING:
        pytest.skip("no leases here: stillness has to do")


# by the test's clock


def test_what_waited_before_the_start_is_handed_out_when_it_has_settled(
    still: Inbox, clock: Clock, folder: Path
) -> None:
    put(folder / "top.jpg")
    put(folder / "scream/deep/er/a.png")
    put(folder / "scream/notes.txt")
    assert after(still, clock, 1.9) == []
    assert still.waiting() == {"starry": 1, "scream": 1}
    assert after(still, clock, 0.1) == ["scream/deep/er/a.png", "top.jpg"]
    assert still.waiting() == {}


@pytest.mark.parametrize("when", [0, 4_070_908_800])
def test_files_from_1970_and_from_2099_settle_like_any_other(
    when: int, still: Inbox, clock: Clock, folder: Path
) -> None:
    os.utime(put(folder / "starry/a.jpg"), (when, when))
    assert after(still, clock, 1.9) == []
    assert after(still, clock, 0.1) == ["starry/a.jpg"]


def test_a_file_that_was_replaced_or_rewritten_in_the_queue_settles_anew(
    still: Inbox, clock: Clock, folder: Path
) -> None:
    put(folder / "starry/a.jpg", b"first")
    put(folder / "starry/b.jpg", b"first")
    still.scan()
    clock.now += 2
    still.scan()
    put(folder / "new", b"again").rename(folder / "starry/a.jpg")
    put(folder / "starry/b.jpg", b"longer than before")
    assert still.take_now() is None, "the last look before it is handed out sees it"
    assert after(still, clock, 1.9) == []
    assert after(still, clock, 0.1) == ["starry/a.jpg", "starry/b.jpg"]


def test_a_photo_is_the_takers_until_it_is_released(still: Inbox, clock: Clock, folder: Path) -> None:
    put(folder / "starry/a.jpg")
    still.scan()
    clock.now += 2
    still.scan()
    arrival = still.take_now()
    assert arrival is not None
    assert after(still, clock, 100) == []
    assert not still.drained()
    still.release(arrival, pause=30)
    assert after(still, clock, 29) == []
    assert after(still, clock, 1) == ["starry/a.jpg"]


def test_it_is_drained_when_nothing_is_settled_growing_or_in_hand(still: Inbox, clock: Clock, folder: Path) -> None:
    assert not still.drained(), "nobody has looked yet"
    still.scan()
    assert still.drained()
    put(folder / "starry/a.jpg.yaml")
    photo = put(folder / "starry/a.jpg")
    still.scan()
    assert not still.drained(), "growing"
    clock.now += 2
    still.scan()
    assert not still.drained(), "settled"
    arrival = still.take_now()
    assert arrival is not None
    photo.unlink()
    still.scan()
    assert not still.drained(), "in hand"
    still.release(arrival)
    assert not still.drained(), "it may have been put back: a listing is owed"
    still.scan()
    assert still.drained(), "a sidecar alone waits for ever"


def test_a_folder_that_names_no_style_is_said_once_until_the_settings_change(
    still: Inbox, clock: Clock, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(folder / "pencil\n/a.jpg")
    assert after(still, clock, 5) == []
    assert after(still, clock, 5) == []
    assert len([line for line in caplog.messages if "pencil\\n" in line]) == 1
    still.configure(styles=("starry",), default_style="starry", settle_seconds=2)
    still.scan()
    assert len([line for line in caplog.messages if "pencil\\n" in line]) == 2
    assert any("scream" in line and "no style" in line for line in caplog.messages)


def test_new_settings_count_from_the_next_photo_on(still: Inbox, clock: Clock, folder: Path) -> None:
    put(folder / "top.jpg")
    put(folder / "starry/a.jpg")
    put(folder / "pencil/b.jpg")
    still.scan()
    clock.now += 2
    still.scan()
    still.configure(styles=("scream", "pencil"), default_style="pencil", settle_seconds=5)
    assert still.waiting() == {}, "nothing of a style that is no more is handed out"
    assert after(still, clock, 4.9) == []
    clock.now += 0.1
    still.scan()
    found = {each.path: each.style for each in iter(still.take_now, None)}
    assert found == {str(folder / "top.jpg"): "pencil", str(folder / "pencil/b.jpg"): "pencil"}


def test_ten_thousand_waiting_photos_are_listed_ordered_and_handed_out_in_seconds(
    still: Inbox, clock: Clock, folder: Path
) -> None:
    only = put(folder / "scream/only.jpg")
    for number in range(10_000):
        os.link(only, folder / f"starry/p{number}.jpg")
    started = time.process_time()
    still.scan()
    assert time.process_time() - started < 2
    clock.now += 2
    still.scan()
    started = time.process_time()
    order = [each.name for each in iter(still.take_now, None)]
    assert time.process_time() - started < 4
    assert sorted(order[:2]) == ["only.jpg", "p0.jpg"]
    assert [name for name in order if name != "only.jpg"] == [f"p{number}.jpg" for number in range(10_000)]


def test_listings_take_at_most_a_fifth_of_a_core_however_often_it_rings(
    still: Inbox, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = inbox_module._listed

    def listed(walk: InboxScan) -> object:
        clock.now += 3
        return slow(walk)

    monkeypatch.setattr(inbox_module, "_listed", listed)
    still.scan()
    ended = clock.now
    still.wake()
    for clock.now in (ended + 1, ended + 11.9):
        still._step()
        assert still.health().scan_age > 0
    clock.now = ended + 12
    still._step()
    assert still.health().scan_age == 0
    assert still.health().scan_seconds == 3


def test_look_tells_what_would_become_of_each_file(folder: Path) -> None:
    put(folder / "scream/a.jpg")
    assert list(look(folder, STYLES, "starry")) == [(str(folder / "scream/a.jpg"), "to be painted in the style scream")]


# in real time


def by_copy(source: Path, target: Path) -> None:
    shutil.copy(source, target)


def by_move(source: Path, target: Path) -> None:
    source.rename(target)


QUIET = 0.5  # seconds, until what came before the last step has been rung for and listed


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
def test_every_manner_of_arrival_rings(
    arrive: Callable[[Path, Path], None], live: Inbox, folder: Path, tmp_path: Path
) -> None:
    source = put(tmp_path / "source.jpg", b"content")
    started = time.monotonic()
    arrive(source, folder / "scream/a.jpg")
    arrival = taken(live)
    assert time.monotonic() - started < 0.75 * inbox_module.SAFETY_SECONDS, "no listing by the clock found it"
    assert (arrival.style, arrival.folder, arrival.name) == ("scream", "", "a.jpg")
    assert arrival.signature.size == len(b"content")
    nothing_comes(live, 0.3)


def test_a_slow_writer_is_waited_for_even_when_it_pauses_for_longer_than_files_take_to_settle(
    live: Inbox, folder: Path
) -> None:
    needs_leases(folder)
    with (folder / "starry/slow.jpg").open("wb", buffering=0) as file:
        for _ in range(3):
            file.write(b"x" * 1000)
            nothing_comes(live, 0.1)
        nothing_comes(live, 0.7)
        assert live.growing()[0].why == "a program has it open for writing"
        file.write(b"x")
    assert taken(live).signature.size == 3001


def test_a_folder_moved_in_is_taken_with_its_files_and_those_that_come_later(
    live: Inbox, folder: Path, tmp_path: Path
) -> None:
    put(tmp_path / "holiday/rome/a.jpg")
    (tmp_path / "holiday").rename(folder / "scream/holiday")
    first = taken(live)
    assert (first.style, first.folder, first.name) == ("scream", "holiday/rome", "a.jpg")
    put(folder / "scream/holiday/rome/b.jpg")
    assert taken(live).name == "b.jpg"


def test_a_photo_with_any_name_is_taken_and_what_is_no_photo_is_not(live: Inbox, folder: Path) -> None:
    raw = os.fsencode(folder / "starry") + b"/caf\xe9\n.jpg"
    os.mkfifo(folder / "starry/pipe.jpg")
    (folder / "starry/link.jpg").symlink_to("/etc/passwd")
    (folder / "starry/folder.jpg").mkdir()
    put(folder / "starry/.hidden.jpg")
    put(folder / "nobody/a.jpg")
    Path(os.fsdecode(raw)).write_bytes(b"x")
    assert os.fsencode(taken(live).path) == raw
    nothing_comes(live, 0.4)


def test_an_inbox_deleted_and_made_again_goes_on(live: Inbox, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    shutil.rmtree(folder)
    wait_until(lambda: live.health().how == "is missing", SOON)
    assert not live.health().watching
    assert not live.drained()
    put(folder / "starry/a.jpg")
    assert taken(live).name == "a.jpg"
    assert live.health().how == "watching"
    put(folder / "starry/b.jpg")
    assert taken(live).name == "b.jpg"
    assert [line for line in caplog.messages if "missing" in line] == [f"{folder} is missing; waiting for it"]
    assert f"{folder} is back" in caplog.messages


def test_an_inbox_renamed_away_is_no_longer_watched_and_its_successor_is(
    live: Inbox, folder: Path, tmp_path: Path
) -> None:
    folder.rename(tmp_path / "old")
    (folder / "scream").mkdir(parents=True)
    put(folder / "scream/a.jpg")  # rings nowhere: nobody watches this folder yet
    assert taken(live).path == str(folder / "scream/a.jpg")
    put(tmp_path / "old/scream/lost.jpg")
    put(folder / "scream/b.jpg")
    assert taken(live).name == "b.jpg"
    assert live.health().how == "watching"


def test_an_inbox_that_was_replaced_while_it_was_being_listed_is_listed_again_under_a_new_watch(
    still: Inbox, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = FolderWatch.tend

    def tend(self: FolderWatch) -> None:
        real(self)
        folder.rename(tmp_path / "old")
        (folder / "starry").mkdir(parents=True)

    with monkeypatch.context() as patched:
        patched.setattr(FolderWatch, "tend", tend)
        still.scan()
    watch = still._doorbell._watch
    assert not still.drained(), "a listing is owed"
    still.scan()
    assert still._doorbell._watch is not watch
    assert still.drained()


def test_an_inbox_that_is_a_link_is_watched_where_it_leads(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    with Inbox(tmp_path / "link", styles=STYLES, default_style="starry", settle_seconds=0.2) as linked:
        put(folder / "scream/a.jpg")
        assert taken(linked).path == str(tmp_path / "link/scream/a.jpg")
        put(folder / "top.jpg")
        assert taken(linked).path == str(tmp_path / "link/top.jpg")
        assert linked.health().how == "watching"


def test_watchdogs_dead_threads_are_replaced(live: Inbox, folder: Path) -> None:
    watch = live._doorbell._watch
    assert isinstance(watch, FolderEvents)
    for emitter in watch._observer.emitters:
        emitter.stop()
    wait_until(lambda: live._doorbell._watch not in (watch, None), SOON)
    put(folder / "starry/a.jpg")
    assert taken(live).name == "a.jpg"


def test_an_exception_in_the_handler_ends_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rings: list[str] = []
    real = Inbox.wake

    def wake(self: Inbox, where: str = "") -> None:
        rings.append(where)
        if where and len(rings) < 3:
            raise OSError("the handler's own trouble")
        real(self, where)

    monkeypatch.setattr(Inbox, "wake", wake)
    with Inbox(folder, styles=STYLES, default_style="starry", settle_seconds=0.2) as running:
        for number in range(3):
            put(folder / f"starry/a{number}.jpg")
        assert sorted(taken(running).name for _ in range(3)) == ["a0.jpg", "a1.jpg", "a2.jpg"]
        assert running.health().how == "watching"
    assert "the handler's own trouble" in caplog.text


def test_arrivals_that_are_not_announced_are_found_and_polled_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the system has no watch left for a folder deep below, which nobody is told of."""
    monkeypatch.setattr(FolderEvents, "dispatch", lambda self, event: None)
    monkeypatch.setattr(inbox_module, "SAFETY_SECONDS", 1.0)
    with Inbox(folder, styles=STYLES, default_style="starry", settle_seconds=0.2) as deaf:
        put(folder / "starry/a.jpg")
        assert taken(deaf).name == "a.jpg"
        wait_until(lambda: "polling" in deaf.health().how, SOON)
        monkeypatch.setattr(inbox_module, "SAFETY_SECONDS", 3600.0)
        put(folder / "starry/b.jpg")
        assert taken(deaf).name == "b.jpg"


def test_a_filesystem_without_events_is_polled(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.inbox.watch.without_events", lambda folder: "cifs")
    with Inbox(folder, styles=STYLES, default_style="starry", settle_seconds=0.2) as polled:
        assert not polled.health().watching
        put(folder / "starry/a.jpg")
        assert taken(polled).name == "a.jpg"


def test_many_takers_get_each_photo_once_and_all_end_at_the_stop(live: Inbox, folder: Path) -> None:
    stop = threading.Event()
    got: list[str] = []

    def work() -> None:
        for arrival in live.arrivals(stop):
            got.append(arrival.name)
            os.unlink(arrival.path)  # as a claim does

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for number in range(200):
        put(folder / STYLES[number % 2] / f"p{number}.jpg")
    wait_until(lambda: len(got) >= 200, SOON)
    wait_until(live.drained, SOON)
    stop.set()
    live.wake()
    for worker in workers:
        worker.join(SOON)
    assert sorted(got) == sorted(f"p{number}.jpg" for number in range(200))
    assert not any(worker.is_alive() for worker in workers)


def test_once_ends_when_the_inbox_is_empty_and_waits_for_what_is_still_growing(folder: Path) -> None:
    needs_leases(folder)
    put(folder / "starry/a.jpg")
    slow = (folder / "starry/b.jpg").open("wb", buffering=0)
    slow.write(b"x")
    threading.Timer(0.8, slow.close).start()
    got = []
    with Inbox(folder, styles=STYLES, default_style="starry", settle_seconds=0.2, once=True) as inbox:
        for arrival in inbox.arrivals(Deadline(SOON)):
            got.append(arrival.name)
            os.unlink(arrival.path)
    assert got == ["a.jpg", "b.jpg"]
    assert slow.closed


def test_a_put_back_photo_is_handed_out_again(live: Inbox, folder: Path) -> None:
    put(folder / "starry/a.jpg")
    first = taken(live)
    live.release(first)
    assert taken(live) == first


def test_an_unreadable_folder_is_said_once_and_taken_up_when_it_may_be_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(inbox_module, "TROUBLE_SECONDS", 0.3)
    put(folder / "starry/locked/a.jpg")
    put(folder / "starry/open/b.jpg")
    real, locked = os.open, True

    def guarded(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if locked and path == "locked":  # root may look anywhere, so the refusal is made here
            raise PermissionError(13, "Permission denied")
        return real(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", guarded)
    with Inbox(folder, styles=STYLES, default_style="starry", settle_seconds=0.2) as inbox:
        assert taken(inbox).name == "b.jpg"
        nothing_comes(inbox, 0.8)
        assert sum("Permission denied" in line for line in caplog.messages) == 1
        before = inbox._doorbell._watch
        locked = False
        assert taken(inbox).name == "a.jpg"
        wait_until(lambda: inbox._doorbell._watch not in (before, None), SOON)  # it could not watch that folder
        assert inbox.health().how == "watching"


def test_a_bug_in_the_listing_reaches_whoever_takes(live: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(walk: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(inbox_module, "_listed", broken)
    live.wake()
    with pytest.raises(RuntimeError, match="no longer listed"):
        live.take(Deadline(SOON))
    assert not live.health().is_fresh


def test_health_is_fresh_while_it_runs_and_not_before_or_after(folder: Path) -> None:
    inbox = Inbox(folder, styles=STYLES, default_style="starry", settle_seconds=0.2)
    assert not inbox.health().is_fresh
    with inbox:
        assert inbox.health().is_fresh
        assert inbox.health().watching
    assert not inbox.health().is_fresh
    assert inbox.take(Deadline(SOON)) is None


def test_a_closed_inbox_leaves_no_thread_and_no_descriptor(folder: Path) -> None:
    def held() -> tuple[int, int]:
        return threading.active_count(), len(os.listdir("/proc/self/fd"))

    before = held()
    for _ in range(3):
        with Inbox(folder, styles=STYLES, default_style="starry", settle_seconds=0.2) as inbox:
            put(folder / "starry/a.jpg")
            taken(inbox)
            assert held() > before
            inbox.close()
        wait_until(lambda: held() == before, SOON)


FLOODED = """
import sys, time
from pathlib import Path
from daemon.inbox import Inbox

with Inbox(Path(sys.argv[1]), styles=["starry"], default_style="starry", settle_seconds=60) as inbox:
    print("ready", flush=True)
    for wanted in (25_000, 25_001):
        end = time.monotonic() + 45
        while sum(inbox.waiting().values()) < wanted and time.monotonic() < end:
            time.sleep(0.05)
        print(sum(inbox.waiting().values()), inbox.health().how, flush=True)
"""


@contextmanager
def stopped(process: "subprocess.Popen[str]") -> Iterator[None]:
    os.kill(process.pid, signal.SIGSTOP)
    yield
    os.kill(process.pid, signal.SIGCONT)


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
        assert process.stdout.readline() == "25000 watching\n"
        put(folder / "starry/one-more.jpg")
        assert process.stdout.readline() == "25001 watching\n"
    assert process.returncode == 0


def test_logging_of_names_cannot_break_a_line(live: Inbox, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    put(folder / "x\n<0>forged\x1b[2J/a.jpg")
    wait_until(lambda: "forged" in caplog.text, SOON)
    assert all("\n" not in line and "\x1b" not in line for line in caplog.messages)
