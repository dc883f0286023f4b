"""Whether the doorbell of the inbox still works, and what to do without one.

Watches die quietly: the folder is deleted and made again, renamed away, lies on a network, or the system has no
watch left for it or for a folder below. None of that may cost more than a little time.
"""

import errno
import logging
import math
import os
import threading
from collections.abc import Callable, Iterable
from typing import Protocol

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from daemon.inbox.mounts import without_events
from daemon.text import escape

log = logging.getLogger("styled")

JOIN_SECONDS = 5.0  # how long watchdog's thread is given to end


class FolderEvents(FileSystemEventHandler):
    """watchdog on one folder and all below it. Each event does one thing: it rings. An exception in a handler
    would end watchdog's thread, and the process would live on and see nothing."""

    # neither Opened nor ClosedNoWrite, or our own reading would ring; not Modified, or each block written would
    EVENTS = (
        FileCreatedEvent,
        FileClosedEvent,
        FileMovedEvent,
        DirCreatedEvent,
        DirMovedEvent,
        DirDeletedEvent,
    )

    def __init__(self, folder: str, ring: Callable[[str], None]) -> None:
        """`ring` gets the folder in which something happened. OSError: the system has no more watches to give."""
        self._folder = folder
        self._real = os.path.realpath(folder)  # a link would be watched itself
        self._ring = ring
        self._observer: BaseObserver = Observer()
        try:
            self._observer.schedule(self, self._real, recursive=True, event_filter=list(self.EVENTS))
            self._observer.start()
        except BaseException:
            self.stop()
            raise

    def dispatch(self, event: FileSystemEvent) -> None:
        try:
            for path in {os.fsdecode(event.src_path), os.fsdecode(event.dest_path)} - {""}:
                inside = os.path.dirname(path)[len(self._real) :]  # "" for the folder itself
                self._ring(self._folder + inside)
        except Exception:
            log.exception("an event in %s was not understood", escape(self._folder))

    def is_alive(self) -> bool:
        """Whether every thread of watchdog's lives: a dead emitter leaves its observer alive."""
        emitters = list(self._observer.emitters)
        parts = [self._observer, *emitters, getattr(self._observer, "_inotify_fd", None)]  # a thread since 7.0
        parts += [getattr(emitter, "_inotify", None) for emitter in emitters]  # … and until 6.0
        return bool(emitters) and all(part.is_alive() for part in parts if isinstance(part, threading.Thread))

    def stop(self) -> None:
        try:
            self._observer.stop()
            if self._observer.is_alive():
                self._observer.join(JOIN_SECONDS)
        except Exception:  # it is given up in any case
            log.debug("watchdog did not stop cleanly", exc_info=True)


CHECK_SECONDS = 2.0  # between two looks at the doorbell; also how late it may ring
RETRY_SECONDS = 600.0  # how long one is mistrusted that missed a file, or missed that could not be had
NEVER = -math.inf
SYSCTL = {
    errno.ENOSPC: "the system has no inotify watch left: raise the sysctl fs.inotify.max_user_watches",
    errno.EMFILE: "the system has no inotify instance left: raise the sysctl fs.inotify.max_user_instances",
}


class Watch(Protocol):
    """What rings: something that watches the folder and all below it."""

    def is_alive(self) -> bool: ...

    def stop(self) -> None: ...


