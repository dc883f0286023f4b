"""The journal is as long as what lies in done/ and failed/, and the count stays right."""

import errno
import os
from pathlib import Path

import pytest

from daemon.cli.retry import retry
from daemon.config.models import Config
from daemon.inbox.scan import InboxScan
from daemon.jobs.audit import examine
from daemon.jobs.claims import JobStore
from daemon.jobs.journal import Event, Journal, entries, line
from daemon.jobs.journal_compaction import compact, leftover
from daemon.storage.layout import Folders
from tests.support.daemon import Start, wait_until
from tests.support.jobs import claimed, count, deliver, delivered, failed, inbox_photo, take
from tests.support.samples import CONFIG


def jobs(root: Path) -> set[str]:
    return set(entries(root / "work/journal")[0])


def shorten(root: Path) -> int:
    return compact(Journal(root / "work/journal"), Folders(root))


def test_what_is_over_and_gone_is_counted_and_all_else_is_kept_byte_for_byte(root: Path, config: Config) -> None:
    gone = [delivered(root, f"{number}.jpg").id for number in range(3)]
    for number in range(3):
        (root / f"done/alpha/{number}.jpg").unlink()
    failed(root, "bad.jpg")
    kept = delivered(root, "kept.jpg").id
    _, open_job = claimed(root, "open.jpg")
    store, back = claimed(root, "back.jpg")
    store.put_back(back)
    before, lines = examine(config), (root / "work/journal").read_bytes().splitlines()
    assert shorten(root) == 4
    assert jobs(root) & {*gone, back.id} == set()
    assert {"", kept, open_job.id} < jobs(root)
    assert set((root / "work/journal").read_bytes().splitlines()[1:]) < set(lines)
    after = examine(config)
    assert count(after) == count(before) == (7, 4, 1, 1, 1)
    assert (after.gone, after.findings) == (before.gone, [])
    assert shorten(root) == 0, "once more changes nothing"


def test_counts_add_up_over_many_times(root: Path, config: Config) -> None:
    for number in range(1, 5):
        delivered(root, "a.jpg")
        (root / "done/alpha/a.jpg").unlink()
        (root / "outbox/alpha/a.jpg").unlink()
        failed(root, "b.jpg")
        for path in (root / "failed/alpha").iterdir():
            path.unlink()
        assert shorten(root) == (2 if number == 1 else 3)
        report = examine(config)
        assert (report.delivered, report.failed, report.gone, report.adds_up) == (number, number, 3 * number, True)
        assert jobs(root) == {""}


@pytest.mark.parametrize("by_retry", [True, False], ids=["styled retry", "a person moves it"])
def test_a_failed_picture_that_waits_for_another_try_is_counted_once(
    root: Path, config: Config, by_retry: bool
) -> None:
    delivered(root, "a.jpg")
    (root / "done/alpha/a.jpg").unlink()
    failed(root, "b.jpg")
    if by_retry:
        retry(Folders(root), "alpha/b.jpg")
    else:
        (root / "failed/alpha/b.jpg").rename(root / "inbox/alpha/b.jpg")
        (root / "failed/alpha/b.jpg.txt").unlink()
    before = count(examine(config))
    shorten(root)
    assert count(examine(config)) == before == (2, 1, 0, 1, 0)
    scanned = InboxScan(root / "inbox", config.inbox_folders, config.default_style)
    (photo,) = [entry.photo for entry in scanned if entry.photo]
    store = JobStore(Folders(root))
    job = take(store, photo)
    shorten(root)
    assert count(examine(config)) == (2, 1, 0, 0, 1), "in hand, and not yet in the journal"
    store.open(job, photo.signature)
    deliver(store, job)
    assert count(examine(config)) == (2, 2, 0, 0, 0)
    shorten(root)
    assert count(examine(config)) == (2, 2, 0, 0, 0)


def test_a_job_that_may_end_again_is_not_counted_yet(root: Path, config: Config) -> None:
    """A crash between its last line and the end of its folder in work/: the next start writes that line again."""
    delivered(root, "a.jpg")
    delivered(root, "b.jpg")
    open_job = delivered(root, "c.jpg")
    for path in (root / "done/alpha").iterdir():
        path.unlink()
    (root / "work" / open_job.id).mkdir()
    assert shorten(root) == 2
    assert jobs(root) == {"", open_job.id}


def test_what_is_appended_meanwhile_is_not_lost(root: Path, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.jpg", "b.jpg"):
        delivered(root, name)
        (root / "done/alpha" / name).unlink()
    journal, replace_prefix = Journal(root / "work/journal"), Journal.replace_prefix

    def late(self: Journal, path: Path, fd: int, length: int) -> None:
        self.write("claimed", "late", picture="alpha/late.jpg")
        replace_prefix(self, path, fd, length)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "replace_prefix", late)
        assert compact(journal, Folders(root)) == 2
    journal.write("returned", "late")
    assert jobs(root) == {"", "late"}
    assert entries(root / "work/journal")[0]["late"].state == "returned"


def test_a_damaged_journal_and_a_full_disk_change_nothing(
    root: Path, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.jpg", "b.jpg"):
        delivered(root, name)
        (root / "done/alpha" / name).unlink()
    before = (root / "work/journal").read_bytes()

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            shorten(root)
    assert (root / "work/journal").read_bytes() == before
    assert not leftover(Folders(root)).exists()
    (root / "work/journal").write_bytes(b"x" + before)
    assert shorten(root) == 0
    assert (root / "work/journal").read_bytes() == b"x" + before


def test_a_journal_that_is_not_there_is_short_enough(root: Path, config: Config) -> None:
    assert shorten(root) == 0
    assert not (root / "work/journal").exists()


def test_the_daemon_keeps_it_short_by_itself(root: Path, start: Start) -> None:
    (root / "config.yaml").write_text(CONFIG + "originals: delete\n")
    Folders(root).prepare(["alpha"])
    journal = Journal(root / "work/journal")
    for number in range(200):
        journal.write("claimed", str(number), picture="alpha/some.jpg")
    ended = (line(Event(0.0, str(number), "delivered", {})) for number in range(200))
    with journal.path.open("ab") as file:
        file.writelines(ended)
    leftover(Folders(root)).write_text("of a crash")
    daemon = start(fast=True).ready()
    wait_until(lambda: jobs(root) == {""}, what=daemon.text)
    inbox_photo(root, "bad.jpg")
    wait_until((root / "failed/alpha/bad.jpg.txt").exists, what=daemon.text)
    assert daemon.stop() == 0
    assert journal.path.stat().st_size < 2000
    assert not leftover(Folders(root)).exists()
