"""A root that an older styled left behind is taken over with everything in it.

data/root-42bc704.tar.xz was made by the daemon of commit 42bc704, which was killed while it had three jobs in work/:
renamed.jpg had its painting in outbox/, decided.jpg its finished painting under a temporary name, undecided.jpg was
being painted. Two photos were delivered before, one failed, one waited.
"""

import os
import tarfile
from decimal import Decimal
from pathlib import Path

import pytest

from daemon.config.load import load
from daemon.events import Event
from daemon.jobs.audit import examine
from tests.support.commands import styled
from tests.support.daemon import Start, wait_until
from tests.support.folders import adds_up, files, leftovers

pytestmark = pytest.mark.slow

ARCHIVE = Path(__file__).parent / "data" / "root-42bc704.tar.xz"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The old root, with its times to the nanosecond, by which the journal knows files."""
    root = tmp_path / "old"
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(root, filter="data")
        for member in archive.getmembers():
            nanoseconds = int(Decimal(member.pax_headers["mtime"]) * 10**9)
            os.utime(root / member.name, ns=(nanoseconds, nanoseconds))
    return root


def test_the_doctor_reads_it_as_it_stands(old: Path) -> None:
    report = examine(load(old / "config.yaml"))
    assert (report.accepted, report.delivered, report.failed, report.waiting, report.in_work) == (7, 2, 1, 1, 3)
    assert report.adds_up
    assert not report.findings


def test_every_photo_in_it_is_painted_once_and_accounted_for(old: Path, start: Start) -> None:
    before = {name: (old / name).read_bytes() for name in files(old, "outbox", "done", "failed")}
    daemon = start(at=old, fast=True)
    daemon.wait_for(Event.RECOVERED)
    photos = {"alpha/trip/delivered.jpg", "beta/delivered.jpg"}
    photos |= {"alpha/renamed.jpg", "beta/decided.jpg", "alpha/undecided.jpg", "alpha/waiting.jpg"}
    wait_until(lambda: photos <= {name.removeprefix("done/") for name in files(old, "done")}, what=daemon.text)
    assert daemon.stop() == 0
    assert len(daemon.events(Event.PAINTED)) == 2, "the two whose fate was not decided"
    assert files(old, "outbox") == {f"outbox/{name}" for name in photos}
    companions = {"beta/delivered.jpg.yaml", "alpha/renamed.jpg.yaml"}
    assert files(old, "done") == {f"done/{name}" for name in photos | companions}
    assert files(old, "failed") == {"failed/alpha/failed.jpg", "failed/alpha/failed.jpg.txt"}
    temporary = {name for name in before if name.endswith(".tmp")}
    assert {name: (old / name).read_bytes() for name in before.keys() - temporary} == {
        name: before[name] for name in before.keys() - temporary
    }, "nothing that lay there was touched"
    assert not leftovers(old) | files(old, "inbox")
    adds_up(old)
    doctor = styled("doctor", "--config", old / "config.yaml")
    assert doctor.returncode == 0, doctor.stdout
    assert doctor.stdout.startswith("7 accepted = 6 delivered + 1 failed + 0 waiting")


def test_its_paintings_keep_their_records_and_its_gallery_its_entries(old: Path, start: Start) -> None:
    daemon = start("--once", at=old, fast=True)
    assert daemon.process.wait(60) == 0, daemon.text()
    info = styled("info", old / "outbox/alpha/trip/delivered.jpg")
    assert info.returncode == 0, info.stderr
    assert "alpha" in info.stdout
    assert len((old / "work/gallery.jsonl").read_text().splitlines()) > 1
