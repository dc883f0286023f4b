"""The machine fails: processes that die and hang, a sick device, a full disk, rights that go and come back."""

import contextlib
import functools
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from daemon.config import load
from daemon.doctor import examine
from tests.conftest import CONFIG, Daemon, jpeg, wait_until
from tests.fast_daemon import BREAKS, CRASHES, HANGS, KILLS, MUTTERS, STALLS

Start = Callable[..., Daemon]


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def plain(root: Path, name: str, colour: tuple[int, int, int]) -> Path:
    path = root / "inbox/alpha" / name
    Image.new("RGB", (40, 30), colour).save(path)
    return path


def drop(root: Path, *which: str, style: str = "alpha", end: bytes = b"") -> None:
    for number, name in enumerate(which):
        (root / "inbox" / style / name).write_bytes(jpeg(seed=number) + end)


def painted(root: Path, name: str) -> Callable[[], bool]:
    return (root / "outbox/alpha" / name).exists


def adds_up(root: Path) -> None:
    report = examine(load(root / "config.yaml"))
    assert report.adds_up, report
    assert not report.findings


def errors(daemon: Daemon, text: str) -> int:
    return sum(text in line for line in daemon.text().splitlines())


@pytest.mark.parametrize("colour", [KILLS, BREAKS, HANGS], ids=["killed", "broken", "hung"])
def test_a_picture_on_which_its_painter_dies_three_times_is_set_aside_and_the_others_are_painted(
    root: Path, start: Start, colour: tuple[int, int, int]
) -> None:
    (root / "config.yaml").write_text(CONFIG + "stall_seconds: 1\n")
    daemon = start(fast=True).ready()
    plain(root, "bad.png", colour)
    drop(root, "a.jpg", "b.jpg")
    for name in ("a.jpg", "b.jpg"):
        wait_until(painted(root, name), what=daemon.text)
    wait_until((root / "failed/alpha/bad.png.txt").exists, what=daemon.text)
    assert [errors(daemon, f"(try {number} of 3)") for number in (1, 2, 3)] == [1, 1, 1]
    reason = (root / "failed/alpha/bad.png.txt").read_text()
    assert "broke down on it 3 times" in reason
    assert "Traceback" not in reason
    assert daemon.stop() == 0
    adds_up(root)


@pytest.mark.parametrize("end", [CRASHES, STALLS], ids=["crashes", "hangs"])
def test_a_decoder_that_crashes_or_hangs_takes_only_its_own_picture_with_it(
    root: Path, start: Start, end: bytes
) -> None:
    daemon = start(fast=True).ready()
    drop(root, "bad.jpg", end=end)
    drop(root, "good.jpg")
    wait_until(painted(root, "good.jpg"), what=daemon.text)
    wait_until((root / "failed/alpha/bad.jpg.txt").exists, what=daemon.text)
    assert "the reader process broke down on it 3 times" in (root / "failed/alpha/bad.jpg.txt").read_text()
    assert (root / "failed/alpha/bad.jpg").read_bytes().endswith(end)
    assert daemon.stop() == 0


def test_what_a_decoder_prints_is_logged_for_those_who_ask_and_harmless(root: Path, start: Start) -> None:
    daemon = start("--verbose", fast=True).ready()
    drop(root, "photo.jpg", end=MUTTERS)
    wait_until(painted(root, "photo.jpg"), what=daemon.text)
    daemon.wait_for("a decoder said: TIFFReadDirectory: Warning, \\x1b[31munknown field")
    assert daemon.stop() == 0


@pytest.mark.parametrize("sick", ["all", "photos"])
def test_a_device_that_fails_on_every_picture_pauses_the_service_and_condemns_none(
    root: Path, start: Start, sick: str
) -> None:
    """Whether it also fails on the small trial that a new painter begins with, or on real photos only."""
    daemon = start(fast=True).ready()
    (root / "sick").write_text(sick)
    photos = [f"{number}.jpg" for number in range(6)]
    drop(root, *photos)
    said = "the painter cannot work" if sick == "all" else "paused: the painter breaks down on every picture"
    daemon.wait_for(said)
    wait_until(lambda: said.removeprefix("paused: ") in _status(root)["trouble"], what=daemon.text)
    time.sleep(2)
    (root / "sick").unlink()
    for name in photos:
        wait_until(painted(root, name), what=daemon.text)
    assert errors(daemon, said) == 1
    assert not names(root / "failed")
    wait_until(lambda: not _status(root)["trouble"])
    assert daemon.stop() == 0
    adds_up(root)


