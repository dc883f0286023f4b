"""When a photo is complete, and whose turn it is. Time is handed in; files are real where they are looked at."""

import contextlib
import fcntl
import os
import random
import signal
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.inbox.queue import PLACEHOLDER_SECONDS, SettleQueue
from daemon.inbox.scan import InboxPhoto, Signature
from daemon.inbox.stability import Observation, State, observe


def photo(name: str = "a.jpg", style: str = "starry", size: int = 9, mtime: int = 1, inode: int = 1) -> InboxPhoto:
    return InboxPhoto(style, "", name, f"/inbox/{style}/{name}", Signature(1, inode, size, mtime))


def judge(waiting: SettleQueue, now: float, state: State = State.STILL) -> list[str]:
    """Look at all that is due, with one answer. Returns the names that were due."""
    due = waiting.due(now)
    for arrival in due:
        waiting.judge(arrival, Observation(state, None if state is State.GONE else arrival), now)
    return [arrival.name for arrival in due]


def take_all(waiting: SettleQueue) -> list[str]:
    return [arrival.name for arrival in iter(waiting.pop, None)]


def settled(waiting: SettleQueue, *arrivals: InboxPhoto) -> None:
    waiting.update(arrivals, 0)
    judge(waiting, 2)


# when


def test_a_photo_settles_when_it_has_not_changed_since_it_was_first_seen_for_settle_seconds() -> None:
    waiting = SettleQueue(2)
    waiting.update([photo()], 100.0)
    assert waiting.next_due() == 102.0
    assert not judge(waiting, 101.9)
    assert waiting.pop() is None
    assert judge(waiting, 102.0) == ["a.jpg"]
    assert waiting.pop() == photo()


@pytest.mark.parametrize("change", [{"size": 10}, {"mtime": 2}, {"inode": 2}])
def test_a_change_starts_the_wait_again(change: dict[str, int]) -> None:
    waiting = SettleQueue(2)
    waiting.update([photo()], 0.0)
    waiting.update([photo(**change)], 1.5)  # type: ignore[arg-type]
    assert not judge(waiting, 3.4)
    assert judge(waiting, 3.5)


def test_a_change_of_a_companion_starts_the_wait_again() -> None:
    waiting = SettleQueue(2)
    waiting.update([photo()], 0.0)
    waiting.update([replace(photo(), companions=("a.jpg.yaml",), beside=(Signature(1, 2, 3, 4),))], 1.0)
    waiting.update([replace(photo(), companions=("a.jpg.yaml",), beside=(Signature(1, 2, 9, 4),))], 1.5)
    assert waiting.next_due() == 3.5


def test_a_settled_photo_that_changes_in_the_queue_must_settle_again() -> None:
    waiting = SettleQueue(2)
    settled(waiting, photo())
    waiting.update([photo(size=10)], 2.5)
    assert waiting.pop() is None
    judge(waiting, 4.5)
    popped = waiting.pop()
    assert popped is not None
    assert popped.signature.size == 10
    assert waiting.pop() is None, "a stale entry of the queue is not handed out a second time"


@pytest.mark.parametrize("mtime", [0, -(10**18), 4_070_908_800 * 10**9])
def test_the_files_own_times_say_nothing(mtime: int) -> None:
    """Cameras without a clock write 1970, and rsync -t keeps whatever was there."""
    waiting = SettleQueue(2)
    waiting.update([photo(mtime=mtime)], 50.0)
    assert not judge(waiting, 51.0)
    assert judge(waiting, 52.0)


def test_a_photo_being_written_settles_from_its_writers_end_on_however_long_that_takes() -> None:
    waiting = SettleQueue(2)
    waiting.update([photo()], 0.0)
    for now in range(2, 7200, 2):
        assert judge(waiting, now, State.WRITING) == ["a.jpg"]
    (growing,) = waiting.growing(7199)
    assert (growing.why, growing.seconds) == ("a program has it open for writing", 1)
    assert judge(waiting, 7200) == ["a.jpg"]
    assert waiting.pop() is not None


def test_an_empty_photo_is_a_placeholder_until_it_has_stood_still_for_a_minute() -> None:
    waiting = SettleQueue(2)
    waiting.update([photo(size=0)], 0.0)
    assert not judge(waiting, PLACEHOLDER_SECONDS - 0.1)
    assert "placeholder" in waiting.growing(3)[0].why
    assert judge(waiting, PLACEHOLDER_SECONDS)
    assert waiting.pop() is not None


def test_a_placeholder_that_is_filled_settles_like_any_other() -> None:
    waiting = SettleQueue(2)
    waiting.update([photo(size=0)], 0.0)
    waiting.update([photo(size=7)], 30.0)
    assert judge(waiting, 32.0)


def test_an_unreadable_photo_is_tried_again_and_keeps_nobody_from_finishing() -> None:
    waiting = SettleQueue(2)
    waiting.update([photo()], 0.0)
    judge(waiting, 2, State.UNREADABLE)
    assert waiting.is_idle()
    assert waiting.counts() == {"starry": 1}
    assert judge(waiting, waiting.next_due()) == ["a.jpg"]
    assert waiting.pop() is not None


