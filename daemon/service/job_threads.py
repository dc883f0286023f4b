"""The threads that carry photos from the inbox to the outbox: take the next, run the pipeline, until the stop."""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Iterator

from daemon.config.live import LiveConfig
from daemon.config.models import Config
from daemon.config.settings import auto_size
from daemon.errors import ConfigError, PhotoLocked, RetryLater, ServicePaused, ShuttingDown
from daemon.events import Event, about
from daemon.filenames import EVERY_STYLE
from daemon.inbox.inbox import Inbox
from daemon.inbox.photo import InboxPhoto
from daemon.jobs.failures import broken_down
from daemon.jobs.pipeline import Pipeline
from daemon.service.obstacles import ALL, Obstacles
from daemon.storage.files import FULL
from daemon.storage.layout import Folders
from daemon.text import escape

log = logging.getLogger("styled")

LOCKED_SECONDS = 30.0  # between two tries to take a photo that styled may not move
SPARE = 1 << 20  # bytes: records, the journal, thumbnails, the status
BYTES_PER_PIXEL = 3  # bytes of a painting per pixel, the size of a PNG of noise


class JobThreads:
    """A few threads on one inbox, each with one photo in hand. An unexpected error is kept in `crash` and ends all
    threads."""

    def __init__(self, folders: Folders, pipeline: Pipeline, live: LiveConfig, stopping: threading.Event) -> None:
        self.crash: BaseException | None = None
        self.obstacles = Obstacles()
        self._folders = folders
        self._pipeline = pipeline
        self._live = live
        self._stopping = stopping
        self._threads: list[threading.Thread] = []
        self._counting = threading.Lock()  # guards the next two
        self._wanted = self._count = 0  # threads, including threads that found the inbox drained

    def adjust(self, inbox: Inbox, painters: int) -> None:
        """Run as many threads as `painters` need: a photo for each painter, while as many other photos (at least two)
        are read or written."""
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
        """Whether painters have left, so that the calling thread must end."""
        with self._counting:
            surplus = self._count > self._wanted
            self._count -= surplus
        return surplus

    @property
    def at_work(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def join(self, seconds: float) -> None:
        """Wait until all threads have put their photos back, `seconds` at most."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))

    @contextlib.contextmanager
    def crash_ends_all(self) -> Iterator[None]:
        """An unexpected error in a thread ends the daemon, which its supervisor starts again."""
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
                self.obstacles.wait(self._stopping)
                photo = inbox.take(self._stopping)
                if photo is None:
                    return
                pause, locked = 0.0, ""
                try:
                    pause = self._paint(photo, self._live.current)
                except PhotoLocked as lock:
                    pause, locked = LOCKED_SECONDS, str(lock)
                finally:
                    inbox.release(photo, pause, locked)

    def _paint(self, photo: InboxPhoto, config: Config) -> float:
        """Run the pipeline. Returns the seconds after which the photo may be tried again if it went back. Raises
        PhotoLocked, which says nothing about the other photos of the folder."""
        folder = escape(os.path.dirname(photo.path))
        try:
            if photo.style in config.inbox_folders:  # the cause may be a reload that has just removed the style
                self._check_room(photo, config)
                self._pipeline.run(photo, config)
        except (PhotoLocked, ShuttingDown, ConfigError):
            raise
        except (RetryLater, OSError) as error:
            if why := self._stops_every_photo(error):
                return self.obstacles.failed(ALL, why)
            return self.obstacles.failed(folder, _in_words(error))
        except Exception as bug:  # the error concerns this job alone: other jobs go on
            log.exception("%s", escape(photo.path), extra=about(Event.JOB_BROKE))
            return self.obstacles.failed(folder, broken_down(bug))
        self.obstacles.succeeded(folder)
        return 0.0

    def _stops_every_photo(self, error: Exception) -> str:
        """Why no other photo can be painted now, either; "" if the error concerns one folder or style."""
        if isinstance(error, ServicePaused):
            return _in_words(error)
        if isinstance(error, OSError) and error.errno in FULL:
            return f"the disk of {escape(str(self._folders.root))} is full ({error.strerror})"
        return self._folders.trouble() if isinstance(error, OSError) else ""

    def _check_room(self, photo: InboxPhoto, config: Config) -> None:
        """Raises ServicePaused if the disk is full, and RetryLater if the painting could not be delivered; called
        before the photo is claimed."""
        for top in (self._folders.outbox, self._folders.done):
            if why := self._folders.obstacle(top / photo.style / photo.folder):
                raise RetryLater(why)
        free = self._folders.room()
        if free is None:
            return
        styles = [*config.styles] if photo.style == EVERY_STYLE else [photo.style]
        size = max(config.settings(style).long_side("cuda") or auto_size("cuda") for style in styles)
        needed = SPARE + size**2 * BYTES_PER_PIXEL
        if free[0] < needed or not free[1]:
            left = f"{free[0] / 1e6:.1f} MB" if free[1] else "no file"
            root = escape(str(self._folders.root))
            raise ServicePaused(
                f"the disk of {root} is full: {left} left, and a painting may need {needed / 1e6:.1f} MB"
            )


def _in_words(error: Exception) -> str:
    if isinstance(error, OSError):
        name = f"{escape(str(error.filename))}: " if error.filename else ""
        return f"{name}{error.strerror or error}"
    return str(error)