def test_a_daemon_that_is_killed_again_and_again_blames_nobody(root: Path, start: Start) -> None:
    (root / "config.yaml").write_text(CONFIG + "stall_seconds: 1000\n")
    for number in range(3):
        daemon = start(fast=True)
        if number == 0:
            daemon.ready()
            plain(root, "photo.png", HANGS)
        wait_until(functools.partial(_paints, root, daemon), what=daemon.text)
        daemon.signal(signal.SIGKILL)
        daemon.process.wait()
        assert "(try" not in daemon.text()
    daemon = start(fast=True)
    wait_until(functools.partial(_paints, root, daemon), what=daemon.text)
    assert daemon.stop() == 0
    assert names(root / "inbox") == {"alpha/photo.png"}
    assert not names(root / "failed")
    adds_up(root)


def test_a_full_disk_pauses_the_service_and_room_lets_it_go_on(small: Path, start: Start) -> None:
    """Full before a job, and full when the painting is written: nothing is lost and nothing half-delivered."""
    daemon = start(at=small, fast=True).ready()
    drop(small, "a.jpg")
    wait_until(painted(small, "a.jpg"), what=daemon.text)
    _fill(small / "ballast", leave=1000)
    drop(small, "b.jpg")
    daemon.wait_for("is full")
    time.sleep(3)
    assert errors(daemon, "paused: the disk of") == 1
    assert names(small / "inbox") == {"alpha/b.jpg"}
    (small / "ballast").unlink()
    wait_until(painted(small, "b.jpg"), what=daemon.text)
    assert errors(daemon, "no longer paused") == 1
    assert daemon.stop() == 0
    assert names(small / "done") == {"alpha/a.jpg", "alpha/b.jpg"}
    adds_up(small)


def test_a_disk_that_fills_up_during_a_job_loses_nothing(small: Path, start: Start) -> None:
    """Its room is taken over and over, at any moment of the jobs."""
    daemon = start(at=small, fast=True).ready()
    photos = [f"{number}.jpg" for number in range(12)]
    drop(small, *photos)
    end = time.monotonic() + 6
    while time.monotonic() < end:
        _fill(small / "ballast", leave=0)
        time.sleep(0.05)
        (small / "ballast").unlink()
        time.sleep(0.1)
    for name in photos:
        wait_until(painted(small, name), 120, what=daemon.text)
    wait_until(lambda: len(names(small / "done")) == 12, what=daemon.text)
    assert daemon.stop() == 0
    assert names(small / "outbox") == {f"alpha/{name}" for name in photos}
    for name in photos:
        with Image.open(small / "outbox/alpha" / name) as painting:
            painting.load()
    assert not names(small / "failed") | names(small / "inbox")
    adds_up(small)


@pytest.mark.parametrize("where", ["inbox/alpha", "outbox/alpha", "work"])
def test_a_folder_that_may_not_be_written_is_said_once_and_waited_for(root: Path, start: Start, where: str) -> None:
    (root / "outbox/alpha").mkdir(parents=True)
    daemon = start(fast=True, powerless=True).ready()
    drop(root, "photo.jpg", style="beta")
    drop(root, "photo.jpg")
    (root / where).chmod(0o555)
    if where != "work":
        wait_until((root / "outbox/beta/photo.jpg").exists, what=daemon.text)
    daemon.wait_for("it is tried again by itself" if where != "work" else "paused: ")
    time.sleep(3)
    assert (root / "inbox/alpha/photo.jpg").exists()
    assert errors(daemon, "error:") == 1, daemon.text()
    (root / where).chmod(0o755)
    wait_until((root / "outbox/alpha/photo.jpg").exists, what=daemon.text)
    assert daemon.stop() == 0
    adds_up(root)


def test_a_photo_that_may_not_be_read_waits_until_it_may(root: Path, start: Start) -> None:
    daemon = start(fast=True, powerless=True).ready()
    path = root / "inbox/alpha/secret.jpg"
    path.write_bytes(jpeg())
    path.chmod(0)
    daemon.wait_for("may not be read")
    path.chmod(0o644)
    wait_until((root / "outbox/alpha/secret.jpg").exists, what=daemon.text)
    assert errors(daemon, "may not be read") == 1
    assert daemon.stop() == 0


