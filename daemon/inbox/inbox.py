"""The inbox: photos that are complete, in fair order, to whoever asks for the next one.

watchdog is only the doorbell. Whenever it rings, and from time to time when it does not, the whole inbox is listed
again, and the listing is the truth: what waited before the start, what an overflowing queue swallowed and what
arrives now all come the same way.
"""

import os
import threading
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

from daemon.inbox.queue import Growing, SettleQueue
from daemon.inbox.reporting import InboxReporter
from daemon.inbox.scan import Entry, Fate, InboxPhoto, InboxScan
from daemon.inbox.stability import State, observe
from daemon.inbox.watch import CHECK_SECONDS, NEVER, FolderEvents, FolderWatch
from daemon.text import escape

SAFETY_SECONDS = 60.0  # between two listings at most, even while the doorbell works
POLL_SECONDS = 1.0  # between two listings where no doorbell works, unless settle_seconds is longer
TROUBLE_SECONDS = 5.0  # … and while a folder cannot be looked into
REST_SECONDS = 0.2  # between two listings at least
REST_SHARE = 4  # … and at least this many times what the last one took: 20 % of a core
STOP_SECONDS = 0.5  # how often a waiting `take` looks at its stop flag
BATCH = 256  # photos looked at before those that have settled are handed out
_Settings = tuple[frozenset[str], str]  # styles, default style


