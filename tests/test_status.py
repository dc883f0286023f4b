"""What is going on now, as the console and status.json see it."""

import json
from pathlib import Path

from daemon.status import Counts, JobStatus, Status, write_status
from daemon.transfer.steps import Step


def test_the_time_left_follows_the_share_of_the_work_done() -> None:
    task = JobStatus("a.jpg", "starry", started=100.0)
    assert task.seconds_left(130.0) is None
    task.step = Step(30, 140, 0.5, 1, 2, 0.25)
    assert task.seconds_left(130.0) == 90.0
    task.step = Step(1, 140, 0.5, 1, 2, 0.001)
    assert task.seconds_left(130.0) is None, "the first steps say nothing yet"


def test_a_posted_board_is_plain_json_whatever_the_names(tmp_path: Path) -> None:
    board = Status(waiting={"starry": 2})
    board.begin("1", "starry/a\n\udcff.jpg", "starry")
    board.stage("1", "painting")
    board.step("1", Step(3, 10, 0.5, 1, 1, 0.3))
    board.count(failed=1, failure="b.jpg: It is blurred.")
    write_status(board, tmp_path / "status.json")
    found = json.loads((tmp_path / "status.json").read_text())
    (job,) = found["jobs"]
    assert (job["file"], job["stage"], job["step"], job["steps"]) == ("starry/a\\n\\xff.jpg", "painting", 3, 10)
    assert (found["failed"], found["last_failure"], found["waiting"]) == (1, "b.jpg: It is blurred.", {"starry": 2})
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]


def test_a_job_that_has_ended_is_no_longer_shown() -> None:
    board = Status()
    board.begin("1", "a.jpg", "starry")
    board.end("1")
    board.end("1")
    assert board.tasks() == []


def test_counts_of_yesterday_are_not_todays() -> None:
    counts = Counts(delivered=9, delivered_today=9, day="2026-11-22").on("2026-11-23")
    assert (counts.delivered, counts.delivered_today) == (9, 0)
