"""Inboxes on real folders: one whose time the test moves, and one that runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.inbox.inbox import Inbox
from tests.support.clock import Clock
from tests.support.inbox import STYLES, running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for style in STYLES:
        (tmp_path / "inbox" / style).mkdir(parents=True)
    return tmp_path / "inbox"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def still(folder: Path, clock: Clock) -> Iterator[Inbox]:
    """Not started: the test scans, and moves the clock. Files settle in 2 s."""
    inbox = Inbox(folder, styles=STYLES, default_style="starry", settle_seconds=2, clock=clock)
    yield inbox
    inbox.close()


@pytest.fixture
def live(folder: Path) -> Iterator[Inbox]:
    with running(folder) as inbox:
        yield inbox
