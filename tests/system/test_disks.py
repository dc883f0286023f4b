"""Disks that fill up and go away, rights that come and go, folders that are deleted under a running daemon."""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from daemon.events import Event
from tests.support.daemon import Start, wait_until
from tests.support.folders import adds_up, drop, names, painted
from tests.support.samples import CONFIG, jpeg

pytestmark = pytest.mark.slow


def test_a_full_disk_pauses_the_service_and_room_lets_it_go_on(small: Path, start: Start) -> None:
    """Full before a job, and full when the painting is written: nothing is lost and nothing half-delivered."""
    daemon = start(at=small, fast=True).ready()
    drop(small, "a.jpg")
    wait_until(painted(small, "a.jpg"), what=daemon.text)
    _fill(small / "ballast", leave=1000)
    drop(small, "b.jpg")
    daemon.wait_for(Event.PAUSED)
    time.sleep(1.5)
    assert len(daemon.events(Event.PAUSED)) == 1
    assert names(small / "inbox") == {"alpha/b.jpg"}
    (small / "ballast").unlink()
    wait_until(painted(small, "b.jpg"), what=daemon.text)
    wait_until(lambda: len(daemon.events(Event.RESUMED)) == 1, what=daemon.text)
    assert daemon.stop() == 0
    assert names(small / "done") == {"alpha/a.jpg", "alpha/b.jpg"}
    adds_up(small)


def test_once_gives_up_on_a_full_disk_and_leaves_the_pictures_where_they_are(small: Path, start: Start) -> None:
    (small / "inbox/alpha").mkdir(parents=True)
    drop(small, "a.jpg", "b.jpg")
    _fill(small / "ballast", leave=1000)
    daemon = start("--once", at=small, fast=True)
    assert daemon.process.wait(120) == 1, daemon.text()
    assert "disk" in daemon.wait_for(Event.GIVEN_UP)["message"]
    assert names(small / "inbox") == {"alpha/a.jpg", "alpha/b.jpg"}
    assert not names(small / "failed")


def test_once_paints_what_it_can_and_gives_up_on_a_folder_that_may_not_be_written(root: Path, start: Start) -> None:
    for folder in ("inbox/alpha", "inbox/beta", "outbox/alpha"):
        (root / folder).mkdir(parents=True)
    (root / "outbox/alpha").chmod(0o555)
    drop(root, "a.jpg")
    drop(root, "b.jpg", style="beta")
    daemon = start("--once", fast=True, powerless=True)
    assert daemon.process.wait(120) == 1, daemon.text()
    assert names(root / "outbox") == {"beta/b.jpg"}
    assert names(root / "inbox") == {"alpha/a.jpg"}
    assert "outbox/alpha" in daemon.wait_for(Event.GIVEN_UP)["message"]


def test_a_disk_that_fills_up_during_a_job_loses_nothing(small: Path, start: Start) -> None:
    """Its room is taken over and over, at any moment of the jobs."""
    daemon = start(at=small, fast=True).ready()
    photos = [f"{number}.jpg" for number in range(12)]
    drop(small, *photos)
    end = time.monotonic() + 4
    while time.monotonic() < end:
        _fill(small / "ballast", leave=0)
        time.sleep(0.05)
        (small / "ballast").unlink()
        time.sleep(0.1)
    for name in photos:
        wait_until(painted(small, name), 300, what=daemon.text)
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
    daemon.wait_for(Event.FOLDER_PAUSED if where != "work" else Event.PAUSED)
    time.sleep(1.5)
    assert (root / "inbox/alpha/photo.jpg").exists()
    assert len([entry for entry in daemon.events() if entry["level"].lower() == "error"]) == 1, daemon.text()
    (root / where).chmod(0o755)
    wait_until((root / "outbox/alpha/photo.jpg").exists, what=daemon.text)
    assert daemon.stop() == 0
    adds_up(root)


def test_a_photo_that_may_not_be_read_waits_until_it_may(root: Path, start: Start) -> None:
    daemon = start(fast=True, powerless=True).ready()
    path = root / "inbox/alpha/secret.jpg"
    path.write_bytes(jpeg())
    path.chmod(0)
    daemon.wait_for(Event.UNREADABLE)
    path.chmod(0o644)
    wait_until((root / "outbox/alpha/secret.jpg").exists, what=daemon.text)
    assert len(daemon.events(Event.UNREADABLE)) == 1
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
    daemon.wait_for(Event.INBOX_MISSING)
    time.sleep(1)
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
