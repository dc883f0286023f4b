"""outbox/index.html: every painting on one page that needs no server and no network, only its thumbnails.

    outbox/index.html                    written whole, at most every two seconds
    outbox/.gallery/paintings.jsonl      one line for each painting on the page
    outbox/.gallery/<id>.webp            the thumbnail of a painting; <id>-before.webp: of its photo

The paintings in outbox/ are the truth: a painting that is gone leaves the page, and an unknown painting is read and
added.
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
from daemon.events import Event, about
from daemon.filenames import OUTPUT_EXTENSIONS
from daemon.gallery.page import Row, render
from daemon.previews import Thumbnails
from daemon.processes.readers import Readers
from daemon.provenance import Provenance
from daemon.storage.files import Handle, write_atomically
from daemon.storage.layout import Folders
from daemon.text import escape

log = logging.getLogger("styled")

REST_SECONDS = 2.0  # between two versions of the page at least
LOOK_SECONDS = 30.0  # between two looks whether paintings are gone
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

    def __init__(self, folders: Folders, readers: Readers) -> None:
        self.folder = folders.outbox / ".gallery"
        self.page = folders.outbox / "index.html"
        self._folders = folders
        self._readers = readers
        self._known: dict[str, Known] = {}
        self._delivered: queue.SimpleQueue[Known | None] = queue.SimpleQueue()  # None: end
        self._changed = True  # since the page was written
        self._written = 0.0  # monotonic clock
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
            self._write()
            unknown = self._unknown()
            while not self._closed.is_set():
                path = next(unknown, None)
                if path is not None:
                    self._add_unknown(path)
                self._take_delivered(wait=path is None)
                if time.monotonic() - self._written >= REST_SECONDS:
                    self._forget_gone()
                    self._write()
            self._take_delivered(wait=False)
            self._write()
        except ShuttingDown:
            return
        except Exception:
            log.exception("the gallery stops; painting goes on", extra=about(Event.GALLERY_FAILED))

    def _take_delivered(self, *, wait: bool) -> None:
        """Add all paintings that were delivered; if `wait`, wait for the first until there is something else to do."""
        patience = REST_SECONDS if self._changed else LOOK_SECONDS
        with contextlib.suppress(queue.Empty):
            known = self._delivered.get(wait, patience)
            while True:
                if known is not None:
                    self._remember(known)
                known = self._delivered.get_nowait()

    # the paintings on the page

    def _load(self) -> None:
        """Take over the paintings of an earlier run whose files have not changed, and rewrite the list."""
        self.folder.mkdir(exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            for line in (self.folder / "paintings.jsonl").read_text().splitlines():
                with contextlib.suppress(ValueError, TypeError, KeyError):
                    entry = json.loads(line)
                    known = Known(str(entry["path"]), entry["length"], entry["mtime_ns"], Row.load(entry["row"]))
                    self._known[known.path] = known
        self._forget_gone()
        used = {known.row.id for known in self._known.values()}
        for thumbnail in self.folder.glob("*.webp"):
            owner = thumbnail.name.removesuffix(".webp").removesuffix("-before")
            if owner not in used and owner not in self._new_ids:
                thumbnail.unlink(missing_ok=True)
        lines = "".join(_line(known) for known in self._known.values())
        write_atomically(self.folder / "paintings.jsonl", lines, durable=False)

    def _remember(self, known: Known) -> None:
        self._forget(known.path)
        self._known[known.path] = known
        self._changed = True
        with (self.folder / "paintings.jsonl").open("a") as file:
            file.write(_line(known))

    def _forget_gone(self) -> None:
        for path, known in list(self._known.items()):
            try:
                status = (self._folders.outbox / path).stat()
                is_same = (status.st_size, status.st_mtime_ns) == (known.length, known.mtime_ns)
            except OSError:
                is_same = False
            if not is_same:
                self._forget(path)

    def _forget(self, path: str) -> None:
        known = self._known.pop(path, None)
        if known is not None:
            self._changed = True
            for thumbnail in self._thumbnails(known.row.id):
                thumbnail.unlink(missing_ok=True)

    def _unknown(self) -> Iterator[Path]:
        """Paintings in outbox/ that are not on the page: its list was lost, or a crash came between."""
        for folder, folders, names in os.walk(self._folders.outbox):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                path = Path(folder, name)
                painting = not name.startswith(".") and path.suffix.lower() in PAINTINGS
                if painting and path.parent != self._folders.outbox and self._below(path) not in self._known:
                    yield path

    def _add_unknown(self, path: Path) -> None:
        """Let a reader read the record of this picture. A picture that styled did not paint stays off the page."""
        if self._below(path) in self._known:
            return  # it was delivered meanwhile
        try:
            file = Handle.open(path, os.O_RDONLY | os.O_NONBLOCK)
            thumbnails = self._readers.sketch_file(file, None)
            record = Provenance.from_json(thumbnails.record)
            original = self._folders.done / Path(self._below(path)).parent / record.source
            with contextlib.suppress(OSError, ValueError, JobError, WorkerDied):
                photo = Handle.open(original, os.O_RDONLY | os.O_NONBLOCK)
                thumbnails = self._readers.sketch_file(file, photo)
            self._remember(self._with_thumbnails(secrets.token_hex(8), path, record, thumbnails))
        except (JobError, WorkerDied, OSError) as error:
            log.debug("%s is not shown in the gallery: %s", escape(str(path)), error)

    def _with_thumbnails(self, name: str, path: Path, record: Provenance, thumbnails: Thumbnails) -> Known:
        """Write the thumbnails under the id `name`, and return what the page needs to know of the painting."""
        self.folder.mkdir(exist_ok=True)
        self._new_ids.add(name)
        card, before = self._thumbnails(name)
        card.write_bytes(thumbnails.card)
        if thumbnails.before:
            before.write_bytes(thumbnails.before)
        below, status = self._below(path), path.stat()
        row = Row.of(name, below, status.st_mtime, record, thumbnails.size)
        return Known(below, status.st_size, status.st_mtime_ns, replace(row, before=bool(thumbnails.before)))

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
            write_atomically(self.page, render(rows, time.time()), durable=False)
            self._failed = False
        except OSError as error:  # a full disk: the next painting tries again
            if not self._failed:
                extra = about(Event.GALLERY_FAILED, path=self.page)
                log.warning("the gallery's page cannot be written: %s", error.strerror, extra=extra)
            self._failed = True


def _line(known: Known) -> str:
    return json.dumps(asdict(known), separators=(",", ":")) + "\n"
