"""The threads in which pictures travel: take the next one, do its whole journey, again, until the stop."""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator

from daemon.config.models import Config, auto_size
from daemon.errors import RetryLater, ServicePaused, ShuttingDown
from daemon.inbox.inbox import Inbox
from daemon.inbox.scan import InboxPhoto
from daemon.jobs.pipeline import Pipeline
from daemon.service.backoff import ALL, Backoff
from daemon.storage.files import FULL
from daemon.storage.layout import Folders
from daemon.text import escape

log = logging.getLogger("styled")
SPARE = 1 << 20  # bytes: records, the journal, a thumbnail, the status
BYTES_PER_PIXEL = 3  # of a painting: a PNG of noise has no less


class JobThreads:
    """A few threads on one inbox, each with one picture in hand; so nothing that waits costs more than its name. What
    nobody foresaw ends them all and is kept in `crash`."""

    def __init__(
        self, folders: Folders, journey: Pipeline, settings: Callable[[], Config], stopping: threading.Event
    ) -> None:
        """`settings` gives the configuration of the moment."""
        self.crash: BaseException | None = None
        self.troubles = Backoff()
        self._folders = folders
        self._journey = journey
        self._settings = settings
        self._stopping = stopping
        self._threads: list[threading.Thread] = []
        self._wanted = self._count = 0  # threads; those that came to the end of the inbox still count
        self._counting = threading.Lock()

    def tend(self, inbox: Inbox, painters: int) -> None:
        """Have so many pictures in hand that each painter has one, while as many others (two at least) are decoded
        or encoded."""
        with self._counting:
            self._wanted = painters + max(painters, 2)
            missing = max(self._wanted - self._count, 0)
            self._count += missing
        if missing:
            self._threads = [thread for thread in self._threads if thread.is_alive()]
        for _ in range(missing):
            thread = threading.Thread(target=self._work, args=(inbox,), name="job", daemon=True)
            thread.start()
            self._threads.append(thread)

    def _is_surplus(self) -> bool:
        """Painters have left, and with them goes the thread that asks."""
        with self._counting:
            surplus = self._count > self._wanted
            self._count -= surplus
        return surplus

    @property
    def at_work(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def join(self, seconds: float) -> None:
        """Wait until all have put their pictures back, `seconds` at most."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))

    @contextlib.contextmanager
    def crash_ends_all(self) -> Iterator[None]:
        """What nobody foresaw in a thread ends the daemon, which is then started afresh."""
        try:
            yield
        except ShuttingDown:
            raise
        except BaseException as error:
            self.crash = self.crash or error
            self._stopping.set()

    def _work(self, inbox: Inbox) -> None:
        with contextlib.suppress(ShuttingDown), self.crash_ends_all():
            while not self._is_surplus():
                self.troubles.wait(self._stopping)
                arrival = inbox.take(self._stopping)
                if arrival is None:
                    return
                pause = 0.0
                try:
                    pause = self._paint(arrival, self._settings())
                finally:
                    inbox.release(arrival, pause)

    def _paint(self, arrival: InboxPhoto, config: Config) -> float:
        """One journey. Returns the seconds after which the picture may be tried again, should it lie there still."""
        where = escape(os.path.dirname(arrival.path))
        try:
            if arrival.style in config.styles:  # or a reload took the style away just now
                self._check_room(arrival, config)
                self._journey.run(arrival, config)
        except (RetryLater, OSError) as error:
            if trouble := self._of_all(error):
                return self.troubles.note(ALL, trouble)
            return self.troubles.note(where, _said(error))
        self.troubles.over(where)
        return 0.0

    def _of_all(self, error: Exception) -> str:
        """Why no other picture could be painted now, either; "" if only this one's folder or style is concerned."""
        if isinstance(error, ServicePaused):
            return _said(error)
        if isinstance(error, OSError) and error.errno in FULL:
            return f"the disk of {escape(str(self._folders.root))} is full ({error.strerror})"
        return self._folders.trouble() if isinstance(error, OSError) else ""

    def _check_room(self, arrival: InboxPhoto, config: Config) -> None:
        """Before anything is claimed. ServicePaused: the disk is full. RetryLater: no right to deliver it."""
        if locked := self._folders.locked_out(arrival.style, arrival.folder):
            raise RetryLater(locked)
        free = self._folders.room()
        if free is None:
            return
        size = config.settings(arrival.style).long_side("cuda") or auto_size("cuda")
        needed = SPARE + size**2 * BYTES_PER_PIXEL
        if free[0] < needed or not free[1]:
            left = f"{free[0] / 1e6:.1f} MB" if free[1] else "no file"
            root = escape(str(self._folders.root))
            raise ServicePaused(
                f"the disk of {root} is full: {left} left, and a painting may need {needed / 1e6:.1f} MB"
            )


def _said(error: Exception) -> str:
    if isinstance(error, OSError):
        name = f"{escape(str(error.filename))}: " if error.filename else ""
        return f"{name}{error.strerror or error}"
    return str(error)