class FolderWatch:
    """One folder's. All methods but `heard` belong to the thread that lists the inbox."""

    def __init__(self, folder: str, hang: Callable[[], Watch], clock: Callable[[], float]) -> None:
        """`hang` makes a new watch on the folder, or raises OSError."""
        self._folder = folder
        self._hang = hang
        self._clock = clock
        self._watch: Watch | None = None
        self._polled = "not watched yet"  # why there is no watch
        self._identity: tuple[int, int] | None = None  # of the folder that the watch is on, or that is polled
        self._retry_at = math.inf  # when to try for a watch again
        self._mistrusted_until = NEVER
        self._excused = True  # the next listing may find what never rang
        self._unannounced: dict[str, float] = {}  # folders with a new file that did not ring, since when
        self._before: set[str] = set()  # the folders that rang before the present listing
        self._heard: set[str] = set()  # … and since it began
        self._lock = threading.Lock()  # guards _heard

    @property
    def how(self) -> str:
        """How arrivals are noticed, in words."""
        if self._watch is None:
            return self._polled
        return "watching" if self.is_trusted() else "watching and polling: an arrival was not announced"

    @property
    def is_armed(self) -> bool:
        return self._watch is not None

    def is_trusted(self) -> bool:
        """Whether listings may be rare."""
        return self.is_armed and self._clock() >= self._mistrusted_until

    def hangs_on(self, identity: tuple[int, int]) -> bool:
        """Whether the folder of this (st_dev, st_ino) is the one that `tend` saw."""
        return self._identity == identity

    def is_sound(self) -> bool:
        """Cheap, between listings: whether it hangs on the right folder, lives, and has missed nothing."""
        if self._watch is None:
            return True
        if self._has_missed():
            self._mistrust()
            return False
        return self._watch.is_alive() and _identity(self._folder) == self._identity

    def tend(self) -> None:
        """Before a listing: hang it (up again) where that is needed."""
        with self._lock:
            self._before, self._heard = self._heard, set()
        identity = _identity(self._folder)
        is_same = identity == self._identity
        if is_same and self._watch is not None and self._watch.is_alive():
            return
        if is_same and self._watch is None and self._clock() < self._retry_at:
            return
        if self._watch is not None and None not in (self._identity, identity):
            log.warning("the watch on %s had ended; watching anew", escape(self._folder))
        self.disarm()
        self._identity = identity
        if identity is not None:
            self._arm()

    def compare(self, fresh: Iterable[str]) -> None:
        """After a listing: `fresh` are the photos that the one before did not have."""
        heard = self._all_heard()
        self._unannounced = {
            folder: since for folder, since in self._unannounced.items() if not self._rang(folder, heard)
        }
        if self.is_armed and not self._excused:
            for folder in {os.path.dirname(path) for path in fresh}:
                if not self._rang(folder, heard):
                    self._unannounced.setdefault(folder, self._clock())
        self._excused = False

    def heard(self, folder: str) -> None:
        """From any thread: something happened in this folder."""
        if folder:
            with self._lock:
                self._heard.add(folder)

    def excuse(self) -> None:
        """The next listing will find what was there before: new settings look at more folders."""
        self._excused = True

    def forget(self) -> None:
        """Hang it up anew before the next listing."""
        self._identity = None

    def disarm(self) -> None:
        if self._watch is not None:
            self._watch.stop()
        self._watch = None
        self._unannounced = {}
        self._excused = True

    def _arm(self) -> None:
        self._retry_at = self._clock() + RETRY_SECONDS
        if kind := without_events(self._folder):
            self._poll(f"changes on {kind} are not announced", logging.INFO)
            return
        try:
            self._watch = self._hang()
        except (OSError, RuntimeError) as error:  # RuntimeError: no more threads
            why = SYSCTL.get(error.errno or 0) if isinstance(error, OSError) else None
            self._poll(why or f"it cannot be watched: {error}", logging.WARNING)
        else:
            if self._polled:
                log.info("watching %s", escape(self._folder))
            self._polled = ""

    def _poll(self, why: str, level: int) -> None:
        how = f"polling: {why}"
        if how != self._polled:
            log.log(level, "%s is looked through every few seconds: %s", escape(self._folder), why)
        self._polled = how

    def _has_missed(self) -> bool:
        """Whether a new file has been known for longer than an event could take, and none came."""
        late = [folder for folder, since in self._unannounced.items() if self._clock() - since >= CHECK_SECONDS]
        return bool(late) and not all(self._rang(folder, self._all_heard()) for folder in late)

    def _mistrust(self) -> None:
        if self._clock() >= self._mistrusted_until:
            log.warning(
                "a photo came into %s and the system did not say so (is the sysctl fs.inotify.max_user_watches too "
                "small?); for ten minutes it is also looked through every few seconds",
                escape(self._folder),
            )
        self._mistrusted_until = self._clock() + RETRY_SECONDS
        self.forget()

    def _all_heard(self) -> set[str]:
        with self._lock:
            return self._before | self._heard

    def _rang(self, folder: str, heard: set[str]) -> bool:
        """Whether it, or a folder above it, rang: one that was moved in rings for its parent only."""
        while folder not in heard and len(folder) > len(self._folder):
            folder = os.path.dirname(folder)
        return folder in heard


def _identity(folder: str) -> tuple[int, int] | None:
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return status.st_dev, status.st_ino
