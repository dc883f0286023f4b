"""The machine fails: processes that die and hang, a sick device, a full disk, rights that go and come back."""

import functools
import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from daemon.config.load import load
from daemon.errors import WorkerDied
from daemon.events import Event
from daemon.service.preflight import style_problems
from tests.support.daemon import Daemon, Start, wait_until
from tests.support.fast_daemon import BREAKS, HANGS, KILLS
from tests.support.faulty_reader import CRASHES, MUTTERS, STALLS
from tests.support.folders import adds_up, drop, names, painted
from tests.support.samples import CONFIG

pytestmark = pytest.mark.slow


def plain(root: Path, name: str, colour: tuple[int, int, int]) -> Path:
    path = root / "inbox/alpha" / name
    Image.new("RGB", (40, 30), colour).save(path)
    return path


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
    assert len(daemon.events(Event.RETRY)) == 3
    reason = (root / "failed/alpha/bad.png.txt").read_text()
    assert "broke down on it 3 times" in reason
    assert "Traceback" not in reason
    assert daemon.stop() == 0
    adds_up(root)


def test_many_pictures_that_kill_their_painter_are_set_aside_each_and_pause_nothing(root: Path, start: Start) -> None:
    """One after another, with no good one in between: the device is tried, and paints."""
    daemon = start(fast=True).ready()
    bad = {f"{number}.png" for number in range(3)}
    for name in bad:
        plain(root, name, BREAKS)
    wait_until(lambda: names(root / "failed/alpha") == bad | {f"{name}.txt" for name in bad}, what=daemon.text)
    assert daemon.events(Event.DEVICE_TESTED)
    assert not daemon.events(Event.PAUSED)
    assert len(daemon.events(Event.RETRY)) == 9
    drop(root, "good.jpg")
    wait_until(painted(root, "good.jpg"), what=daemon.text)
    assert daemon.stop() == 0
    adds_up(root)


@pytest.mark.parametrize("end", [CRASHES, STALLS], ids=["crashes", "hangs"])
def test_a_decoder_that_crashes_or_hangs_takes_only_its_own_picture_with_it(
    root: Path, start: Start, end: bytes
) -> None:
    daemon = start("--patience", "3", fast=True).ready()
    drop(root, "bad.jpg", end=end)
    drop(root, "good.jpg")
    wait_until(painted(root, "good.jpg"), what=daemon.text)
    wait_until((root / "failed/alpha/bad.jpg").exists, what=daemon.text)  # its reason goes before it
    assert "the reader process broke down on it 3 times" in (root / "failed/alpha/bad.jpg.txt").read_text()
    assert (root / "failed/alpha/bad.jpg").read_bytes().endswith(end)
    assert daemon.stop() == 0


def test_a_reader_that_is_killed_while_the_styles_are_checked_is_no_wrong_setting(root: Path) -> None:
    """Exit code 78 would keep the service down for good; only a picture that ends every reader is a wrong one."""
    deaths = iter([True, True, False, False])

    def probe(path: Path) -> None:
        if next(deaths):
            raise WorkerDied("the reader was ended by SIGKILL")

    def deadly(path: Path) -> None:
        raise WorkerDied("the reader was ended by SIGSEGV")

    assert style_problems(load(root / "config.yaml"), "relu5_1", probe) == []
    assert len(style_problems(load(root / "config.yaml"), "relu5_1", deadly)) == 2


def test_what_a_decoder_prints_is_logged_for_those_who_ask_and_harmless(root: Path, start: Start) -> None:
    daemon = start("--verbose", fast=True).ready()
    drop(root, "photo.jpg", end=MUTTERS)
    wait_until(painted(root, "photo.jpg"), what=daemon.text)
    daemon.wait_for_text("TIFFReadDirectory: Warning, \\x1b[31munknown field")
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
    event = Event.WORKER_FAILED if sick == "all" else Event.PAUSED
    daemon.wait_for(event)
    wait_until(lambda: "painter" in _status(root)["trouble"], what=daemon.text)
    time.sleep(1.5)
    (root / "sick").unlink()
    for name in photos:
        wait_until(painted(root, name), what=daemon.text)
    assert len(daemon.events(event)) == 1
    assert not names(root / "failed")
    wait_until(lambda: not _status(root)["trouble"])
    assert daemon.stop() == 0
    adds_up(root)


@pytest.mark.parametrize("sick", ["all", "photos"])
def test_once_gives_up_on_a_sick_device_and_leaves_the_pictures_where_they_are(
    root: Path, start: Start, sick: str
) -> None:
    photos = {f"alpha/{number}.jpg" for number in range(4)}
    (root / "inbox/alpha").mkdir(parents=True)
    drop(root, *(name.removeprefix("alpha/") for name in photos))
    (root / "sick").write_text(sick)
    daemon = start("--once", fast=True)
    assert daemon.process.wait(120) == 1, daemon.text()
    (given_up,) = daemon.events(Event.GIVEN_UP)
    assert "painter" in given_up["message"]
    assert "4" in given_up["message"]
    assert names(root / "inbox") == photos
    assert not names(root / "failed") | names(root / "outbox")


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
        assert not daemon.events(Event.RETRY)
    daemon = start(fast=True)
    wait_until(functools.partial(_paints, root, daemon), what=daemon.text)
    assert daemon.stop() == 0
    assert names(root / "inbox") == {"alpha/photo.png"}
    assert not names(root / "failed")
    adds_up(root)


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
