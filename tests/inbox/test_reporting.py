"""What is said about the inbox, and how often."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.inbox.reporting import InboxReporter
from daemon.inbox.scan import Kind, ScanEntry

UNKNOWN = ScanEntry("/r/inbox/stary", Kind.NO_STYLE, "no style is called stary")
LOCKED = ScanEntry("/r/inbox/starry/locked", Kind.TROUBLE, "cannot be looked into: Permission denied")
OTHER = ScanEntry("/r/inbox/starry/notes.txt", Kind.LEFT_ALONE, "another kind of file")


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What was said since the last call."""
    caplog.set_level(logging.INFO, "styled")

    def since() -> list[str]:
        lines = [record.getMessage() for record in caplog.records]
        caplog.clear()
        return lines

    return since


def test_each_thing_is_said_once_until_it_was_different_in_between(said: Callable[[], list[str]]) -> None:
    reporter = InboxReporter(Path("/r/inbox"))
    for _ in range(3):
        reporter.report_scan([UNKNOWN, LOCKED, OTHER], "")
    assert sorted(said()) == [
        "/r/inbox/starry/locked: cannot be looked into: Permission denied",
        "/r/inbox/stary: left alone: no style is called stary",
    ]
    reporter.report_scan([LOCKED], "")
    reporter.report_scan([UNKNOWN, LOCKED], "")
    assert said() == ["/r/inbox/stary: left alone: no style is called stary"]


def test_a_missing_inbox_is_said_once_and_so_is_its_return(said: Callable[[], list[str]]) -> None:
    reporter = InboxReporter(Path("/r/inbox"))
    for _ in range(3):
        reporter.report_scan([], "is missing")
    assert said() == ["/r/inbox is missing; waiting for it"]
    for _ in range(3):
        reporter.report_scan([], "")
    assert said() == ["/r/inbox is back"]


def test_an_unreadable_photo_is_said_once_with_its_name_and_no_line_of_its_own(
    said: Callable[[], list[str]],
) -> None:
    reporter = InboxReporter(Path("/r/inbox"))
    for _ in range(3):
        reporter.report_readable("/r/inbox/a\nb.jpg", False)
    (line,) = said()
    assert line.startswith("/r/inbox/a\\nb.jpg: may not be read")
    reporter.report_readable("/r/inbox/a\nb.jpg", True)
    reporter.report_readable("/r/inbox/a\nb.jpg", False)
    assert len(said()) == 1
    reporter.report_scan([], "")  # it was taken away …
    reporter.report_readable("/r/inbox/a\nb.jpg", False)
    assert len(said()) == 1, "… and this is another one"
