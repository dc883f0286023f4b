"""outbox/index.html: every painting on a page that needs no server and no network, only its thumbnails.

The page is written whole, at most every two seconds. The paintings in outbox/ are the truth: a painting that is gone
leaves the page, and an unknown painting is read and added. For the files see files.py.
"""

import contextlib
import json
import logging
import os
import queue
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from daemon.errors import JobError, ShuttingDown, WorkerDied
from daemon.events import Event, about
from daemon.filenames import FILM, OUTPUT_EXTENSIONS
from daemon.gallery.board import Board, Failure, failures
from daemon.gallery.files import GalleryFiles
from daemon.gallery.page import Row, link_to, render
from daemon.gallery.style_pictures import StylePictures
from daemon.previews import Thumbnails
from daemon.processes.readers import Readers
from daemon.provenance import Provenance
from daemon.storage.files import Handle
from daemon.storage.layout import Folders
from daemon.text import escape

log = logging.getLogger("styled")

REST_SECONDS = 2.0  # least time between two versions of the page
BOARD_SECONDS = 5.0  # between two looks at what waits; …
ROWS_A_SECOND = 200  # … with many paintings, the page is written less often for that
LOOK_SECONDS = 30.0  # between two looks for paintings that are gone
PAINTINGS = frozenset(ending for endings in OUTPUT_EXTENSIONS.values() for ending in endings)


@dataclass(frozen=True, slots=True)
class Known:
    """A painting on the page. `length` and `mtime_ns` tell whether its file has changed since."""

    path: str  # below outbox/
    length: int  # bytes
    mtime_ns: int
    row: Row


