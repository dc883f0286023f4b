"""Those who follow the daemon: the gallery, the board's last paintings, the counts, the user's own commands.

Nothing that goes wrong here touches a picture: it has been delivered, or set aside, before anybody is told.
"""

import logging
from collections.abc import Callable

from daemon.config.models import Config
from daemon.errors import JobError, ShuttingDown, WorkerDied
from daemon.gallery.gallery import Gallery
from daemon.jobs.record import JobResult
from daemon.processes.readers import Readers
from daemon.service.counters import Counters
from daemon.service.hooks import Hooks
from daemon.status import FinishedPainting, Status
from daemon.storage.layout import Folders

log = logging.getLogger("styled")


class Listeners:
    """`tell` is called at the end of each picture's way, from several threads."""

    def __init__(self, folders: Folders, readers: Readers, board: Status, settings: Callable[[], Config]) -> None:
        """`settings` gives the configuration of the moment."""
        self.gallery = Gallery(folders, readers)
        self.hooks = Hooks()
        self.tally = Counters(folders.work / "tally.json")
        self._board = board
        self._settings = settings

    def start(self) -> None:
        if self._settings().gallery:
            self.gallery.start()
        self.hooks.start()
        self._board.counts = self.tally.load()

    def close(self) -> None:
        self.hooks.close()
        self.gallery.close()

    def tell(self, finished: JobResult) -> None:
        for follower in (self._count, self._draw, self._run_hook):
            try:
                follower(finished)
            except ShuttingDown:
                return
            except (OSError, JobError, WorkerDied) as error:
                log.warning("after %s: %s", finished.place, error)
            except Exception:
                log.exception("after %s", finished.place)

    def _count(self, finished: JobResult) -> None:
        self._board.counts = self.tally.count(finished)

    def _draw(self, finished: JobResult) -> None:
        """For the gallery and for the console."""
        sketch = finished.thumbnails
        if sketch is None or finished.record is None:
            return
        self._board.show(FinishedPainting(finished.place, finished.style, finished.record.seconds, sketch.preview))
        if self._settings().gallery:
            self.gallery.add(finished.job, finished.path, finished.record, sketch)

    def _run_hook(self, finished: JobResult) -> None:
        self.hooks.put(finished, self._settings().hooks)
