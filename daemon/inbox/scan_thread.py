"""The thread that keeps the queue equal to the inbox: when to scan, and when to look at photos that may have settled.

The scan is the truth; the watch only says when to scan. Without events the inbox is scanned every few seconds. So
photos from before the start, photos whose events an overflowing queue dropped, and new photos all come the same way.
"""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from daemon.inbox.queue import SettleQueue
from daemon.inbox.reporting import InboxReporter
from daemon.inbox.scan import InboxScan, Kind, ScanEntry
from daemon.inbox.stability import observe
from daemon.inbox.watch import FolderWatch

EVENT_REST = 4  # after an event, rest 4 times as long as the last scan took: at most 20 % of a core
IDLE_REST = 20  # without an event, rest 20 times as long: at most 5 % of a core
LATE_SECONDS = 60.0  # a scan that is later than this counts as stopped
BATCH = 256  # photos to look at before the settled photos among them are handed out


@dataclass(frozen=True, slots=True)
class Timing:
    """How often the inbox does what, in seconds."""

    scan: float = 5.0  # between two scans without an event
    poll: float = 1.0  # … while the system reports no events; `settle_seconds`, if that is longer
    rest: float = 0.2  # between two scans, at least
    check: float = 2.0  # between two checks of the watch
    stop: float = 0.5  # between two looks at the stop flag by a waiting `Inbox.take`


@dataclass(frozen=True, slots=True)
class Health:
    """Whether scans go on, for READY=1 and the watchdog of systemd."""

    is_fresh: bool  # the last scan is no older than it should be
    scan_age: float  # seconds since the last scan ended, infinite before the first


@dataclass(frozen=True, slots=True, eq=False)
class Styles:
    """The settings that a scan depends on."""

    names: frozenset[str]
    default: str


class ScanThread:
    """Fills one SettleQueue. `changed` guards the queue and all public attributes, and is notified when photos may
    have settled."""

    def __init__(
        self,
        folder: Path,
        queue: SettleQueue,
        changed: threading.Condition,
        styles: Styles,
        *,
        clock: Callable[[], float],
        timing: Timing,
    ) -> None:
        self.styles = styles
        self.missing = ""  # what is wrong with inbox/ itself
        self.left: list[ScanEntry] = []  # what a person must see to
        self.closed = False
        self.failure: Exception | None = None
        self._folder = folder
        self._queue = queue
        self._changed = changed
        self._clock = clock
        self._timing = timing
        self._requested = True  # guarded by `changed`, and so are the next two
        self._ended, self._took = -math.inf, 0.0  # when the last scan ended and how long it took
        self._scanning = threading.Lock()  # one scan at a time; guards the watch and the reporter
        self._watch = FolderWatch(str(folder), self.request, clock)
        self._reporter, self._reported_styles = InboxReporter(folder), styles
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Arm the watch, scan once, and go on in a thread. The second call does nothing."""
        with self._changed:
            if self._thread is not None or self.closed:
                return
            self._thread = threading.Thread(target=self._run, name="inbox", daemon=True)
        try:
            self.scan()
        except Exception as error:
            self._fail(error)
            raise
        self._thread.start()

    def request(self) -> None:
        """Ask for a scan soon. May be called from any thread."""
        with self._changed:
            if not self._requested:
                self._requested = True
                self._wake.set()

    def close(self) -> None:
        """End the thread and the watch."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()
        self._wake.set()
        if self._thread is not None and self._thread.is_alive():
            self._thread.join()
        with self._scanning:
            self._watch.disarm()

    def is_current(self) -> bool:
        """Whether the last scan saw inbox/ and nothing has happened since. The caller holds `changed`."""
        return self._ended > -math.inf and not self._requested and not self.missing

    def health(self) -> Health:
        with self._changed:
            age = self._clock() - self._ended
            is_alive = self.failure is None and self._thread is not None and self._thread.is_alive()
            is_late = age > self._interval() + EVENT_REST * self._took + LATE_SECONDS
            return Health(is_alive and not is_late, age)

    def scan(self) -> None:
        """Scan the whole inbox, then look at the photos that may have settled."""
        with self._scanning:
            with self._changed:
                if self.closed:
                    return
                self._requested = False
                styles = self.styles
            started = self._clock()
            self._watch.ensure_armed()
            entries, missing = _scanned(InboxScan(self._folder, styles.names, styles.default))
            if styles is not self._reported_styles:  # other folders are left alone now: say so again
                self._reporter, self._reported_styles = InboxReporter(self._folder), styles
            self._reporter.report_scan(entries, missing, started)
            with self._changed:
                if styles is self.styles:  # otherwise the next scan, which is requested already, fills the queue
                    self._queue.update((each.photo for each in entries if each.photo), self._clock())
                self.missing = missing
                self.left = [each for each in entries if each.kind in (Kind.NO_STYLE, Kind.TROUBLE)]
            self._look()
            with self._changed:
                self._ended = self._clock()
                self._took = self._ended - started
                self._changed.notify_all()

    def _look(self) -> None:
        """Look at every photo that has not changed for long enough."""
        with self._changed:
            due = self._queue.due(self._clock())
        for start in range(0, len(due), BATCH):
            looks = [(photo, observe(photo)) for photo in due[start : start + BATCH]]
            with self._changed:
                for photo, found in looks:
                    self._queue.record(photo, found, self._clock())
                self._changed.notify_all()
        with self._changed:
            blocked = self._queue.blocked()
        self._reporter.report_blocked(blocked)

    def _run(self) -> None:
        try:
            while not self.closed:
                self._wake.wait(self._rest())
                self._wake.clear()
                self._step()
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """A bug ended the scans: every `take` raises from now on."""
        with self._changed:
            self.failure = error
            self._changed.notify_all()

    def _step(self) -> None:
        """Do what is due."""
        with self._changed:
            now, scan_at, look_at = self._clock(), self._scan_at(), self._queue.next_due()
        if self.closed:
            return
        if scan_at <= now or self._watch.has_ended():
            self.scan()
        elif look_at <= now:
            with self._scanning:
                self._look()

    def _rest(self) -> float:
        """Seconds until something is due, if nothing happens."""
        with self._changed:
            now = self._clock()
            return max(min(self._scan_at(), self._queue.next_due(), now + self._timing.check) - now, 0.0)

    def _scan_at(self) -> float:
        rest = max(self._timing.rest, EVENT_REST * self._took)
        return self._ended + (rest if self._requested else max(rest, self._interval()))

    def _interval(self) -> float:
        """Seconds between two scans while nothing happens."""
        if self.missing:
            return self._timing.poll
        if self._watch.is_armed:
            return max(self._timing.scan, IDLE_REST * self._took)
        return min(max(self._timing.poll, self._queue.settle_seconds), self._timing.scan)


def _scanned(scan: InboxScan) -> tuple[list[ScanEntry], str]:
    """The entries, and what is wrong with inbox/ itself."""
    try:
        return list(scan), ""
    except FileNotFoundError:
        return [], "is missing"
    except OSError as error:
        return [], f"cannot be read ({error.strerror})"