def test_a_photo_that_is_gone_is_forgotten() -> None:
    waiting = SettleQueue(2)
    waiting.update([photo("a.jpg"), photo("b.jpg")], 0.0)
    waiting.update([photo("b.jpg")], 1.0)
    judge(waiting, 2, State.GONE)
    assert waiting.counts() == {}
    assert waiting.is_idle()


def test_a_look_at_what_a_rescan_has_replaced_meanwhile_is_void() -> None:
    waiting = SettleQueue(2)
    waiting.update([photo()], 0.0)
    (old,) = waiting.due(2)
    waiting.update([photo(size=10)], 2.0)
    waiting.judge(old, Observation(State.STILL, old), 2.1)
    assert waiting.pop() is None


# in hand


def test_a_photo_in_hand_is_not_handed_out_again_while_it_still_lies_there() -> None:
    waiting = SettleQueue(2)
    settled(waiting, photo())
    assert waiting.pop() is not None
    assert waiting.update([photo()], 3.0) == []
    assert judge(waiting, 100.0) == []
    assert not waiting.is_idle()


def test_a_new_file_of_the_same_name_waits_until_the_old_one_is_released() -> None:
    waiting = SettleQueue(2)
    settled(waiting, photo())
    old = waiting.pop()
    assert old is not None
    waiting.update([photo(inode=2)], 3.0)
    judge(waiting, 5.0)
    assert waiting.pop() is None
    waiting.release(old, 6.0)
    judge(waiting, waiting.next_due())
    new = waiting.pop()
    assert new is not None
    assert new.signature.inode == 2


def test_a_photo_that_was_put_back_settles_anew_and_not_before_its_pause() -> None:
    waiting = SettleQueue(2)
    settled(waiting, photo())
    arrival = waiting.pop()
    assert arrival is not None
    waiting.release(arrival, 40.0)
    waiting.update([photo()], 3.0)
    assert waiting.next_due() == 40.0
    assert judge(waiting, 40.0)
    assert waiting.pop() is not None


def test_a_photo_that_changed_at_the_last_look_keeps_its_place_by_age() -> None:
    waiting = SettleQueue(2)
    settled(waiting, photo("old.jpg"))
    old = waiting.pop()
    assert old is not None
    waiting.update([photo("new.jpg")], 3.0)
    waiting.put_back(old, Observation(State.CHANGED, photo("old.jpg", size=10)), 4.0)
    judge(waiting, 6.0)
    assert take_all(waiting) == ["old.jpg", "new.jpg"]


# whose turn


def test_the_oldest_comes_first_and_ties_go_by_name_as_people_count() -> None:
    waiting = SettleQueue(2)
    names = [f"p{number}.jpg" for number in range(12)]
    shuffled = random.Random(1).sample(names, len(names))
    waiting.update([photo("z.jpg")], 0.0)
    waiting.update([photo(name) for name in ["z.jpg", *shuffled]], 1.0)
    judge(waiting, 3)
    assert take_all(waiting) == ["z.jpg", *names]


def test_a_small_style_is_not_starved_by_a_large_one() -> None:
    waiting = SettleQueue(2)
    large = [photo(f"l{number}.jpg", "large") for number in range(1000)]
    settled(waiting, *large)
    assert [waiting.pop() for _ in range(5)] == large[:5]
    waiting.update([*large[5:], photo("s1.jpg", "small"), photo("s2.jpg", "small")], 3.0)
    judge(waiting, 5.0)
    order = take_all(waiting)
    assert order[:4] == ["s1.jpg", "l5.jpg", "s2.jpg", "l6.jpg"]
    assert len(order) == 997


def test_three_styles_take_turns() -> None:
    waiting = SettleQueue(2)
    settled(waiting, *(photo(f"{style}{number}.jpg", style) for style in "abc" for number in range(3)))
    assert [name[0] for name in take_all(waiting)] == list("abcabcabc")


def test_styles_that_are_no_more_are_forgotten_and_a_new_default_style_moves_its_photos() -> None:
    waiting = SettleQueue(2)
    top = InboxPhoto("old", "", "top.jpg", "/inbox/top.jpg", Signature(1, 1, 1, 1))
    settled(waiting, photo("a.jpg", "old"), photo("b.jpg", "kept"), top)
    waiting.keep_styles({"kept", "new"})
    assert waiting.counts() == {"kept": 1}
    waiting.update([photo("b.jpg", "kept"), replace(top, style="new")], 3.0)
    judge(waiting, 5.0)
    assert take_all(waiting) == ["b.jpg", "top.jpg"]


# looking


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"content")
    return path


def seen(file: Path) -> InboxPhoto:
    return InboxPhoto("starry", "", file.name, str(file), Signature.of(file.lstat()))


def test_a_look_finds_a_photo_still(file: Path) -> None:
    assert observe(seen(file)) == Observation(State.STILL, seen(file))