class Flag(Protocol):
    """Anything that says when to stop: threading.Event, for one."""

    def is_set(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Health:
    """How the inbox is doing, for the status and the supervisor. Times in seconds."""

    how: str  # "watching", or why it is polled or waited for
    watching: bool
    scan_age: float  # since the last listing ended, infinite before the first
    scan_seconds: float  # what it took
    is_fresh: bool  # the listing is no older than it should be


class Inbox:
    """The inbox as a queue: `take` may be called from many threads; one thread of our own keeps the listing."""

    def __init__(
        self,
        folder: Path,
        *,
        styles: Collection[str],
        default_style: str,
        settle_seconds: float,
        once: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`folder` is inbox/ itself. `once`: `take` ends when nothing is settled, growing or in hand."""
        self.folder = folder
        self._clock = clock
        self._once = once
        self._changed = threading.Condition()  # guards all down to the blank line
        self._settings: _Settings = (frozenset(styles), default_style)
        self._waiting = SettleQueue(settle_seconds)
        self._rung = True  # a listing is owed, the first one to begin with
        self._ended, self._took = NEVER, 0.0  # when the last listing ended and how long it took
        self._missing = ""
        self._closed = False
        self._failure: Exception | None = None

        self._doorbell = FolderWatch(str(folder), lambda: FolderEvents(str(folder), self.wake), clock)
        self._scanning = threading.Lock()  # guards the next three: one listing at a time
        self._notices = InboxReporter(folder)
        self._listed: _Settings | None = None  # what the last listing went by
        self._troubles: set[str] = set()  # folders that could not be looked into
        self._bell = threading.Event()  # wakes our own thread
        self._thread: threading.Thread | None = None

    # taking

    def take(self, stop: Flag) -> InboxPhoto | None:
        """The next photo that has settled; blocks until there is one. It is the caller's until `release`. None:
        stopped, closed or, with `once`, finished."""
        self.start()
        while True:
            with self._changed:
                if self._ends(stop):
                    return None
                arrival = self._waiting.pop()
                if arrival is None:
                    self._changed.wait(STOP_SECONDS)
                    continue
            if self._is_still_so(arrival):
                return arrival

    def take_now(self) -> InboxPhoto | None:
        """The next photo that has settled by the last listing; None if none has."""
        while True:
            with self._changed:
                arrival = self._waiting.pop()
            if arrival is None or self._is_still_so(arrival):
                return arrival

    def release(self, arrival: InboxPhoto, pause: float = 0.0) -> None:
        """The job has ended or was put back: a file of this path may be handed out again, though not before
        `pause` seconds have passed."""
        with self._changed:
            self._waiting.release(arrival, self._clock() + pause)
        self.wake(os.path.dirname(arrival.path))

    def arrivals(self, stop: Flag) -> Iterator[InboxPhoto]:
        """Take until the stop; each is released when the next is asked for."""
        while (arrival := self.take(stop)) is not None:
            try:
                yield arrival
            finally:
                self.release(arrival)

    def _ends(self, stop: Flag) -> bool:
        if self._failure is not None:
            raise RuntimeError("the inbox is no longer listed") from self._failure
        return self._closed or stop.is_set() or (self._once and self._is_drained())

    def _is_still_so(self, arrival: InboxPhoto) -> bool:
        """A last look: it may have lain in the queue for hours."""
        look = observe(arrival)
        if look.state is not State.STILL:
            with self._changed:
                self._waiting.put_back(arrival, look, self._clock())
            self._bell.set()
        return look.state is State.STILL

    # what can be seen from outside

    def waiting(self) -> dict[str, int]:
        """How many photos wait per style, settled or growing; those in hand are not counted."""
        with self._changed:
            return self._waiting.counts()

    def upcoming(self, most: int) -> list[InboxPhoto]:
        """The next photos to be handed out, as far as can be said now."""
        with self._changed:
            return self._waiting.upcoming(most)

    def growing(self) -> list[Growing]:
        """The photos that cannot be taken yet, each with the reason."""
        with self._changed:
            return self._waiting.growing(self._clock())

    def trouble(self) -> str:
        """Why nothing can be listed, "" if it can."""
        with self._changed:
            return f"{escape(str(self.folder))} {self._missing}" if self._missing else ""

    def drained(self) -> bool:
        """Nothing is settled, growing or in hand, by a listing later than the last ring."""
        with self._changed:
            return self._is_drained()

    def _is_drained(self) -> bool:
        listed = self._ended > NEVER and not self._rung and not self._missing
        return listed and self._waiting.is_idle()

    def health(self) -> Health:
        with self._changed:
            age = self._clock() - self._ended
            alive = self._failure is None and self._thread is not None and self._thread.is_alive()
            fresh = age <= self._interval() + REST_SHARE * self._took + SAFETY_SECONDS / 2
            how, watching = self._missing or self._doorbell.how, self._doorbell.is_armed
            return Health(how, watching and not self._missing, age, self._took, alive and fresh)

    # life

    def start(self) -> None:
        """Arm the doorbell, list once, and go on in a thread of our own. Nothing happens the second time."""
        with self._changed:
            if self._thread is not None or self._closed:
                return
            self._thread = threading.Thread(target=self._run, name="inbox", daemon=True)
        try:
            self.scan()
        except Exception as error:
            self._fail(error)
            raise
        self._thread.start()

    def configure(self, *, styles: Collection[str], default_style: str, settle_seconds: float) -> None:
        """New settings, for whatever is taken from now on."""
        with self._changed:
            self._settings = (frozenset(styles), default_style)
            self._waiting.settle_seconds = settle_seconds
            self._waiting.keep_styles(styles)
            self._notices = InboxReporter(self.folder)
        self.wake()

    def wake(self, folder: str = "") -> None:
        """Ring: list again soon. `folder` is where something happened; without one, every `take` also looks at
        its stop flag."""
        self._doorbell.heard(folder)
        with self._changed:
            if not self._rung:
                self._rung = True
                self._bell.set()
            if not folder:
                self._changed.notify_all()

    def close(self) -> None:
        """End every `take`, our thread and the doorbell's."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._bell.set()
        if self._thread is not None and self._thread.is_alive():
            self._thread.join()
        with self._scanning:
            self._doorbell.disarm()

    def __enter__(self) -> "Inbox":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # listing

    def scan(self) -> None:
        """List the whole inbox, then look at what may have settled."""
        with self._scanning:
            if self._closed:
                return
            with self._changed:
                self._rung = False
                settings = self._settings
            started = self._clock()
            self._doorbell.tend()
            walk = InboxScan(self.folder, *settings)
            entries, missing = _listed(walk)
            self._notices.listed(entries, missing)
            self._update(settings, entries, missing, walk.identity)
            self._settle()
            with self._changed:
                self._ended = self._clock()
                self._took = self._ended - started
                self._changed.notify_all()

    def _update(self, settings: _Settings, entries: list[Entry], missing: str, identity: tuple[int, int]) -> None:
        """Take over a listing that was made by these settings."""
        fresh: list[str] = []
        with self._changed:
            if settings is self._settings:  # otherwise the next listing, already owed, will do it
                arrivals = (each.arrival for each in entries if each.arrival)
                fresh = self._waiting.update(arrivals, self._clock())
            self._missing = missing
        if settings is not self._listed:
            self._doorbell.excuse()  # it finds what other settings left alone
        self._listed = settings
        self._doorbell.compare(fresh)
        troubles = {each.path for each in entries if each.fate is Fate.TROUBLE}
        if self._troubles - troubles:
            self._doorbell.forget()  # a folder that could not be read could not be watched, either
        self._troubles = troubles
        if not missing and not self._doorbell.hangs_on(identity):
            self.wake()  # it must be hung anew, and listed anew after that

    def _settle(self) -> None:
        """Look at every photo that has stood still for long enough."""
        with self._changed:
            due = self._waiting.due(self._clock())
        for start in range(0, len(due), BATCH):
            looks = [(arrival, observe(arrival)) for arrival in due[start : start + BATCH]]
            with self._changed:
                for arrival, found in looks:
                    self._waiting.judge(arrival, found, self._clock())
                self._changed.notify_all()
            for arrival, found in looks:
                self._notices.readable(arrival.path, found.state is not State.UNREADABLE)

    def _run(self) -> None:
        try:
            while not self._closed:
                self._bell.wait(self._rest())
                self._bell.clear()
                self._step()
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """A bug. Whoever takes the next photo is told."""
        with self._changed:
            self._failure = error
            self._changed.notify_all()

    def _step(self) -> None:
        """Whatever it is time for."""
        now = self._clock()
        with self._changed:
            settle_at = self._waiting.next_due()
            scan_at = self._scan_at()
        if self._closed:
            return
        if scan_at <= now or not self._doorbell.is_sound():
            self.scan()
        elif settle_at <= now:
            with self._scanning:
                self._settle()

    def _rest(self) -> float:
        """How long there is nothing to do, if nobody rings."""
        with self._changed:
            soonest = min(self._scan_at(), self._waiting.next_due(), self._clock() + CHECK_SECONDS)
            return max(soonest - self._clock(), 0.0)

    def _scan_at(self) -> float:
        rest = max(REST_SECONDS, REST_SHARE * self._took)
        return self._ended + (rest if self._rung else max(rest, self._interval()))

    def _interval(self) -> float:
        """How long a listing is good for while nobody rings."""
        if self._missing:
            return POLL_SECONDS
        if not self._doorbell.is_trusted():
            return max(POLL_SECONDS, self._waiting.settle_seconds)
        return TROUBLE_SECONDS if self._troubles else SAFETY_SECONDS


def _listed(walk: InboxScan) -> tuple[list[Entry], str]:
    """The entries, and what is wrong with inbox/ itself."""
    try:
        return list(walk), ""
    except FileNotFoundError:
        return [], "is missing"
    except OSError as error:
        return [], f"cannot be read ({error.strerror})"
