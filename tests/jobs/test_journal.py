"""The journal: whole lines or none, whatever a crash, a full disk or the disk itself does to it."""

import os
import threading
from pathlib import Path

import pytest

from daemon.jobs.journal import Journal, entries, split_damaged


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def states(path: Path) -> dict[str, str]:
    return {job: entry.state for job, entry in entries(path)[0].items()}


def test_what_was_written_is_read_in_order_and_the_last_ending_counts(path: Path) -> None:
    journal = Journal(path)
    journal.write("claimed", "1", picture="a/\udcff\n.jpg", sha256="ab")
    journal.write("claimed", "2")
    journal.write("delivered", "1", painting="x.jpg")
    journal.write("returned", "3")
    journal.write("delivered", "1", painting="x.jpg")
    assert states(path) == {"1": "delivered", "2": "claimed", "3": "returned"}
    facts = entries(path)[0]["1"].facts
    assert facts.pop("seen") >= 0
    assert facts == {"picture": "a/\udcff\n.jpg", "sha256": "ab", "painting": "x.jpg"}
    assert path.read_bytes().isascii()
    assert path.read_bytes().count(b"\n") == 5


@pytest.mark.parametrize("kept", range(0, 60, 7))
def test_a_torn_last_line_is_left_out_and_the_next_one_stands_on_its_own(path: Path, kept: int) -> None:
    Journal(path).write("claimed", "1")
    whole = path.read_bytes()
    Journal(path).write("claimed", "2", picture="starry/photo.jpg")
    path.write_bytes(path.read_bytes()[: len(whole) + kept])
    assert entries(path) == (entries(path)[0], [])
    assert states(path) == {"1": "claimed"}
    Journal(path).write("failed", "3")
    assert states(path) == {"1": "claimed", "3": "failed"}
    assert path.read_bytes().startswith(whole)


@pytest.mark.parametrize("torn", [b"", b"\0" * 5000, b'12345678 {"at":1'])
def test_a_journal_that_was_torn_in_its_first_line_starts_again_from_nothing(path: Path, torn: bytes) -> None:
    path.write_bytes(torn)
    Journal(path).write("claimed", "1")
    assert states(path) == {"1": "claimed"}
    assert path.read_bytes().count(b"\n") == 1


def test_blocks_of_zeros_that_a_power_loss_leaves_are_no_lines(path: Path) -> None:
    Journal(path).write("claimed", "1")
    with path.open("ab") as file:
        file.write(b"\0" * 100_000)
    assert entries(path)[1] == []
    Journal(path).write("claimed", "2")
    Journal(path).write("claimed", "3")
    assert set(states(path)) >= {"1", "3"}


def test_each_flipped_bit_in_a_line_is_noticed_and_the_other_lines_count(path: Path) -> None:
    journal = Journal(path)
    for job in ("1", "2", "3"):
        journal.write("claimed", job)
    data = path.read_bytes()
    second = data.index(b"\n") + 1
    for place in range(second, data.index(b"\n", second), 3):
        broken = bytearray(data)
        broken[place] ^= 1
        if broken[place] == 0x0A:
            continue
        path.write_bytes(broken)
        jobs, damaged = entries(path)
        assert (set(jobs), damaged) == ({"1", "3"}, [2])
    sound, rest = split_damaged(path)
    assert sound.count(b"\n") == 2
    assert rest.count(b"\n") == 1


def test_a_line_that_the_disk_takes_only_in_part_leaves_nothing_behind(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(path)
    journal.write("claimed", "1")
    real, calls = os.write, iter([True, False])

    def short(fd: int, data: bytes) -> int:
        if next(calls):
            return real(fd, data[:10])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", short)
        with pytest.raises(OSError, match="No space left"):
            journal.write("claimed", "2")
    journal.write("claimed", "3")
    assert states(path) == {"1": "claimed", "3": "claimed"}


def test_many_threads_write_whole_lines(path: Path) -> None:
    journal = Journal(path)

    def write(number: int) -> None:
        for line in range(50):
            journal.write("claimed", f"{number}-{line}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(states(path)) == 200
    assert entries(path)[1] == []
