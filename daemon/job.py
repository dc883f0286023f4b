"""One picture's journey, from the inbox to the outbox."""

import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from daemon.board import Board
from daemon.canvas import Canvas, Handle
from daemon.claims import Claim, Claims
from daemon.config import Config, Settings, StylePicture, load_sidecar
from daemon.errors import Died, Hindered, JobError, Unsettled
from daemon.formats import OutputFormat, extension_of, output_format
from daemon.listing import Arrival, Signature
from daemon.names import MASK, SIDECAR, shown
from daemon.painters import Painter, Painters
from daemon.readers import Photo, Readers
from daemon.transfer.recipe import Step

log = logging.getLogger("styled")
T = TypeVar("T")

TRIES = 3  # a picture that ends its painter or reader this often is set aside
AUTO_SIZE_CPU, AUTO_SIZE_GPU = 512, 1024  # `size: auto`: the long side in pixels; never enlarged to it


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed picture with the settings it began with."""

    claim: Claim
    signature: Signature
    file: Handle
    settings: Settings
    config: Config


class Journey:
    """What a picture needs on its way. `run` is the whole way; it may be called from several threads."""

    def __init__(self, claims: Claims, readers: Readers, painters: Painters, board: Board) -> None:
        self.claims = claims
        self.readers = readers
        self.painters = painters
        self.board = board
        self.styles = StylePictures(readers)

    def run(self, arrival: Arrival, config: Config) -> None:
        """Claim, read, paint, deliver; the original is archived with the delivery. JobError ends here; whatever
        else ends the way puts the picture back into the inbox."""
        claim = self.claims.take(arrival)
        if claim is None:
            return
        self.board.begin(claim.id, str(claim), claim.style)
        started = time.monotonic()
        try:
            job = self.open(claim, arrival.signature, config)
            photo = self.read(job)
            painting = self.paint(job, photo)
            path = self.deliver(job, photo, painting)
        except JobError as error:
            path = self.claims.fail(claim, error)
            self.board.count(failed=1, failure=f"{claim}: {error}")
            log.error("failed %s: %s", claim, error, extra={"path": shown(str(path)), "style": claim.style})
        except Unsettled:
            self.claims.put_back(claim)
            log.info("%s is still being written; it waits", claim)
        except BaseException:
            self.claims.abandon(claim)
            raise
        else:
            self.board.count(delivered=1)
            seconds = time.monotonic() - started
            log.info("painted %s", claim, extra={"path": shown(str(path)), "style": claim.style, "seconds": seconds})
        finally:
            self.board.end(claim.id)

    def open(self, claim: Claim, signature: Signature, config: Config) -> Job:
        """Unsettled: its writer was not done. JobError: its sidecar does not validate."""
        file = self.claims.open(claim, signature)
        sidecar = self.claims.companion(claim, SIDECAR)
        own = load_sidecar(_text(sidecar), claim.name + SIDECAR) if sidecar else None
        return Job(claim, signature, file, config.settings(claim.style, own), config)

    def read(self, job: Job) -> Photo:
        """The photograph, decoded at the size it will be painted in."""
        self.board.stage(job.claim.id, "reading")
        if os.fstat(job.file.fd).st_size == 0:
            raise JobError("The file is empty.", "Copy the picture again; its transfer may have been broken off.")
        size = job.settings.size
        if size == "auto":
            size = AUTO_SIZE_CPU if self.painters.equipment().device == "cpu" else AUTO_SIZE_GPU
        wanted = None if size == "original" else size
        enlarge = job.settings.size != "auto"
        limit = job.config.max_megapixels
        location = job.config.output.location
        return _persist(
            lambda: self.readers.read(job.file, max_megapixels=limit, size=wanted, enlarge=enlarge, location=location),
            "It could not be decoded: the reader process broke down on it",
        )

    def paint(self, job: Job, photo: Photo) -> Canvas:
        """The painting, of the photo's shape, by whichever painter is free first."""
        self.board.stage(job.claim.id, "waiting for a painter")
        long_side = max(photo.size) * job.settings.recipe.style_scale
        pictures = job.config.styles[job.claim.style].all_pictures
        style = self.styles.load(pictures, max(round(long_side), 1), job.config.max_megapixels)

        def once() -> Canvas:
            with self.painters.take() as painter:
                self.board.stage(job.claim.id, "painting")
                return self._paint_with(painter, job, photo, style)

        painting = _persist(once, "It could not be painted: the painter process broke down on it")
        mask = self.claims.companion(job.claim, MASK)
        if mask is None:
            return painting
        limit = job.config.max_megapixels
        return _persist(
            lambda: self.readers.masked(painting, photo.pixels, mask, limit),
            "Its mask could not be decoded: the reader process broke down on it",
        )

    def _paint_with(self, painter: Painter, job: Job, photo: Photo, style: list[tuple[Canvas, float]]) -> Canvas:
        def on_step(step: Step) -> None:
            self.board.step(job.claim.id, step)

        return painter.paint(photo.pixels, style, job.settings.recipe, job.config.thread_count, on_step)

    def deliver(self, job: Job, photo: Photo, painting: Canvas) -> Path:
        """Written, fsynced, reopened, decoded; the photo looked at once more; and only then given its name."""
        self.board.stage(job.claim.id, "delivering")
        output = job.config.output
        kind = output_format(photo.format, output.format, photo.size)
        easel = self.claims.easel(job.claim)
        _persist(
            lambda: self._write(easel, photo, painting, kind, output.quality),
            "Its painting could not be encoded: the reader process broke down on it",
        )
        self.claims.check_unchanged(job.claim, job.signature)
        delete = job.config.originals == "delete"
        return self.claims.deliver(job.claim, extension_of(kind, job.claim.name), delete_original=delete)

    def _write(self, easel: Path, photo: Photo, painting: Canvas, kind: OutputFormat, quality: int) -> None:
        file = Handle.open(easel, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        self.readers.write(file, painting, photo.alpha, format=kind, quality=quality, metadata=photo.metadata)
        self.readers.verify(Handle.open(easel, os.O_RDONLY), photo.size)


class StylePictures:
    """Decoded style pictures by what is on disk now, so that a changed file is a new picture. Thread-safe."""

    KEPT = 16

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._kept: OrderedDict[tuple[object, ...], Canvas] = OrderedDict()
        self._lock = threading.Lock()

    def load(
        self, pictures: Sequence[StylePicture], long_side: int, max_megapixels: float
    ) -> list[tuple[Canvas, float]]:
        """Each picture scaled to `long_side` pixels, with its weight. Hindered: one of them cannot be read."""
        return [(self._load(p.file, long_side, max_megapixels), p.weight) for p in pictures]

    def _load(self, path: Path, long_side: int, max_megapixels: float) -> Canvas:
        try:
            file = Handle(os.open(path, os.O_RDONLY | os.O_CLOEXEC))  # the user's own file: it may be a link
            status = os.fstat(file.fd)
            key = (path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, long_side)
            with self._lock:
                if key in self._kept:
                    self._kept.move_to_end(key)
                    return self._kept[key]
            canvas = self._readers.read(file, max_megapixels=max_megapixels, size=long_side).pixels
        except (OSError, JobError, Died) as error:
            raise Hindered(f"the style picture {path} cannot be read: {error}") from None
        with self._lock:
            self._kept[key] = canvas
            while len(self._kept) > self.KEPT:
                self._kept.popitem(last=False)
        return canvas


def _persist(attempt: Callable[[], T], reason: str) -> T:
    """Try again with a fresh process when one dies; a picture on which it always does is to blame."""
    for number in range(1, TRIES + 1):
        try:
            return attempt()
        except Died as death:
            log.warning("%s (try %d of %d)", death, number, TRIES)
            last = death
    raise JobError(f"{reason} {TRIES} times: {last}.", "Save it anew in another program, or paint it smaller.")


def _text(file: Handle) -> bytes:
    with file.file() as stream:
        return stream.read(1 << 20)
