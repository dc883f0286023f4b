"""The watch on the inbox: the system's events tell of a photo at once.

A watch ends without an error: the folder is deleted and made again, renamed away, or the system has no inotify watch
left. No photo is lost by that, because the inbox is scanned every few seconds in any case.
"""

import errno
import logging
import math
import os
import threading
from collections.abc import Callable

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

from daemon.events import Event, about
from daemon.inbox.mounts import without_events
from daemon.text import escape

log = logging.getLogger("styled")
logging.getLogger("watchdog").setLevel(logging.CRITICAL)  # it reports an error when we stop it

JOIN_SECONDS = 5.0  # within which watchdog's thread must end
RETRY_SECONDS = 600.0  # between two tries to get a watch from a system that had none
SYSCTL = {
    errno.ENOSPC: "the system has no inotify watch left: raise the sysctl fs.inotify.max_user_watches",
    errno.EMFILE: "the system has no inotify instance left: raise the sysctl fs.inotify.max_user_instances",
}


class FolderEvents(FileSystemEventHandler):
    """watchdog on a folder and all folders below. An event only calls `notify`; an exception in the handler would end
    watchdog's thread, and no further event would come."""

    # no Opened or ClosedNoWrite: our own reading would cause events; no Modified: each block written would
    EVENTS = (
        FileCreatedEvent,
        FileClosedEvent,
        FileMovedEvent,
        DirCreatedEvent,
        DirMovedEvent,
        DirDeletedEvent,
    )

    def __init__(self, folder: str, notify: Callable[[], None]) -> None:
        """Raises OSError if the system has no watch left."""
        self._folder = folder
        self._notify = notify
        self._observer: BaseObserver = Observer()
        real = os.path.realpath(folder)  # inotify would watch a link itself
        try:
            self._observer.schedule(self, real, recursive=True, event_filter=list(self.EVENTS))
            self._observer.start()
        except BaseException:
            self.stop()
            raise

    def dispatch(self, event: FileSystemEvent) -> None:
        try:
            self._notify()
        except Exception:
            log.exception("an event in %s was not handled", escape(self._folder))

    def is_alive(self) -> bool:
        """Whether all of watchdog's threads live: a dead emitter leaves its observer alive."""
        emitters = list(self._observer.emitters)
        parts = [self._observer, *emitters, getattr(self._observer, "_inotify_fd", None)]  # a thread since 7.0
        parts += [getattr(emitter, "_inotify", None) for emitter in emitters]  # … and until 6.0
        return bool(emitters) and all(part.is_alive() for part in parts if isinstance(part, threading.Thread))

    def stop(self) -> None:
        try:
            self._observer.stop()
            if self._observer.is_alive():
                self._observer.join(JOIN_SECONDS)
        except Exception:  # the watch is given up in any case
            log.debug("watchdog did not stop cleanly", exc_info=True)


class FolderWatch:
    """The watch on one folder, armed again whenever it has ended. All methods belong to one thread."""

    def __init__(self, folder: str, notify: Callable[[], None], clock: Callable[[], float]) -> None:
        """`notify` is called from another thread, at each event."""
        self._folder = folder
        self._notify = notify
        self._clock = clock
        self._events: FolderEvents | None = None
        self._identity: tuple[int, int] | None = None  # of the folder when the watch was armed or refused
        self._polled = ""  # why there is no watch, as it was logged
        self._retry_at = math.inf  # when to try to arm it again

    @property
    def is_armed(self) -> bool:
        return self._events is not None

    def has_ended(self) -> bool:
        """Whether an armed watch is dead or on a folder that is no longer there. Quick."""
        return self._events is not None and not (self._events.is_alive() and _identity(self._folder) == self._identity)

    def ensure_armed(self) -> None:
        """Before each scan: arm the watch if there is none or if it has ended."""
        identity = _identity(self._folder)
        if identity == self._identity and not self.has_ended() and (self.is_armed or self._clock() < self._retry_at):
            return
        if self.is_armed and None not in (self._identity, identity):
            folder = escape(self._folder)
            log.warning("the watch on %s had ended and is started again", folder, extra=about(Event.WATCH_LOST))
        self.disarm()
        self._identity = identity
        if identity is not None:
            self._arm()

    def disarm(self) -> None:
        if self._events is not None:
            self._events.stop()
        self._events = None

    def _arm(self) -> None:
        self._retry_at = self._clock() + RETRY_SECONDS
        if kind := without_events(self._folder):
            self._poll(f"the system does not report changes on {kind}", logging.INFO)
            return
        try:
            self._events = FolderEvents(self._folder, self._notify)
        except (OSError, RuntimeError) as error:  # RuntimeError: the system has no thread left
            limit = SYSCTL.get(error.errno or 0) if isinstance(error, OSError) else None
            self._poll(limit or f"the folder cannot be watched ({error})", logging.WARNING)
        else:
            self._polled = ""
            log.info("watching %s", escape(self._folder), extra=about(Event.WATCHING))

    def _poll(self, why: str, level: int) -> None:
        if why != self._polled:
            folder = escape(self._folder)
            log.log(level, "%s is scanned every few seconds: %s", folder, why, extra=about(Event.POLLING))
        self._polled = why


def _identity(folder: str) -> tuple[int, int] | None:
    """Device and inode of the folder, None if there is no folder."""
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return status.st_dev, status.st_ino
