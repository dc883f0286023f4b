"""What the daemon is doing now, as the console and status.json show it."""

import errno
import json
import os
from pathlib import Path

import pytest

from daemon.status import HEARTBEAT_SECONDS, Counts, JobStatus, Status, StatusFile
from daemon.storage.lock import BEATS
from daemon.transfer.steps import Step


def test_the_time_left_follows_the_share_of_the_work_done() -> None:
    task = JobStatus("a.jpg", "starry", started=100.0)
    assert task.seconds_left(130.0) is None
    task.step = Step(30, 140, 0.5, 1, 2, 0.25)
    assert task.seconds_left(130.0) == 90.0
    task.step = Step(1, 140, 0.5, 1, 2, 0.001)
    assert task.seconds_left(130.0) is None, "the first steps say nothing yet"


def test_the_file_is_plain_json_whatever_the_names(tmp_path: Path) -> None:
    status = Status(waiting={"starry": 2})
    status.begin("1", "starry/a\n\udcff.jpg", "starry")
    status.stage("1", "painting")
    status.step("1", Step(3, 10, 0.5, 1, 1, 0.3))
    status.count(failed=1, failure="b.jpg: It is blurred.")
    StatusFile(status, tmp_path / "status.json").write()
    found = json.loads((tmp_path / "status.json").read_text())
    (job,) = found["jobs"]
    assert (job["file"], job["stage"], job["step"], job["steps"]) == ("starry/a\\n\\xff.jpg", "painting", 3, 10)
    assert (found["failed"], found["last_failure"], found["waiting"]) == (1, "b.jpg: It is blurred.", {"starry": 2})
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]


def test_a_job_that_has_ended_is_no_longer_shown() -> None:
    status = Status()
    status.begin("1", "a.jpg", "starry")
    status.end("1")
    status.end("1")
    assert status.tasks() == []


def test_counts_of_yesterday_are_not_todays() -> None:
    counts = Counts(delivered=9, delivered_today=9, day="2026-11-22").on("2026-11-23")
    assert (counts.delivered, counts.delivered_today) == (9, 0)


class Written:
    """A status file whose writes are counted, a quarter of a second after another."""

    def __init__(self, path: Path) -> None:
        self.status = Status(state="watching")
        self._path = path
        self._now = 1000.0
        self._file = StatusFile(self.status, path, lambda: self._now)

    def in_seconds(self, seconds: float) -> int:
        writes = 0
        for _ in range(round(seconds * 4)):
            if self._file.is_due():
                before = self._path.stat().st_ino if self._path.exists() else 0
                self._file.update()
                writes += self._path.exists() and self._path.stat().st_ino != before
            self._now += 0.25
        return writes


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(tmp_path / "status.json")


def test_an_idle_daemon_writes_its_file_as_often_as_its_heartbeat_needs_and_no_more(written: Written) -> None:
    assert written.in_seconds(60) == 60 / HEARTBEAT_SECONDS
    assert HEARTBEAT_SECONDS <= BEATS / 2, "another host must not miss a heartbeat"


def test_time_that_passes_is_no_news(written: Written) -> None:
    """Neither what is left of a long step, nor the age of a file that grows, nor the rate."""
    status = written.status
    status.begin("1", "a.jpg", "starry")
    status.stage("1", "painting")
    status.step("1", Step(3, 10, 0.5, 1, 1, 0.3))
    writes = 0
    for seconds in range(20):
        status.list_photos([], [{"file": "b.jpg", "why": "it changed a moment ago", "seconds": seconds}])
        writes += written.in_seconds(1)
    assert writes == 20 / HEARTBEAT_SECONDS


def test_news_are_written_once_a_second_at_most(written: Written) -> None:
    written.in_seconds(1)
    assert written.in_seconds(3) == 0
    written.status.observe(device="a GPU", trouble="", waiting={"starry": 1}, paused={})
    written.status.begin("1", "a.jpg", "starry")
    assert written.in_seconds(1) == 1
    writes = 0
    for _ in range(8):
        written.status.count(delivered=1)
        writes += written.in_seconds(0.5)
    assert writes == 4


def test_a_full_disk_hides_the_status_and_stops_nothing(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        assert written.in_seconds(3) == 0
    assert written.in_seconds(1) == 1
