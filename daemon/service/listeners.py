"""What is told of each finished photo: the counts, the gallery, the console's last paintings, the user's own commands.

A failure here harms no photo, because the photo was delivered or set aside before.
"""

import logging

from daemon.config.live import LiveConfig
from daemon.errors import JobError, ShuttingDown, WorkerDied
from daemon.events import Event, about
from daemon.gallery.board import Board
from daemon.gallery.gallery import Gallery
from daemon.jobs.record import JobResult
from daemon.processes.readers import Readers
from daemon.service.counters import Counters
from daemon.service.films import forget_unfinished, put_beside
from daemon.service.hooks import Hooks
from daemon.status import FinishedPainting, Status
from daemon.storage.layout import Folders
from daemon.text import escape

log = logging.getLogger("styled")


class Listeners:
    """`notify` is called after each photo, from several threads."""

    def __init__(self, folders: Folders, readers: Readers, status: Status, live: LiveConfig) -> None:
        self._gallery = Gallery(folders, readers, self._board)
        self._folders = folders
        self._hooks = Hooks()
        self._counters = Counters(folders.work / "tally.json")
        self._status = status
        self._live = live
        self._page = live.current.gallery  # until the next start

    def start(self) -> None:
        if self._page.page:
            self._gallery.start()
        self._hooks.start()
        forget_unfinished(self._folders)
        self._status.set_counts(self._counters.load())

    def close(self) -> None:
        self._hooks.close()
        self._gallery.close()

    def notify(self, result: JobResult) -> None:
        """Tell every listener of a photo that was delivered or failed. Raises nothing."""
        for listener in (self._count, self._put_film, self._show, self._run_hook):
            try:
                listener(result)
            except ShuttingDown:
                return
            except (OSError, JobError, WorkerDied) as error:
                log.warning("after %s: %s", escape(result.place), error, extra=about(Event.LISTENER_FAILED))
            except Exception:
                log.exception("after %s", escape(result.place), extra=about(Event.LISTENER_FAILED))

    def _count(self, result: JobResult) -> None:
        self._status.set_counts(self._counters.count(result))

    def _put_film(self, result: JobResult) -> None:
        """Put the film beside the painting, before the gallery looks for the film."""
        if result.film and not put_beside(self._folders, result.job, result.path, result.film):
            log.warning("%s has no film: its name is taken", escape(result.place), extra=about(Event.LISTENER_FAILED))

    def _show(self, result: JobResult) -> None:
        """Show the painting in the console and the gallery."""
        thumbnails = result.thumbnails
        if thumbnails is None or result.record is None:
            return
        self._status.show(FinishedPainting(result.place, result.style, result.record.seconds, thumbnails.preview))
        if self._page.page:
            self._gallery.add(result.job, result.path, result.record, thumbnails)

    def _board(self) -> Board:
        """The facts that the gallery shows beside the paintings."""
        config, status = self._live.current, self._status
        return Board(
            title=self._page.title,
            styles={name: tuple(each.file for each in style.all_pictures) for name, style in config.styles.items()},
            working=tuple(escape(task.name) for task in status.tasks()),
            waiting=sum(status.waiting.values()),
            upcoming=tuple(status.upcoming),
            growing=tuple((each["file"], each["why"]) for each in status.growing),
            trouble=escape(status.trouble),
            failures=status.failed,
        )

    def _run_hook(self, result: JobResult) -> None:
        self._hooks.put(result, self._live.current.hooks)
