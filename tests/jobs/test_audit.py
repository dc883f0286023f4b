"""`styled doctor` counts every picture, names what does not add up, and changes nothing unless asked."""

import json
import os
import shutil
from pathlib import Path

import pytest

from daemon.config.models import Config
from daemon.errors import JobError
from daemon.jobs.audit import examine, repair
from daemon.jobs.journal import Journal
from daemon.jobs.journal_compaction import compact
from daemon.storage.layout import Folders
from daemon.storage.lock import Lock
from tests.support.commands import styled, styled_here
from tests.support.jobs import claimed, count, delivered, everything, failed, inbox_photo


def test_all_that_was_accepted_is_delivered_failed_waiting_or_in_work(root: Path, config: Config) -> None:
    delivered(root, "a.jpg")
    delivered(root, "b.jpg")
    failed(root, "c.jpg")
    inbox_photo(root, "d.jpg")
    claimed(root, "e.jpg")
    jobs, back = claimed(root, "f.jpg")
    jobs.put_back(back)
    before = everything(root)
    report = examine(config)
    assert count(report) == (6, 2, 1, 2, 1)
    assert report.adds_up
    assert not report.findings
    assert everything(root) == before, "looking changes nothing"


def test_what_a_user_takes_away_or_changes_is_normal(root: Path, config: Config) -> None:
    for name in ("a.jpg", "b.jpg"):
        delivered(root, name)
    failed(root, "c.jpg")
    (root / "outbox/alpha/a.jpg").unlink()
    (root / "done/alpha/a.jpg").unlink()
    (root / "done/alpha/b.jpg").write_text("edited by its owner")
    (root / "failed/alpha/c.jpg").rename(root / "inbox/alpha/c.jpg")
    report = examine(config)
    assert count(report) == (3, 2, 0, 1, 0), "what was taken out of failed/ into the inbox is one picture"
    assert not report.findings
    assert report.gone == 2


def test_a_picture_that_fails_again_and_again_is_one_picture(root: Path, config: Config) -> None:
    for _ in range(3):
        failed(root, "a.jpg")
        assert count(examine(config)) == (1, 0, 1, 0, 0)
        assert styled_here("retry", "--all", "--config", root / "config.yaml").returncode == 0
        assert count(examine(config)) == (1, 0, 0, 1, 0)
        (root / "inbox/alpha/a.jpg").unlink()  # `failed` drops it again
    delivered(root, "a.jpg")
    assert count(examine(config)) == (1, 1, 0, 0, 0)
    compact(Journal(root / "work/journal"), Folders(root))
    assert count(examine(config)) == (1, 1, 0, 0, 0)


def test_the_same_photo_dropped_twice_is_two_pictures(root: Path, config: Config) -> None:
    failed(root, "a.jpg")
    failed(root, "a.jpg")
    assert count(examine(config)) == (2, 0, 2, 0, 0)


def test_a_picture_that_is_nowhere_is_named_with_its_hash(root: Path, config: Config) -> None:
    _, job = claimed(root, "lost.jpg")
    shutil.rmtree(root / "work" / job.id)
    report = examine(config)
    assert not report.adds_up
    (finding,) = report.findings
    assert finding.path == "alpha/lost.jpg"
    assert "is neither painted nor in any folder" in finding.what
    assert len(finding.advice.split()[-1]) == 65, "its SHA-256 is named"
    assert finding.repair is None
    assert repair(report) == []


def test_a_picture_that_somebody_took_out_of_work_is_found_again(root: Path, config: Config) -> None:
    _, job = claimed(root, "moved.jpg")
    (root / "work" / job.id / "moved.jpg").rename(root / "inbox/alpha/elsewhere.jpg")
    shutil.rmtree(root / "work" / job.id)
    report = examine(config)
    assert [finding.path for finding in report.findings] == ["inbox/alpha/elsewhere.jpg"]
    assert len(repair(report)) == 1
    again = examine(config)
    assert not again.findings
    assert count(again) == (1, 0, 0, 1, 0)


