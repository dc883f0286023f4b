"""outbox/index.html: every painting on one page that needs no server, no network and no other file but thumbnails.

    outbox/index.html                    written anew, whole, at most every two seconds
    outbox/.gallery/paintings.jsonl      one line for each painting that the page has seen
    outbox/.gallery/<id>.webp            its card; <id>-before.webp: the photo at the painting's size

The paintings in outbox/ are the truth: what is gone leaves the page, and what the page does not know is read anew.
"""

import contextlib
import json
import logging
import os
import queue
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from daemon.errors import JobError, ShuttingDown, WorkerDied
from daemon.filenames import OUTPUT_EXTENSIONS
from daemon.gallery.page import Row, render
from daemon.previews import Thumbnails
from daemon.processes.readers import Readers
from daemon.provenance import Provenance
from daemon.storage.files import Handle
from daemon.storage.layout import Folders
from daemon.text import escape

log = logging.getLogger("styled")

REST_SECONDS = 2.0  # between two pages at least
LOOK_SECONDS = 30.0  # how often to look whether paintings were taken away
PAINTINGS = frozenset(each for extensions in OUTPUT_EXTENSIONS.values() for each in extensions)


@dataclass(frozen=True, slots=True)
class Known:
    """One painting. `path`: below outbox/; by `length` and `mtime_ns` a changed file is told from the one seen."""

    path: str
    length: int  # bytes
    mtime_ns: int
    row: Row