class Gallery:
    """Keeps the page of one root up to date, in a thread. An error here never stops a painting."""

    def __init__(self, folders: Folders, readers: Readers, board: Callable[[], Board] = Board) -> None:
        """`board` returns what the daemon knows now; the thread calls it every few seconds."""
        self.files = GalleryFiles(folders)
        self._folders = folders
        self._readers = readers
        self._ask = board
        self._board = Board()
        self._failures: list[Failure] = []
        self._style_pictures = StylePictures(self.files, readers)
        self._known: dict[str, Known] = {}
        self._delivered: queue.SimpleQueue[Known | None] = queue.SimpleQueue()  # None: end
        self._changed = True  # since the page was written: its paintings, …
        self._board_changed = False  # … or the facts beside them
        self._written = 0.0  # monotonic clock
        self._looked = 0.0  # whether paintings are gone, and into failed/; monotonic clock
        self._failed = False  # the last write
        self._new_ids: set[str] = set()  # of thumbnails that this run wrote; the clock of a disk is too coarse to tell
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gallery", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def add(self, job: str, path: Path, record: Provenance, thumbnails: Thumbnails) -> None:
        """Add the painting that was delivered to `path`. Raises OSError if its thumbnails cannot be written."""
        self._delivered.put(self._with_thumbnails(job, path, record, thumbnails))

    def close(self, seconds: float = 1.0) -> None:
        """Write the page a last time; wait for that at most `seconds`."""
        self._closed.set()
        self._delivered.put(None)
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self._load()
            self._look_around()
            self._write()
            unknown = self._unknown()
            while not self._closed.is_set():
                path = next(unknown, None)
                if path is not None:
                    self._add_unknown(path)
                made = self._style_pictures.make_next(self._board.styles)
                self._changed |= made
                self._take_delivered(wait=path is None and not made)
                if time.monotonic() - self._written >= REST_SECONDS:
                    self._look_around()
                    self._write()
            self._take_delivered(wait=False)
            self._pin(replace(self._ask(), running=False, working=()))
            self._write(at_once=True)
        except ShuttingDown:
            return
        except Exception:
            log.exception("the gallery stops; painting goes on", extra=about(Event.GALLERY_FAILED))

    def _take_delivered(self, *, wait: bool) -> None:
        """Add all paintings that were delivered; if `wait`, wait for the first until there is something else to do."""
        patience = REST_SECONDS if self._changed else min(BOARD_SECONDS, LOOK_SECONDS)
        with contextlib.suppress(queue.Empty):
            known = self._delivered.get(wait, patience)
            while True:
                if known is not None:
                    self._remember(known)
                known = self._delivered.get_nowait()

    # beside the paintings

    def _look_around(self) -> None:
        """Look at what waits and, less often, at paintings that are gone and photos that failed."""
        board = self._ask()
        is_due = time.monotonic() - self._looked >= LOOK_SECONDS
        if is_due or board.failures != self._board.failures or not self._looked:
            self._looked = time.monotonic()
            self._forget_gone()
            found = self._look_at_failures()
            self._board_changed |= found != self._failures
            self._failures = found
        self._pin(board)

    def _look_at_failures(self) -> list[Failure]:
        with contextlib.suppress(OSError), self._folders.enter(self._folders.failed) as failed:
            return failures(failed)
        return []

    def _pin(self, board: Board) -> None:
        self._board_changed |= board != self._board
        self._board = board

    # the paintings on the page

    def _load(self) -> None:
        """Take over the paintings of an earlier run whose files have not changed, and rewrite the list."""
        for line in self.files.listed():
            with contextlib.suppress(ValueError, TypeError, KeyError, OverflowError, RecursionError):
                entry = json.loads(line)
                row = Row.load(entry["row"])
                known = Known(str(entry["path"]), int(entry["length"]), int(entry["mtime_ns"]), row)
                if row.link == link_to(known.path):
                    self._known[known.path] = known
        self._forget_gone()
        self.files.sweep({known.row.id for known in self._known.values()} | self._new_ids)
        self.files.rewrite_list(_line(known) for known in self._known.values())

    def _remember(self, known: Known) -> None:
        self._forget(known.path)
        self._known[known.path] = known
        self._changed = True
        self.files.list_one_more(_line(known))

    def _forget_gone(self) -> None:
        by_folder: dict[str, list[Known]] = {}
        for known in self._known.values():
            by_folder.setdefault(os.path.dirname(known.path), []).append(known)
        for folder, paintings in by_folder.items():
            there: set[str] = set()
            with contextlib.suppress(OSError, ValueError), self._folders.enter(self._folders.outbox / folder) as here:
                names = [(each, os.path.basename(each.path)) for each in paintings]
                there = {each.path for each, name in names if here.is_stamped(name, (each.length, each.mtime_ns))}
            for each in paintings:
                if each.path not in there:
                    self._forget(each.path)

    def _forget(self, path: str) -> None:
        known = self._known.pop(path, None)
        if known is not None:
            self._changed = True
            for thumbnail in _thumbnails(known.row.id):
                self.files.remove(thumbnail)

    def _unknown(self) -> Iterator[Path]:
        """Paintings in outbox/ that are not on the page: the list was lost, or a crash came before the entry."""
        with contextlib.suppress(OSError), self._folders.enter(self._folders.outbox) as outbox:
            for folder, name in outbox.walk(hidden=False):
                path = folder.path / name
                painting = path.suffix.lower() in PAINTINGS and not name.endswith(FILM)
                if painting and path.parent != self._folders.outbox and self._below(path) not in self._known:
                    yield path

    def _add_unknown(self, path: Path) -> None:
        """Let a reader read the record of this picture. A picture that styled did not paint stays off the page."""
        if self._below(path) in self._known:
            return  # the daemon delivered the painting meanwhile
        try:
            file = self._open(path)
            thumbnails = self._readers.sketch_file(file, None)
            record = Provenance.from_json(thumbnails.record)
            original = self._folders.done / Path(self._below(path)).parent / record.source
            with contextlib.suppress(OSError, ValueError, JobError, WorkerDied):
                thumbnails = self._readers.sketch_file(file, self._open(original))
            self._remember(self._with_thumbnails(secrets.token_hex(8), path, record, thumbnails))
        except (JobError, WorkerDied, OSError) as error:
            log.debug("%s is not shown in the gallery: %s", escape(str(path)), error)

    def _open(self, path: Path) -> Handle:
        with self._folders.enter(path.parent) as folder:
            return folder.file(path.name)

    def _with_thumbnails(self, name: str, path: Path, record: Provenance, thumbnails: Thumbnails) -> Known:
        """Write the thumbnails under the id `name`, and return what the page needs to know of the painting."""
        self._new_ids.add(name)
        card, before = _thumbnails(name)
        self.files.write(card, thumbnails.card)
        if thumbnails.before:
            self.files.write(before, thumbnails.before)
        below = self._below(path)
        with self._folders.enter(path.parent) as folder:
            status, has_film = folder.stat(path.name), folder.holds(path.stem + FILM)
        row = Row.of(name, below, status.st_mtime, record, thumbnails.size)
        row = replace(row, before=bool(thumbnails.before), film=has_film)
        return Known(below, status.st_size, status.st_mtime_ns, row)

    def _below(self, path: Path) -> str:
        return str(path.relative_to(self._folders.outbox))

    def _write(self, *, at_once: bool = False) -> None:
        """Write the page if anything on it has changed. The photos that wait change all the time: for them alone, a
        page of many paintings is written less often, unless `at_once`."""
        rest = 0.0 if at_once else max(BOARD_SECONDS, len(self._known) / ROWS_A_SECOND)
        board_is_due = self._board_changed and time.monotonic() - self._written >= rest
        if not (self._changed or board_is_due):
            return
        self._changed = self._board_changed = False
        self._written, now = time.monotonic(), time.time()
        rows = sorted((known.row for known in self._known.values()), key=lambda row: row.at, reverse=True)
        pictures = self._style_pictures.ids(self._board.styles)
        try:
            self.files.write_page(render(rows, now, self._board, self._failures, pictures), round(now))
            self._failed = False
        except OSError as error:  # a full disk: the next painting tries again
            if not self._failed:
                extra = about(Event.GALLERY_FAILED, path=self.files.page)
                log.warning("the gallery's page cannot be written: %s", error.strerror, extra=extra)
            self._failed = True


def _thumbnails(name: str) -> tuple[str, str]:
    """The files of the painting whose id is `name`."""
    return f"{name}.webp", f"{name}-before.webp"


def _line(known: Known) -> str:
    return json.dumps(asdict(known), separators=(",", ":"))
