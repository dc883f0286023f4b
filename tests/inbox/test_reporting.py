"""What is reported about the inbox, and how often."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.events import Event
from daemon.inbox.reporting import MOST_LINES, InboxReporter
from daemon.inbox.scan import Kind, ScanEntry

UNKNOWN = ScanEntry("/r/inbox/stary", Kind.NO_STYLE, "no style is called stary")
LOCKED = ScanEntry("/r/inbox/starry/locked", Kind.TROUBLE, "cannot be looked into: Permission denied")
OTHER = ScanEntry("/r/inbox/starry/notes.txt", Kind.LEFT_ALONE, "another kind of file")

Logged = Callable[[], list[tuple[str, str]]]


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Logged:
    """The events and messages since the last call."""
    caplog.set_level(logging.INFO, "styled")

    def since() -> list[tuple[str, str]]:
        found = [(record.__dict__["event"], record.getMessage()) for record in caplog.records]
        caplog.clear()
        return found

    return since


@pytest.fixture
def reporter() -> InboxReporter:
    return InboxReporter(Path("/r/inbox"))


def test_each_entry_is_reported_once_until_it_was_different_in_between(reporter: InboxReporter, logged: Logged) -> None:
    for _ in range(3):
        reporter.report_scan([UNKNOWN, LOCKED, OTHER], "", 0)
    no_style = Event.LEFT_ALONE, "/r/inbox/stary: left alone: no style is called stary"
    assert sorted(logged()) == [
        (Event.LEFT_ALONE, "/r/inbox/starry/locked: cannot be looked into: Permission denied"),
        no_style,
    ]
    reporter.report_scan([LOCKED], "", 0)
    reporter.report_scan([UNKNOWN, LOCKED], "", 0)
    assert logged() == [no_style]


def test_a_missing_inbox_is_reported_once_and_so_is_its_return(reporter: InboxReporter, logged: Logged) -> None:
    for _ in range(3):
        reporter.report_scan([], "is missing", 0)
    assert logged() == [(Event.INBOX_MISSING, "/r/inbox is missing; waiting for it")]
    for _ in range(3):
        reporter.report_scan([], "", 0)
    assert logged() == [(Event.INBOX_BACK, "/r/inbox is back")]


def test_a_photo_that_waits_for_a_person_is_reported_once_in_a_single_line(
    reporter: InboxReporter, logged: Logged
) -> None:
    blocked = {"/r/inbox/a\nb.jpg": "no permission to read it"}
    for _ in range(3):
        reporter.report_blocked(blocked)
    ((event, message),) = logged()
    assert event == Event.UNREADABLE
    assert message.startswith("/r/inbox/a\\nb.jpg waits: no permission to read it;")
    reporter.report_blocked({})  # the photo was taken away or can be read …
    reporter.report_blocked(blocked)
    assert len(logged()) == 1, "… and this is another time"


def test_a_companion_that_can_no_longer_count_is_said_once(reporter: InboxReporter, logged: Logged) -> None:
    orphan = ScanEntry("/r/inbox/starry/a.jpg.yaml", Kind.ORPHAN, "waits for a.jpg")
    for now in (0, 30, 59):
        reporter.report_scan([orphan], "", now)
    assert logged() == []
    for now in (60, 61, 1000):
        reporter.report_scan([orphan], "", now)
    ((event, message),) = logged()
    assert event == Event.LEFT_ALONE
    assert message.startswith("/r/inbox/starry/a.jpg.yaml waits for a.jpg, which is not here;")


def test_very_many_are_one_line(reporter: InboxReporter, logged: Logged) -> None:
    reporter.report_scan([ScanEntry(f"/r/inbox/{n}", Kind.NO_STYLE, "no style") for n in range(5000)], "", 0)
    lines = logged()
    assert len(lines) == MOST_LINES + 1
    assert lines[-1][1] == f"{5000 - MOST_LINES} more like these in /r/inbox; `styled check` names each"
