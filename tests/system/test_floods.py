"""Many at once, and writers of every kind, all the way to the painting."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.support.daemon import Start, wait_until
from tests.support.folders import below
from tests.support.samples import jpeg

pytestmark = pytest.mark.slow


def paintings(root: Path, style: str) -> list[Path]:
    found = [path for path in below(root / "outbox" / style) if path.suffix == ".jpg"]
    return sorted(found, key=lambda path: path.stat().st_mtime_ns)


def test_a_small_drop_is_not_starved_by_a_flood_in_a_hundred_folders(root: Path, start: Start) -> None:
    data = jpeg(32, 24)
    for number in range(100):
        folder = root / f"inbox/alpha/{number:03}"
        folder.mkdir(parents=True)
        for name in ("a.jpg", "b.jpg"):
            (folder / name).write_bytes(data)
    daemon = start(fast=True).ready()
    wait_until(lambda: paintings(root, "alpha"), what=daemon.text)
    for number in range(3):
        (root / f"inbox/beta/{number}.jpg").write_bytes(data)
    wait_until(lambda: len(paintings(root, "alpha")) == 200, 240, what=daemon.text)
    last = paintings(root, "beta")[2].stat().st_mtime_ns
    after = [path for path in paintings(root, "alpha") if path.stat().st_mtime_ns > last]
    assert len(after) > 50, f"only {len(after)} of 200 came after the small drop's last"
    wait_until(lambda: not below(root / "inbox"))
    assert daemon.stop() == 0
    assert len([path for path in (root / "done").rglob("*.jpg") if path.read_bytes() == data]) == 203


def test_a_flood_that_nobody_could_watch_is_found_whole_and_starves_nobody(root: Path, start: Start) -> None:
    """25,000 files in 1,000 new folders while the daemon cannot run: the system's queue holds 16,384 events. Every
    photo among them is painted, and one that comes later into a folder whose making nobody saw."""
    daemon = start(fast=True).ready()
    data = jpeg(32, 24)
    daemon.signal(signal.SIGSTOP)
    try:
        for number in range(1000):
            folder = root / f"inbox/alpha/{number:04}"
            folder.mkdir()
            for other in range(25):
                (folder / f"{other}.txt").touch()
            if number % 20 == 19:
                (folder / "photo.jpg").write_bytes(data)
        (root / "inbox/beta/small.jpg").write_bytes(data)
    finally:
        daemon.signal(signal.SIGCONT)
    wait_until(lambda: len(paintings(root, "alpha")) == 50, 240, what=daemon.text)
    late = paintings(root, "beta")[0].stat().st_mtime_ns
    assert sum(path.stat().st_mtime_ns > late for path in paintings(root, "alpha")) > 25
    (root / "inbox/alpha/0999/late.jpg").write_bytes(data)
    wait_until((root / "outbox/alpha/0999/late.jpg").exists, 240, what=daemon.text)
    assert daemon.stop() == 0
    assert len(list((root / "done").rglob("*.jpg"))) == 52
    assert sum(1 for path in (root / "inbox/alpha").rglob("*.txt")) == 25_000, "what is no photo is left alone"


def test_writers_of_every_kind_are_waited_for(root: Path, start: Start) -> None:
    """Preallocated with zeros and filled, truncated and rewritten, finished by a hard link, times of 1970 and 2099."""
    daemon = start(fast=True).ready()
    inbox, data = root / "inbox/alpha", jpeg()
    slow = (inbox / "prealloc.jpg").open("wb", buffering=0)
    slow.write(bytes(len(data)))
    (inbox / "rewritten.jpg").write_bytes(jpeg(seed=5)[:700])
    (inbox / "linked.jpg.part").write_bytes(data)
    os.link(inbox / "linked.jpg.part", inbox / "linked.jpg")
    (inbox / "linked.jpg.part").unlink()
    for year, seconds in (("1970", 0), ("2099", 4_070_908_800)):
        (inbox / f".{year}.jpg").write_bytes(data)
        os.utime(inbox / f".{year}.jpg", (seconds, seconds))
        (inbox / f".{year}.jpg").rename(inbox / f"{year}.jpg")
    time.sleep(0.1)
    (inbox / "rewritten.jpg").write_bytes(data)
    time.sleep(1)
    assert not (root / "outbox/alpha/prealloc.jpg").exists()
    slow.seek(0)
    slow.write(data)
    slow.close()
    wanted = {f"{name}.jpg" for name in ("prealloc", "rewritten", "linked", "1970", "2099")}
    wait_until(lambda: {path.name for path in paintings(root, "alpha")} == wanted, what=daemon.text)
    assert daemon.stop() == 0
    assert all((root / "done/alpha" / name).read_bytes() == data for name in wanted)
    assert not any((root / "failed").rglob("*.*"))
