"""`styled run --events FILE`: what a program reads of the daemon."""

import io
import json
import logging
import os
from pathlib import Path
from typing import Any

from daemon.config.load import load
from daemon.console.console import Console
from daemon.events import Event, about
from daemon.status import Status

log = logging.getLogger("styled")


def events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


def test_each_record_with_an_event_is_a_line_with_all_that_it_knows(tmp_path: Path) -> None:
    file = tmp_path / "events"
    with Console(stream=io.StringIO(), events=file):
        extra = about(Event.PAINTED, style="starry", path=Path("/o/a\n\udcff.jpg"), seconds=1.5, job="7f")
        log.info("painted %s", "a\n\udcff.jpg", extra=extra)
        log.info("nothing that a program waits for")
        (line,) = events(file)  # at once, and not only at the end
        log.error("failed", extra=about(Event.FAILED))
    assert list(line) == ["time", "event", "level", "message", "style", "path", "seconds", "job"]
    assert line | {"time": 0} == {
        "time": 0,
        "event": "painted",
        "level": "info",
        "message": "painted a\n\udcff.jpg",
        "style": "starry",
        "path": "/o/a\n\udcff.jpg",
        "seconds": 1.5,
        "job": "7f",
    }
    assert [each["event"] for each in events(file)] == ["painted", "failed"]
    assert len(file.read_text().splitlines()) == 2


def test_a_quiet_console_still_writes_every_event_and_the_file_grows_from_run_to_run(
    root: Path, tmp_path: Path, board: Status
) -> None:
    out = io.StringIO()
    for _ in range(2):
        with Console(load(root / "config.yaml"), verbosity=-1, stream=out, events=tmp_path / "events") as console:
            console.refresh(board)
            console.refresh(board)
    assert out.getvalue() == ""
    assert [each["event"] for each in events(tmp_path / "events")] == ["ready", "ready"]


def test_a_file_that_cannot_be_written_costs_one_warning(tmp_path: Path) -> None:
    file, out = tmp_path / "missing/events", io.StringIO()
    with Console(stream=out, events=file):
        for _ in range(3):
            log.info("painted", extra=about(Event.PAINTED))
        file.parent.mkdir()
        log.info("painted", extra=about(Event.PAINTED))
    assert out.getvalue().count("events cannot be written to") == 1
    assert out.getvalue().count("painted") == 4
    assert len(events(file)) == 1, "the file is tried again each time"


def test_a_pipe_that_nobody_reads_blocks_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "events")
    out = io.StringIO()
    with Console(stream=out, events=tmp_path / "events"):
        log.info("painted", extra=about(Event.PAINTED))
    assert "events cannot be written to" in out.getvalue()
