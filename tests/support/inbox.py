"""Inboxes for tests: quick, closed at the end, and asked without waiting."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daemon.inbox.inbox import Inbox
from daemon.inbox.photo import InboxPhoto
from daemon.inbox.scan_thread import Timing

STYLES = ("starry", "scream")
SETTLE = 0.1  # seconds
SOON = 10.0  # seconds; far more than anything takes, for a busy machine
EVENTS_ONLY = Timing(scan=3600, poll=0.1, rest=0.05, check=0.1, stop=0.05)  # a photo without an event is not found


@contextmanager
def running(folder: Path, timing: Timing = EVENTS_ONLY, *, once: bool = False) -> Iterator[Inbox]:
    """A started inbox. Files settle in 0.1 s."""
    inbox = Inbox(folder, styles=STYLES, default_style="starry", settle_seconds=SETTLE, once=once, timing=timing)
    inbox.start()
    try:
        yield inbox
    finally:
        inbox.close()


def put(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def take_within(inbox: Inbox, seconds: float) -> InboxPhoto | None:
    """What `take` returns when it is stopped after so many seconds."""
    stop = threading.Event()
    timer = threading.Timer(seconds, stop.set)
    timer.start()
    try:
        return inbox.take(stop)
    finally:
        timer.cancel()


def take_next(inbox: Inbox) -> InboxPhoto:
    photo = take_within(inbox, SOON)
    assert photo is not None, inbox.growing()
    return photo


def take_now(inbox: Inbox) -> InboxPhoto | None:
    """The next photo that has settled by the last scan. The inbox need not be started."""
    while True:
        with inbox._changed:
            photo = inbox._queue.pop()
        if photo is None or inbox._is_still_settled(photo):
            return photo


def is_drained(inbox: Inbox) -> bool:
    """Whether `take` would end with `once`."""
    with inbox._changed:
        return inbox._is_drained()