@pytest.mark.parametrize("where", ["inbox", "outbox", "done", "inbox/alpha"])
def test_a_folder_that_is_deleted_and_made_again_goes_on(root: Path, start: Start, where: str) -> None:
    daemon = start(fast=True).ready()
    shutil.rmtree(root / where)
    time.sleep(1)
    (root / where).mkdir(exist_ok=True)
    (root / "inbox/alpha").mkdir(exist_ok=True)
    drop(root, "photo.jpg")
    wait_until(painted(root, "photo.jpg"), what=daemon.text)
    assert daemon.stop() == 0
    adds_up(root)


def test_a_disk_that_goes_away_is_waited_for_and_nothing_is_made_in_its_place(small: Path, start: Start) -> None:
    (small.parent / "config.yaml").write_text(CONFIG.replace("root: .", "root: disk"))
    daemon = start(at=small.parent, fast=True).ready()
    subprocess.run(["mount", "--move", small, small.parent / "away"], check=True)
    daemon.wait_for("is missing; waiting for it")
    time.sleep(2)
    assert not any(small.iterdir()), "nothing is made under the mount point"
    subprocess.run(["mount", "--move", small.parent / "away", small], check=True)
    drop(small, "photo.jpg")
    wait_until(painted(small, "photo.jpg"), what=daemon.text)
    assert daemon.stop() == 0


def test_what_is_made_has_the_folders_group_and_is_nobodys_to_write(root: Path, start: Start) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a folder to a group of others")
    for folder in ("outbox", "failed"):
        (root / folder).mkdir()
        os.chown(root / folder, -1, 12345)
    before = os.umask(0)
    daemon = start(fast=True)
    os.umask(before)
    daemon.ready()
    drop(root, "photo.jpg")
    (root / "inbox/alpha/bad.jpg").write_text("no picture")
    wait_until(painted(root, "photo.jpg"), what=daemon.text)
    wait_until((root / "failed/alpha/bad.jpg.txt").exists, what=daemon.text)
    assert daemon.stop() == 0
    made = [path for name in ("outbox", "done", "failed", "work") for path in (root / name).rglob("*")]
    assert not [path for path in made if path.stat().st_mode & 0o002]
    for path in ("outbox/alpha", "outbox/alpha/photo.jpg", "failed/alpha/bad.jpg.txt"):
        assert (root / path).stat().st_gid == 12345


def _status(root: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((root / "work/status.json").read_text())
    except (OSError, ValueError):
        return {"trouble": "", "jobs": []}
    return found


def _paints(root: Path, daemon: Daemon) -> bool:
    """Whether this very daemon says so."""
    jobs = _status(root)["jobs"]
    is_fresh = bool(jobs) and (root / "work/status.json").stat().st_mtime > _started(daemon)
    return is_fresh and any(job["stage"] == "painting" for job in jobs)


def _started(daemon: Daemon) -> float:
    return Path(f"/proc/{daemon.process.pid}").stat().st_ctime


def _fill(path: Path, *, leave: int) -> None:
    """Take all room but for `leave` kilobytes."""
    free = os.statvfs(path.parent)
    with path.open("wb") as file, contextlib.suppress(OSError):
        os.posix_fallocate(file.fileno(), 0, max(free.f_bavail * free.f_frsize - leave * 1000, 1))


def _configured(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "alpha.png").write_bytes(jpeg(seed=1, kind="PNG"))
    (folder / "beta.png").write_bytes(jpeg(40, 60, seed=2, kind="PNG"))
    (folder / "config.yaml").write_text(CONFIG)
    return folder


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A root on a disk of its own with room for a few paintings."""
    disk = _configured(tmp_path) / "disk"
    disk.mkdir()
    (tmp_path / "away").mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    if os.getuid() != 0 or subprocess.run(mounted, check=False, capture_output=True).returncode:
        pytest.skip("this user cannot mount a small disk")
    yield _configured(disk)
    for place in (disk, tmp_path / "away"):
        subprocess.run(["umount", "-l", place], check=False, capture_output=True)
