"""The inbox as a queue of complete photos, in fair order, for the job threads to take from."""

import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path

from daemon.inbox.photo import InboxPhoto
from daemon.inbox.queue import Growing, SettleQueue
from daemon.inbox.scan import ScanEntry
from daemon.inbox.scan_thread import Health, ScanThread, Styles, Timing
from daemon.inbox.stability import State, observe
from daemon.text import escape


class Inbox:
    """All methods may be called from any thread."""

    def __init__(
        self,
        folder: Path,
        *,
        styles: Collection[str],
        default_style: str,
        settle_seconds: float,
        once: bool = False,
        clock: Callable[[], float] = time.monotonic,
        timing: Timing | None = None,
    ) -> None:
        """`folder` is inbox/ itself. `once`: `take` ends when no photo is settled, growing or in hand."""
        self.folder = folder
        self._once = once
        self._clock = clock
        self._timing = timing or Timing()
        self._changed = threading.Condition()  # guards the queue and the public attributes of the scan thread
        self._queue = SettleQueue(settle_seconds)
        self._scans = ScanThread(
            folder,
            self._queue,
            self._changed,
            Styles(frozenset(styles), default_style),
            clock=clock,
            timing=self._timing,
        )

    # taking

    def take(self, stop: threading.Event) -> InboxPhoto | None:
        """The next settled photo, in the caller's hands until `release`; waits until there is a photo. None: `stop`
        is set, the inbox is closed or, with `once`, empty. Raises RuntimeError if the inbox is no longer scanned."""
        self.start()
        while True:
            with self._changed:
                if self._is_over(stop):
                    return None
                photo = self._queue.pop()
                if photo is None:
                    self._changed.wait(self._timing.stop)
                    continue
            if self._is_still_settled(photo):
                return photo

    def release(self, photo: InboxPhoto, pause: float = 0.0, locked: str = "") -> None:
        """The job has ended or the photo was put back: a file of the same path may be taken again after `pause`
        seconds. `locked`: why this photo could not be taken out of the inbox, although others can."""
        with self._changed:
            self._queue.release(photo, self._clock() + pause, locked)
            self._scans.request()  # under the lock: with `once`, a photo that was put back must be found first

    def _is_over(self, stop: threading.Event) -> bool:
        if self._scans.failure is not None:
            raise RuntimeError("the inbox is no longer scanned") from self._scans.failure
        return self._scans.closed or stop.is_set() or (self._once and self._is_drained())

    def _is_drained(self) -> bool:
        return self._scans.is_current() and self._queue.is_idle()

    def _is_still_settled(self, photo: InboxPhoto) -> bool:
        """A last look, because the photo may have waited for hours."""
        found = observe(photo)
        if found.state is State.STILL:
            return True
        with self._changed:
            self._queue.put_back(photo, found, self._clock())
            self._scans.request()
        return False

    # what waits

    def waiting(self) -> dict[str, int]:
        """How many photos wait per style, settled or growing, without those in hand."""
        with self._changed:
            return self._queue.counts()

    def upcoming(self, most: int) -> list[InboxPhoto]:
        """The next `most` settled photos, in the order in which `take` will return them."""
        with self._changed:
            return self._queue.upcoming(most)

    def growing(self) -> list[Growing]:
        """The photos that cannot be taken yet, each with the reason."""
        with self._changed:
            return self._queue.growing(self._clock())

    def left(self) -> list[ScanEntry]:
        """The folders and other entries that a person must attend to before styled paints anything in them."""
        with self._changed:
            return list(self._scans.left)

    def trouble(self) -> str:
        """Why the inbox cannot be scanned, "" if it can."""
        with self._changed:
            missing = self._scans.missing
        return f"{escape(str(self.folder))} {missing}" if missing else ""

    def health(self) -> Health:
        return self._scans.health()

    # life

    def start(self) -> None:
        """Watch the folder, scan it once, and go on in a thread. The second call does nothing."""
        self._scans.start()

    def scan(self) -> None:
        """Scan the folder now."""
        self._scans.scan()

    def configure(self, *, styles: Collection[str], default_style: str, settle_seconds: float) -> None:
        """Use these settings for the photos that are taken from now on."""
        with self._changed:
            self._scans.styles = Styles(frozenset(styles), default_style)
            self._queue.settle_seconds = settle_seconds
            self._queue.keep_styles(styles)
            self._scans.request()

    def wake(self) -> None:
        """Scan soon, and let every waiting `take` look at its stop flag."""
        with self._changed:
            self._scans.request()
            self._changed.notify_all()

    def close(self) -> None:
        """End every `take`, the thread and the watch."""
        self._scans.close()
