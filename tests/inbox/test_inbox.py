"""What the job threads take, by the test's clock where time matters."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.inbox.inbox import Inbox
from daemon.inbox.photo import InboxPhoto, Signature
from daemon.inbox.stability import State, observe
from tests.support.clock import Clock
from tests.support.daemon import wait_until
from tests.support.inbox import SOON, STYLES, is_drained, put, running, take_next, take_now, take_within


def after(inbox: Inbox, clock: Clock, seconds: float) -> list[str]:
    """Scan, let time pass, scan again, and take what has settled, by path below the inbox."""
    inbox.scan()
    clock.now += seconds
    inbox.scan()
    return [os.path.relpath(photo.path, inbox.folder) for photo in take_all(inbox)]


def take_all(inbox: Inbox) -> Iterator[InboxPhoto]:
    while photo := take_now(inbox):
        yield photo


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


def test_a_file_that_was_replaced_or_rewritten_in_the_queue_settles_again(
    still: Inbox, clock: Clock, folder: Path
) -> None:
    put(folder / "starry/a.jpg", b"first")
    put(folder / "starry/b.jpg", b"first")
    still.scan()
    clock.now += 2
    still.scan()
    put(folder / "new", b"again").rename(folder / "starry/a.jpg")
    put(folder / "starry/b.jpg", b"longer than before")
    assert take_now(still) is None, "the last look before it is handed out sees it"
    assert after(still, clock, 1.9) == []
    assert after(still, clock, 0.1) == ["starry/a.jpg", "starry/b.jpg"]


def test_a_photo_is_the_takers_until_it_is_released(still: Inbox, clock: Clock, folder: Path) -> None:
    put(folder / "starry/a.jpg")
    still.scan()
    clock.now += 2
    still.scan()
    photo = take_now(still)
    assert photo is not None
    assert after(still, clock, 100) == []
    assert not is_drained(still)
    still.release(photo, pause=30)
    assert after(still, clock, 29) == []
    assert after(still, clock, 1) == ["starry/a.jpg"]


def test_it_is_drained_when_nothing_is_settled_growing_or_in_hand(still: Inbox, clock: Clock, folder: Path) -> None:
    assert not is_drained(still), "not scanned yet"
    still.scan()
    assert is_drained(still)
    put(folder / "starry/a.jpg.yaml")
    file = put(folder / "starry/a.jpg")
    still.scan()
    assert not is_drained(still), "growing"
    clock.now += 2
    still.scan()
    assert not is_drained(still), "settled"
    photo = take_now(still)
    assert photo is not None
    file.unlink()
    still.scan()
    assert not is_drained(still), "in hand"
    still.release(photo)
    assert not is_drained(still), "the photo may have been put back: a scan must tell"
    still.scan()
    assert is_drained(still), "a sidecar alone waits for ever"


def test_new_settings_count_from_the_next_photo_on(still: Inbox, clock: Clock, folder: Path) -> None:
    put(folder / "top.jpg")
    put(folder / "starry/a.jpg")
    put(folder / "pencil/b.jpg")
    still.scan()
    clock.now += 2
    still.scan()
    still.configure(styles=("scream", "pencil"), default_style="pencil", settle_seconds=5)
    assert still.waiting() == {}, "no photo of a removed style is handed out"
    assert not is_drained(still), "the folders of new styles have not been scanned"
    assert after(still, clock, 4.9) == []
    clock.now += 0.1
    still.scan()
    found = {photo.path: photo.style for photo in take_all(still)}
    assert found == {str(folder / "top.jpg"): "pencil", str(folder / "pencil/b.jpg"): "pencil"}


@pytest.mark.slow
def test_ten_thousand_waiting_photos_are_scanned_ordered_and_handed_out_in_seconds(
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
    order = [photo.name for photo in take_all(still)]
    assert time.process_time() - started < 4
    assert sorted(order[:2]) == ["only.jpg", "p0.jpg"]
    assert [name for name in order if name != "only.jpg"] == [f"p{number}.jpg" for number in range(10_000)]


# in real time


def test_a_slow_writer_is_waited_for_even_when_it_pauses_for_longer_than_files_take_to_settle(
    live: Inbox, folder: Path
) -> None:
    needs_leases(folder)
    with (folder / "starry/slow.jpg").open("wb", buffering=0) as file:
        for _ in range(3):
            file.write(b"x" * 1000)
            assert take_within(live, 0.05) is None
        assert take_within(live, 0.4) is None
        assert live.growing()[0].why == "a program has it open for writing"
        file.write(b"x")
    assert take_next(live).signature.size == 3001


def test_a_photo_with_any_name_is_taken_and_what_is_no_photo_is_not(live: Inbox, folder: Path) -> None:
    raw = os.fsencode(folder / "starry") + b"/caf\xe9\n.jpg"
    os.mkfifo(folder / "starry/pipe.jpg")
    (folder / "starry/link.jpg").symlink_to("/etc/passwd")
    (folder / "starry/folder.jpg").mkdir()
    put(folder / "starry/.hidden.jpg")
    put(folder / "nobody/a.jpg")
    Path(os.fsdecode(raw)).write_bytes(b"x")
    assert os.fsencode(take_next(live).path) == raw
    assert take_within(live, 0.4) is None


def test_many_takers_get_each_photo_once_and_all_end_at_the_stop(live: Inbox, folder: Path) -> None:
    stop = threading.Event()
    got: list[str] = []

    def work() -> None:
        while photo := live.take(stop):
            got.append(photo.name)
            os.unlink(photo.path)  # as a job does
            live.release(photo)

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for number in range(200):
        put(folder / STYLES[number % 2] / f"p{number}.jpg")
    wait_until(lambda: len(got) >= 200, SOON)
    wait_until(lambda: is_drained(live), SOON)
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
    threading.Timer(0.5, slow.close).start()
    got = []
    with running(folder, once=True) as inbox:
        while photo := take_within(inbox, SOON):
            got.append(photo.name)
            os.unlink(photo.path)
            inbox.release(photo)
    assert got == ["a.jpg", "b.jpg"]
    assert slow.closed


def test_a_put_back_photo_is_handed_out_again(live: Inbox, folder: Path) -> None:
    put(folder / "starry/a.jpg")
    first = take_next(live)
    live.release(first)
    assert take_next(live) == first


def test_a_closed_inbox_hands_out_nothing_and_leaves_no_thread_and_no_descriptor(folder: Path) -> None:
    def held() -> tuple[int, int]:
        return threading.active_count(), len(os.listdir("/proc/self/fd"))

    before = held()
    for _ in range(3):
        with running(folder) as inbox:
            put(folder / "starry/a.jpg")
            take_next(inbox)
            assert held() > before
        assert inbox.take(threading.Event()) is None
        wait_until(lambda: held() == before, SOON)
