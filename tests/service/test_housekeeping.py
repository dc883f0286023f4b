"""Only files that the journal knows, unchanged, and kept for long enough are removed; and the thread lives on."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.config.live import LiveConfig
from daemon.config.load import load
from daemon.config.models import Config
from daemon.events import Event
from daemon.jobs.claims import JobStore
from daemon.jobs.journal import Journal
from daemon.jobs.seen_time import DAY, SeenTime
from daemon.service import housekeeping
from daemon.service.housekeeping import Housekeeping, sweep
from daemon.storage.folder import Folder
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


def after(root: Path, days: float) -> SeenTime:
    """The seen time of this root, so many days later."""
    clock = SeenTime(root / "work/clock")
    clock.at_least(days * DAY)
    return clock


def after_a_leap(root: Path) -> Path:
    """A day after old.jpg was delivered, the machine's clock has leapt by ten years. Returns the file of seen time."""
    Folders(root).prepare(["alpha"])
    delivered(root, "old.jpg")
    clock = root / "work/clock"
    after(root, 1).save()
    facts = json.loads(clock.read_text())
    clock.write_text(json.dumps(facts | {"wall": facts["wall"] - 3650 * DAY}))
    return clock


def test_by_default_everything_is_kept_for_ever(full: Path) -> None:
    before = everything(full)
    assert sweep(Folders(full), settings(full), after(full, 1e6)) == 0
    assert everything(full).keys() == before.keys()


def test_after_its_days_a_file_goes_and_none_that_is_not_ours(full: Path) -> None:
    folders, config = Folders(full), settings(full, keep_done_days=7, keep_failed_days=30)
    assert sweep(folders, config, after(full, 6)) == 0
    assert sweep(folders, config, after(full, 8)) == 1
    assert sorted(path.name for path in (full / "done/alpha").iterdir()) == ["b.jpg", "mine.jpg"]
    assert sweep(folders, config, after(full, 31)) == 4
    assert sorted(path.name for path in (full / "failed/alpha").iterdir()) == ["mine.jpg", "mine.jpg.txt"]
    assert sorted(path.name for path in (full / "outbox/alpha").iterdir()) == ["a.jpg", "b.jpg"]
    assert sweep(folders, config, after(full, 99)) == 0


def test_a_file_that_cannot_be_removed_keeps_no_other_from_going(
    full: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    remove = Folder.remove

    def refuse(folder: Folder, name: str) -> None:
        if name == "c.jpg":
            raise PermissionError(1, "Operation not permitted")
        remove(folder, name)

    monkeypatch.setattr(Folder, "remove", refuse)
    assert sweep(Folders(full), settings(full, keep_failed_days=7), after(full, 8)) == 3
    assert [record.event for record in caplog.records] == [Event.NOT_EXPIRED]  # type: ignore[attr-defined]
    assert "c.jpg" in caplog.text


def test_nothing_is_removed_behind_a_link(full: Path) -> None:
    """A folder of done/ became a link to where another file of the same name, length and time lies."""
    private = full.parent / "private"
    (full / "done/alpha").rename(private)
    (full / "done/alpha").symlink_to(private)
    before = everything(private)
    assert sweep(Folders(full), settings(full, keep_done_days=7), after(full, 8)) == 0
    assert everything(private) == before


def test_a_lost_clock_keeps_files_for_longer_and_never_for_less(full: Path) -> None:
    config = settings(full, keep_done_days=7)
    store = JobStore(Folders(full))
    store.journal.seen_time.at_least(100 * DAY)
    store.journal.write("delivered", "z", files={})
    assert sweep(Folders(full), config, SeenTime(full / "no clock")) == 1, "a.jpg was seen for 100 days"


def test_names_in_a_journal_that_lead_outside_are_not_followed(full: Path) -> None:
    victim = full.parent / "victim"
    victim.write_text("not ours")
    stamp = (victim.stat().st_size, victim.stat().st_mtime_ns)
    names = {"../victim": stamp, str(victim): stamp, f"done/../../{victim.name}": stamp}
    Journal(full / "work/journal").write("delivered", "x", files=names)
    (full / "done/link.jpg").symlink_to(victim)
    Journal(full / "work/journal").write("delivered", "y", files={"done/link.jpg": stamp})
    sweep(Folders(full), settings(full, keep_done_days=1), after(full, 9))
    assert victim.read_text() == "not ours"
    victim.unlink()


def test_the_daemon_sweeps_by_the_days_that_it_saw_and_not_by_the_clock(
    root: Path, start: Callable[..., Daemon]
) -> None:
    settings(root, keep_done_days=0.01)
    clock = after_a_leap(root)
    daemon = start(fast=True).ready()
    daemon.wait_for(Event.EXPIRED)
    daemon.wait_for(Event.CLOCK_LEAPT)
    (root / "inbox/alpha/new.jpg").write_bytes(jpeg())
    wait_until((root / "done/alpha/new.jpg").exists, what=daemon.text)
    assert daemon.stop() == 0
    assert not (root / "done/alpha/old.jpg").exists()
    assert (root / "outbox/alpha/old.jpg").exists()
    assert SeenTime(clock).now() > DAY, "it is kept from run to run"


def test_a_leap_of_the_clock_removes_nothing(root: Path, start: Callable[..., Daemon]) -> None:
    settings(root, keep_done_days=30)
    after_a_leap(root)
    daemon = start(fast=True).ready()
    daemon.wait_for(Event.CLOCK_LEAPT)
    assert "3650 d" in daemon.text()
    assert daemon.stop() == 0
    assert (root / "done/alpha/old.jpg").exists()


def test_a_round_that_fails_is_reported_and_a_lock_that_was_removed_ends_the_daemon(
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
    keeper = Housekeeping(folders, store, lock, live)
    keeper.start(stopping)
    assert stopping.wait(60)
    assert (rounds, keeper.has_lost_root) == (2, True)
    lock.release()
    events = [record.event for record in caplog.records]  # type: ignore[attr-defined]
    assert events == [Event.HOUSEKEEPING_FAILED, Event.ROOT_REPLACED]
