"""`styled doctor` counts every picture, names what does not add up, and changes nothing unless asked."""

import json
import shutil
from pathlib import Path

import pytest

from daemon.config.load import load
from daemon.config.models import Config
from daemon.errors import JobError
from daemon.inbox.scan import InboxPhoto, Signature
from daemon.jobs.audit import Report, examine, repair
from daemon.jobs.claims import JobStore
from daemon.jobs.record import Job
from daemon.storage.layout import Folders
from daemon.storage.lock import Lock
from tests.cli.test_app import styled


@pytest.fixture
def config(root: Path) -> Config:
    config = load(root / "config.yaml")
    Folders(root).prepare(config.styles)
    return config


def drop(root: Path, name: str, text: str = "photo") -> InboxPhoto:
    path = root / "inbox/alpha" / name
    path.write_text(text)
    return InboxPhoto("alpha", "", name, str(path), Signature.of(path.stat()))


def claim(root: Path, name: str, text: str = "photo") -> tuple[JobStore, Job]:
    claims, arrival = JobStore(Folders(root)), drop(root, name, text)
    claimed = claims.take(arrival)
    assert claimed is not None
    claims.open(claimed, arrival.signature)
    return claims, claimed


def deliver(root: Path, name: str) -> Job:
    claims, claimed = claim(root, name)
    claims.easel(claimed).write_text("painting")
    claims.deliver(claimed, ".jpg", delete_original=False)
    return claimed


def fail(root: Path, name: str) -> None:
    claims, claimed = claim(root, name)
    claims.fail(claimed, JobError("It is blurred.", "Hold still."))