def test_a_look_finds_growth_replacement_and_new_companions(file: Path) -> None:
    before = seen(file)
    file.write_bytes(b"content and more")
    assert observe(before) == Observation(State.CHANGED, seen(file))
    before = seen(file)
    (file.parent / "new").write_bytes(file.read_bytes())
    (file.parent / "new").rename(file)
    assert observe(before).state is State.CHANGED
    before = seen(file)
    (file.parent / "a.jpg.yaml").write_text("size: 100")
    look = observe(before)
    assert look.state is State.CHANGED
    assert look.arrival is not None
    assert look.arrival.companions == ("a.jpg.yaml",)
    assert observe(look.arrival).state is State.STILL


def test_a_photo_that_became_something_else_is_gone(file: Path, tmp_path: Path) -> None:
    before = seen(file)
    file.unlink()
    assert observe(before) == Observation(State.GONE, None)
    file.symlink_to("/etc/passwd")
    assert observe(before) == Observation(State.GONE, None)
    file.unlink()
    os.mkfifo(file)
    assert observe(before) == Observation(State.GONE, None)
    assert observe(replace(before, path=str(tmp_path / "no/such/folder.jpg"))) == Observation(State.GONE, None)


def test_a_name_of_255_bytes_has_no_room_for_companions_and_is_still(tmp_path: Path) -> None:
    file = tmp_path / ("é" * 125 + "a.jpg")
    assert len(os.fsencode(file.name)) == 255
    file.write_bytes(b"x")
    assert observe(seen(file)).state is State.STILL


@pytest.fixture
def leases(tmp_path: Path) -> None:
    """Skips where the filesystem of the tests grants no leases."""
    probe = tmp_path / "probe"
    probe.touch()
    fd = os.open(probe, os.O_RDONLY)
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except (OSError, AttributeError):
        pytest.skip("no leases here: stillness has to do")
    finally:
        os.close(fd)
        probe.unlink()


@pytest.mark.usefixtures("leases")
def test_a_look_sees_that_somebody_has_the_photo_or_its_sidecar_open_for_writing(file: Path) -> None:
    before = seen(file)
    with file.open("rb"):
        assert observe(before).state is State.STILL, "readers do not matter"
    with file.open("ab"):
        assert observe(before) == Observation(State.WRITING, before)
    assert observe(before).state is State.STILL
    sidecar = file.with_name("a.jpg.yaml")
    with sidecar.open("w"):
        with_sidecar = observe(before).arrival
        assert with_sidecar is not None
        assert observe(with_sidecar).state is State.WRITING
    assert observe(with_sidecar).state is State.STILL


@pytest.mark.usefixtures("leases")
def test_a_writer_that_comes_while_it_is_looked_at_ends_nobody(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel announces it by a signal, SIGIO unless told otherwise, whose default ends the process."""
    real = fcntl.fcntl
    signals: list[int] = []
    came: list[str] = []

    def meet(fd: int, command: int, argument: int = 0) -> object:
        result = real(fd, command, argument)
        if (command, argument) == (fcntl.F_SETLEASE, fcntl.F_RDLCK):
            with contextlib.suppress(BlockingIOError):
                os.close(os.open(file, os.O_WRONLY | os.O_NONBLOCK))
            came.append("a writer")
        return result

    monkeypatch.setattr(fcntl, "fcntl", meet)
    old = signal.signal(signal.SIGIO, lambda number, frame: signals.append(number))
    try:
        assert observe(seen(file)).state is State.STILL
    finally:
        signal.signal(signal.SIGIO, old)
    assert came
    assert not signals


@pytest.mark.usefixtures("leases")
def test_a_writer_is_not_held_up_by_being_looked_at(file: Path) -> None:
    stop = threading.Event()
    slowest = [0.0]

    def write() -> None:
        while not stop.is_set():
            started = time.monotonic()
            with file.open("rb+"):
                slowest.append(time.monotonic() - started)

    writer = threading.Thread(target=write)
    writer.start()
    before = seen(file)
    states = {observe(before).state for _ in range(3000)}
    stop.set()
    writer.join(10)
    assert states <= {State.STILL, State.WRITING}
    assert len(slowest) > 100
    assert max(slowest) < 5, "the kernel would break a lease that is kept after 45 s"


def test_a_photo_without_read_permission_is_unreadable() -> None:
    with tempfile.TemporaryDirectory() as folder:  # one that another user may enter
        os.chmod(folder, 0o755)
        file = Path(folder) / "a.jpg"
        file.write_bytes(b"content")
        file.chmod(0)
        root = os.geteuid() == 0
        try:
            if root:
                os.seteuid(65534)
            state = observe(seen(file)).state
        finally:
            if root:
                os.seteuid(0)
        assert state is State.UNREADABLE
        file.chmod(0o644)
        assert observe(seen(file)).state is State.STILL


def test_a_look_opens_no_descriptor_for_good(file: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        observe(seen(file))
    assert len(os.listdir("/proc/self/fd")) == before