class Gallery:
    """The page of one root, kept by a thread of its own. Whatever goes wrong here stops nothing."""

    def __init__(self, folders: Folders, readers: Readers) -> None:
        self.folder = folders.outbox / ".gallery"
        self.page = folders.outbox / "index.html"
        self._folders = folders
        self._readers = readers
        self._known: dict[str, Known] = {}
        self._news: queue.SimpleQueue[Known | None] = queue.SimpleQueue()  # None: end
        self._changed = True  # since the page was written
        self._written = 0.0  # by the monotonic clock
        self._troubled = False
        self._mine: set[str] = set()  # ids whose thumbnails this run wrote: a clock would be too coarse to tell
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gallery", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def add(self, job: str, path: Path, record: Provenance, sketch: Thumbnails) -> None:
        """A painting was delivered to `path`. OSError: its thumbnails cannot be written."""
        self._news.put(self._kept(path, row_of(job, path, self._folders, record, sketch), sketch))

    def close(self, seconds: float = 1.0) -> None:
        """Write the page a last time, if that takes no longer than `seconds`."""
        self._closed.set()
        self._news.put(None)
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self._load()
            self._write()
            unknown = self._unknown()
            while not self._closed.is_set():
                path = next(unknown, None)
                if path is not None:
                    self._look_into(path)
                self._take_news(wait=path is None)
                if time.monotonic() - self._written >= REST_SECONDS:
                    self._forget_gone()
                    self._write()
            self._take_news(wait=False)
            self._write()
        except ShuttingDown:
            return
        except Exception:
            log.exception("the gallery is no longer kept; painting goes on")

    def _take_news(self, *, wait: bool) -> None:
        """All that has come, after waiting for it until there may be something else to do."""
        patience = REST_SECONDS if self._changed else LOOK_SECONDS
        with contextlib.suppress(queue.Empty):
            news = self._news.get(wait, patience)
            while True:
                if news is not None:
                    self._learn(news)
                news = self._news.get_nowait()

    # what is known

    def _load(self) -> None:
        """Take over what an earlier run knew and is still so, and write that down anew."""
        self.folder.mkdir(exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            for line in (self.folder / "paintings.jsonl").read_text().splitlines():
                with contextlib.suppress(ValueError, TypeError, KeyError):
                    said = json.loads(line)
                    known = Known(str(said["path"]), said["length"], said["mtime_ns"], Row.load(said["row"]))
                    self._known[known.path] = known
        self._forget_gone()
        used = {known.row.id for known in self._known.values()}
        for thumbnail in self.folder.glob("*.webp"):
            mine = thumbnail.name.removesuffix(".webp").removesuffix("-before")
            if mine not in used and mine not in self._mine:
                thumbnail.unlink(missing_ok=True)
        lines = "".join(_line(known) for known in self._known.values())
        _replace(self.folder / "paintings.jsonl", lines)

    def _learn(self, known: Known) -> None:
        if known.path in self._known:
            self._forget(known.path)
        self._known[known.path] = known
        self._changed = True
        with (self.folder / "paintings.jsonl").open("a") as file:
            file.write(_line(known))

    def _forget_gone(self) -> None:
        for path, known in list(self._known.items()):
            try:
                status = (self._folders.outbox / path).stat()
                is_so = (status.st_size, status.st_mtime_ns) == (known.length, known.mtime_ns)
            except OSError:
                is_so = False
            if not is_so:
                self._forget(path)

    def _forget(self, path: str) -> None:
        known = self._known.pop(path, None)
        if known is not None:
            self._changed = True
            for thumbnail in self._thumbnails(known.row.id):
                thumbnail.unlink(missing_ok=True)

    def _unknown(self) -> Iterator[Path]:
        """Paintings in outbox/ that the page has not seen: it was taken away, or a crash came in between."""
        for folder, folders, names in os.walk(self._folders.outbox):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                path = Path(folder, name)
                painting = not name.startswith(".") and path.suffix.lower() in PAINTINGS
                if painting and path.parent != self._folders.outbox and self._below(path) not in self._known:
                    yield path

    def _look_into(self, path: Path) -> None:
        """Ask a reader what it is. Pictures that styled did not paint stay off the page."""
        if self._below(path) in self._known:
            return  # delivered meanwhile
        try:
            file = Handle.open(path, os.O_RDONLY | os.O_NONBLOCK)
            sketch = self._readers.sketch_file(file, None)
            record = Provenance.from_json(sketch.record)
            original = self._folders.done / Path(self._below(path)).parent / record.source
            with contextlib.suppress(OSError, ValueError, JobError, WorkerDied):
                photo = Handle.open(original, os.O_RDONLY | os.O_NONBLOCK)
                sketch = self._readers.sketch_file(file, photo)
            name = secrets.token_hex(8)
            self._learn(self._kept(path, row_of(name, path, self._folders, record, sketch), sketch))
        except (JobError, WorkerDied, OSError) as error:
            log.debug("%s is not shown in the gallery: %s", escape(str(path)), error)

    def _kept(self, path: Path, row: Row, sketch: Thumbnails) -> Known:
        """Its thumbnails, written."""
        self.folder.mkdir(exist_ok=True)
        self._mine.add(row.id)
        card, before = self._thumbnails(row.id)
        card.write_bytes(sketch.card)
        if sketch.before:
            before.write_bytes(sketch.before)
        status = path.stat()
        return Known(self._below(path), status.st_size, status.st_mtime_ns, replace(row, before=bool(sketch.before)))

    def _thumbnails(self, name: str) -> tuple[Path, Path]:
        return self.folder / f"{name}.webp", self.folder / f"{name}-before.webp"

    def _below(self, path: Path) -> str:
        return str(path.relative_to(self._folders.outbox))

    def _write(self) -> None:
        if not self._changed:
            return
        self._changed, self._written = False, time.monotonic()
        rows = sorted((known.row for known in self._known.values()), key=lambda row: row.at, reverse=True)
        try:
            _replace(self.page, render(rows, time.time()))
            self._troubled = False
        except OSError as error:  # a full disk: the next painting tries again
            if not self._troubled:
                log.warning("%s cannot be written: %s", escape(str(self.page)), error.strerror)
            self._troubled = True


def row_of(name: str, path: Path, folders: Folders, record: Provenance, sketch: Thumbnails) -> Row:
    """What the page says of a painting."""
    return Row.of(name, str(path.relative_to(folders.outbox)), path.stat().st_mtime, record, sketch.size)


def _line(known: Known) -> str:
    return json.dumps(asdict(known), separators=(",", ":")) + "\n"


def _replace(path: Path, text: str) -> None:
    """Whole or not at all; a page can be made anew, so it is not fsynced."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text)
    temporary.replace(path)