def everything(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def count(report: Report) -> tuple[int, ...]:
    return report.accepted, report.delivered, report.failed, report.waiting, report.in_work


def test_all_that_was_accepted_is_delivered_failed_waiting_or_in_work(root: Path, config: Config) -> None:
    deliver(root, "a.jpg")
    deliver(root, "b.jpg")
    fail(root, "c.jpg")
    drop(root, "d.jpg")
    claim(root, "e.jpg")
    claims, back = claim(root, "f.jpg")
    claims.put_back(back)
    before = everything(root)
    report = examine(config)
    assert count(report) == (6, 2, 1, 2, 1)
    assert report.adds_up
    assert not report.findings
    assert everything(root) == before, "looking changes nothing"


def test_what_a_user_takes_away_or_changes_is_normal(root: Path, config: Config) -> None:
    for name in ("a.jpg", "b.jpg"):
        deliver(root, name)
    fail(root, "c.jpg")
    (root / "outbox/alpha/a.jpg").unlink()
    (root / "done/alpha/a.jpg").unlink()
    (root / "done/alpha/b.jpg").write_text("edited by its owner")
    (root / "failed/alpha/c.jpg").rename(root / "inbox/alpha/c.jpg")
    report = examine(config)
    assert count(report) == (4, 2, 1, 1, 0)
    assert not report.findings
    assert report.gone == 3


def test_a_picture_that_is_nowhere_is_named_with_its_hash(root: Path, config: Config) -> None:
    _, claimed = claim(root, "lost.jpg")
    shutil.rmtree(root / "work" / claimed.id)
    report = examine(config)
    assert not report.adds_up
    (finding,) = report.findings
    assert finding.path == "alpha/lost.jpg"
    assert "is neither painted nor in any folder" in finding.what
    assert len(finding.advice.split()[-1]) == 65, "its SHA-256 is named"
    assert finding.mend is None
    assert repair(report) == []


def test_a_picture_that_somebody_took_out_of_work_is_found_again(root: Path, config: Config) -> None:
    _, claimed = claim(root, "moved.jpg")
    (root / "work" / claimed.id / "moved.jpg").rename(root / "inbox/alpha/elsewhere.jpg")
    shutil.rmtree(root / "work" / claimed.id)
    report = examine(config)
    assert [finding.path for finding in report.findings] == ["inbox/alpha/elsewhere.jpg"]
    assert len(repair(report)) == 1
    again = examine(config)
    assert not again.findings
    assert count(again) == (1, 0, 0, 1, 0)


@pytest.mark.parametrize("record", [None, "torn {", '{"id": "x"}', '{"id": "../../etc"}'])
def test_a_job_without_its_record_goes_back_into_the_inbox(root: Path, config: Config, record: str | None) -> None:
    _, claimed = claim(root, "photo.jpg")
    path = root / "work" / claimed.id / "job.json"
    path.unlink()
    if record is not None:
        path.write_text(record)
    before = everything(root)
    report = examine(config)
    assert [finding.path for finding in report.findings] == [f"work/{claimed.id}"]
    assert everything(root) == before
    assert len(repair(report)) == 1
    assert (root / "inbox/alpha/photo.jpg").read_text() == "photo"
    assert not (root / "work" / claimed.id).exists()
    again = examine(config)
    assert count(again) == (1, 0, 0, 1, 0)
    assert not again.findings


@pytest.mark.parametrize("place", ["../../escaped", "/etc", ""])
def test_a_record_that_leads_outside_is_not_followed(root: Path, config: Config, place: str) -> None:
    claims, claimed = claim(root, "photo.jpg")
    path = root / "work" / claimed.id / "job.json"
    record = json.loads(path.read_text())
    for name in ("style", "name", "folder") if place else ("style", "name"):
        path.write_text(json.dumps(record | {name: place}))
        assert claims.recover() == (0, 0)
        assert examine(config).findings
    assert (root / "work" / claimed.id / "photo.jpg").exists()


def test_a_half_made_file_without_a_job_is_removed_and_a_users_is_not(root: Path, config: Config) -> None:
    (root / "outbox/alpha").mkdir()
    (root / "outbox/alpha/.20250101-120000-0123abcd.tmp").write_text("half")
    (root / "outbox/alpha/.mine.tmp").write_text("a user's")
    report = examine(config)
    assert len(report.findings) == 1
    repair(report)
    assert not examine(config).findings
    assert (root / "outbox/alpha/.mine.tmp").exists()


def test_content_that_the_disk_has_changed_is_named(root: Path, config: Config) -> None:
    import os

    deliver(root, "a.jpg")
    path = root / "done/alpha/a.jpg"
    times = path.stat()
    path.write_text("phot0")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    (finding,) = examine(config).findings
    assert (finding.path, finding.mend) == ("done/alpha/a.jpg", None)
    assert "content has changed" in finding.what


def test_damaged_lines_are_named_and_set_aside(root: Path, config: Config) -> None:
    for name in ("a.jpg", "b.jpg"):
        deliver(root, name)
    journal = root / "work/journal"
    data = bytearray(journal.read_bytes())
    data[3] = ord("x")
    journal.write_bytes(data)
    report = examine(config)
    assert "line 1 cannot be read" in report.findings[0].what
    assert count(report) == (2, 2, 0, 0, 0), "the last line of a job says enough"
    repair(report)
    assert not examine(config).findings
    assert (root / "work/journal.damaged").read_bytes() == bytes(data[: data.index(b"\n") + 1])


def test_beside_a_running_daemon_nothing_is_repaired(root: Path, config: Config) -> None:
    lock = Lock(root / "work/lock")
    lock.acquire()
    claim(root, "a.jpg")
    report = examine(config)
    assert report.running
    assert report.adds_up
    with pytest.raises(JobError, match="Stop it first"):
        repair(report)
    lock.release()


def test_the_command_says_it_in_words_and_in_json_and_by_its_exit_code(root: Path, config: Config) -> None:
    deliver(root, "a.jpg")
    command = ("--config", root / "config.yaml")
    done = styled("doctor", *command)
    assert (done.returncode, done.stdout) == (
        0,
        "1 accepted = 1 delivered + 0 failed + 0 waiting + 0 in work\n",
    )
    _, claimed = claim(root, "bad\nname.jpg")
    (root / "work" / claimed.id / "job.json").unlink()
    done = styled("doctor", "--json", *command)
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert (found["adds_up"], found["accepted"], len(found["findings"])) == (True, 1, 1)
    done = styled("doctor", *command)
    assert "bad\\nname.jpg" in done.stdout
    done = styled("doctor", "--repair", *command)
    assert done.returncode == 0, done.stdout
    assert "repaired: work/" in done.stdout


def test_retry_puts_failed_pictures_back_with_their_sidecars(root: Path, config: Config) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        fail(root, name)
    (root / "failed/alpha/a.jpg.yaml").write_text("size: 48")
    (root / "failed/alpha/theirs.jpg").write_text("without a reason: not ours")
    (root / "inbox/alpha/b.jpg").write_text("a newer one")
    command = ("--config", root / "config.yaml")
    done = styled("retry", root / "failed/alpha/a.jpg.txt", "alpha/b.jpg", *command)
    assert done.returncode == 0, done.stderr
    assert styled("retry", "--all", *command).returncode == 0
    inbox = sorted(path.name for path in (root / "inbox/alpha").iterdir())
    assert inbox == ["a.jpg", "a.jpg.yaml", "b-2.jpg", "b.jpg", "c.jpg"]
    assert [path.name for path in (root / "failed/alpha").iterdir()] == ["theirs.jpg"]
    for wrong in (("alpha/none.jpg",), ("../../etc/passwd",), (), ("x", "--all")):
        done = styled("retry", *wrong, *command)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr


def test_a_newer_styleds_work_is_refused(root: Path, config: Config) -> None:
    (root / "work/version").write_text("2\n")
    done = styled("run", "--config", root / "config.yaml")
    assert done.returncode == 78
    assert "has format 2" in done.stderr
    assert examine(config).findings