@pytest.mark.parametrize("record", [None, "torn {", '{"id": "x"}', '{"id": "../../etc"}'])
def test_a_job_without_its_record_goes_back_into_the_inbox(root: Path, config: Config, record: str | None) -> None:
    _, job = claimed(root, "photo.jpg")
    path = root / "work" / job.id / "job.json"
    path.unlink()
    if record is not None:
        path.write_text(record)
    before = everything(root)
    report = examine(config)
    assert [finding.path for finding in report.findings] == [f"work/{job.id}"]
    assert everything(root) == before
    assert len(repair(report)) == 1
    assert (root / "inbox/alpha/photo.jpg").read_text() == "photo"
    assert not (root / "work" / job.id).exists()
    again = examine(config)
    assert count(again) == (1, 0, 0, 1, 0)
    assert not again.findings


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
    delivered(root, "a.jpg")
    path = root / "done/alpha/a.jpg"
    times = path.stat()
    path.write_text("phot0")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    (finding,) = examine(config).findings
    assert (finding.path, finding.repair) == ("done/alpha/a.jpg", None)
    assert "content has changed" in finding.what


def test_damaged_lines_are_named_and_set_aside(root: Path, config: Config) -> None:
    for name in ("a.jpg", "b.jpg"):
        delivered(root, name)
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
    claimed(root, "a.jpg")
    report = examine(config)
    assert report.running
    assert report.adds_up
    with pytest.raises(JobError, match="Stop it first"):
        repair(report)
    lock.release()


@pytest.mark.slow
def test_the_command_says_it_in_words_and_in_json_and_by_its_exit_code(root: Path, config: Config) -> None:
    delivered(root, "a.jpg")
    command = ("--config", root / "config.yaml")
    done = styled_here("doctor", *command)
    assert (done.returncode, done.stdout) == (
        0,
        "1 accepted = 1 delivered + 0 failed + 0 waiting + 0 in work\n",
    )
    _, job = claimed(root, "bad\nname.jpg")
    (root / "work" / job.id / "job.json").unlink()
    done = styled_here("doctor", "--json", *command)
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert (found["adds_up"], found["accepted"], len(found["findings"])) == (True, 1, 1)
    done = styled_here("doctor", *command)
    assert "bad\\nname.jpg" in done.stdout
    done = styled_here("doctor", "--repair", *command)
    assert done.returncode == 0, done.stdout
    assert "repaired: work/" in done.stdout


@pytest.mark.slow
def test_retry_puts_failed_pictures_back_with_their_sidecars(root: Path, config: Config) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        failed(root, name)
    (root / "failed/alpha/a.jpg.yaml").write_text("size: 48")
    (root / "failed/alpha/theirs.jpg").write_text("without a reason: not ours")
    (root / "inbox/alpha/b.jpg").write_text("a newer one")
    command = ("--config", root / "config.yaml")
    done = styled_here("retry", root / "failed/alpha/a.jpg.txt", "alpha/b.jpg", *command)
    assert done.returncode == 0, done.stderr
    assert styled_here("retry", "--all", *command).returncode == 0
    inbox = sorted(path.name for path in (root / "inbox/alpha").iterdir())
    assert inbox == ["a.jpg", "a.jpg.yaml", "b-2.jpg", "b.jpg", "c.jpg"]
    assert [path.name for path in (root / "failed/alpha").iterdir()] == ["theirs.jpg"]
    for wrong in (("alpha/none.jpg",), ("../../etc/passwd",), (), ("x", "--all")):
        done = styled_here("retry", *wrong, *command)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr


def test_a_newer_styleds_work_is_refused(root: Path, config: Config) -> None:
    (root / "work/version").write_text("2\n")
    done = styled("run", "--config", root / "config.yaml")
    assert done.returncode == 78
    assert "has format 2" in done.stderr
    assert examine(config).findings
