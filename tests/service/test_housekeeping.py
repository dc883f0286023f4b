"""Only files that the journal knows, unchanged, and kept for long enough are removed; and the thread lives on."""

import dataclasses
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.config.live import LiveConfig
from daemon.config.load import load
from daemon.config.models import Config
from daemon.events import Event
from daemon.jobs.claims import JobStore
from daemon.jobs.journal import Journal, line, read
from daemon.service import housekeeping
from daemon.service.housekeeping import DAY, Housekeeping, sweep
from daemon.storage.layout import Folders
from daemon.storage.lock import Lock
from tests.support.daemon import Daemon, wait_until
from tests.support.jobs import delivered, everything, failed
from tests.support.samples import CONFIG, jpeg


@pytest.fixture
def full(root: Path) -> Path:
    """Two delivered, two failed, and a user's own files among them."""
    Folders(root).prepare(["alpha", "beta"])
    for name in ("a.jpg", "b.jpg"):
        delivered(root, name)
    for name in ("c.jpg", "d.jpg"):
        failed(root, name)
    (root / "done/alpha/b.jpg").write_text("edited since")
    for place in ("done/alpha/mine.jpg", "failed/alpha/mine.jpg.txt", "failed/alpha/mine.jpg"):
        (root / place).write_text("a user's")
    return root


def settings(root: Path, **days: float) -> Config:
    (root / "config.yaml").write_text(CONFIG + "".join(f"{name}: {value}\n" for name, value in days.items()))
    return load(root / "config.yaml")


def test_by_default_everything_is_kept_for_ever(full: Path) -> None:
    before = everything(full)
    assert sweep(Folders(full), settings(full), time.time() + 1e6 * DAY) == 0
    assert everything(full).keys() == before.keys()


def test_after_its_days_a_file_goes_and_none_that_is_not_ours(full: Path) -> None:
    folders, config = Folders(full), settings(full, keep_done_days=7, keep_failed_days=30)
    assert sweep(folders, config, time.time() + 6 * DAY) == 0
    assert sweep(folders, config, time.time() + 8 * DAY) == 1
    assert sorted(path.name for path in (full / "done/alpha").iterdir()) == ["b.jpg", "mine.jpg"]
    assert sweep(folders, config, time.time() + 31 * DAY) == 4
    assert sorted(path.name for path in (full / "failed/alpha").iterdir()) == ["mine.jpg", "mine.jpg.txt"]
    assert sorted(path.name for path in (full / "outbox/alpha").iterdir()) == ["a.jpg", "b.jpg"]
    assert sweep(folders, config, time.time() + 99 * DAY) == 0


def test_a_clock_that_was_set_back_removes_nothing(full: Path) -> None:
    assert sweep(Folders(full), settings(full, keep_done_days=7), 0.0) == 0


def test_names_in_a_journal_that_lead_outside_are_not_followed(full: Path) -> None:
    victim = full.parent / "victim"
    victim.write_text("not ours")
    stamp = (victim.stat().st_size, victim.stat().st_mtime_ns)
    names = {"../victim": stamp, str(victim): stamp, f"done/../../{victim.name}": stamp}
    Journal(full / "work/journal").write("delivered", "x", files=names)
    (full / "done/link.jpg").symlink_to(victim)
    Journal(full / "work/journal").write("delivered", "y", files={"done/link.jpg": stamp})
    sweep(Folders(full), settings(full, keep_done_days=1), time.time() + 9 * DAY)
    assert victim.read_text() == "not ours"
    victim.unlink()


def test_the_daemon_sweeps_by_itself(root: Path, start: Callable[..., Daemon]) -> None:
    settings(root, keep_done_days=0.01)
    Folders(root).prepare(["alpha"])
    delivered(root, "old.jpg")
    journal = root / "work/journal"
    entries = [entry for _, entry in read(journal) if entry]
    journal.write_bytes(b"".join(line(dataclasses.replace(each, at=each.at - DAY)) for each in entries))
    daemon = start(fast=True).ready()
    wait_until(lambda: not (root / "done/alpha/old.jpg").exists(), what=daemon.text)
    (root / "inbox/alpha/new.jpg").write_bytes(jpeg())
    wait_until((root / "done/alpha/new.jpg").exists, what=daemon.text)
    assert daemon.stop() == 0
    assert (root / "outbox/alpha/old.jpg").exists()


def test_a_round_that_fails_is_reported_and_a_replaced_root_is_reported_once(
    root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(housekeeping, "REST_SECONDS", 0.01)
    monkeypatch.setattr(housekeeping, "FAILED_SECONDS", 0.01)
    folders, stopping, rounds = Folders(root), threading.Event(), 0
    folders.prepare([])
    lock, store = Lock(folders.work / "lock"), JobStore(folders)
    lock.acquire()
    (folders.work / "lock").unlink()

    def tend() -> int:
        nonlocal rounds
        rounds += 1
        if rounds == 1:
            raise RuntimeError("a bug")
        return 0

    monkeypatch.setattr(store, "tend", tend)
    live = LiveConfig(root / "config.yaml", load(root / "config.yaml"))
    Housekeeping(folders, store, lock, live).start(stopping)
    wait_until(lambda: rounds > 5)
    stopping.set()
    lock.release()
    events = [record.event for record in caplog.records]  # type: ignore[attr-defined]
    assert events == [Event.HOUSEKEEPING_FAILED, Event.ROOT_REPLACED]
