"""The daemon's side of the readers: processes that decode photos and store paintings.

A decoder that crashes or hangs ends its own process and nothing else.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.previews import Preview, Thumbnails
from daemon.processes.answers import know
from daemon.processes.child import Child
from daemon.processes.messages import Factory
from daemon.processes.pool import Pool
from daemon.processes.shared_array import SharedArray
from daemon.storage.files import Handle
from daemon.transfer.steps import Frame

READER = "daemon.processes.reader_process:ReaderProcess"
PAINTERS_PER_READER = 8
PATIENCE = 300.0  # seconds for one call; the largest photo that is allowed takes a tenth of that


def too_large(readers: "Readers", file: Handle, long_side: int | None, max_megapixels: float) -> str:
    """Why a picture may not be scaled to `long_side` pixels: it would have more than `max_megapixels`, which bound the
    memory of a reader and a painter. "" if it may. Only the header is read. Raises what `Readers.probe` raises."""
    if long_side is None or long_side**2 <= max_megapixels * 1e6:  # for every shape
        return ""
    _, width, height = readers.probe(file)
    megapixels = width * height * (long_side / max(width, height)) ** 2 / 1e6
    if megapixels <= max_megapixels:
        return ""
    return (
        f"would have {megapixels:.0f} megapixels with a long side of {long_side} px, and {max_megapixels:g} are allowed"
    )


@dataclass(frozen=True, slots=True)
class Photo:
    """A decoded picture: `pixels` (H, W, 3) and `alpha` (H, W) in [0, 1], upright."""

    pixels: SharedArray
    alpha: SharedArray | None
    format: str  # "JPEG", "PNG" … as the file itself says
    metadata: bytes  # EXIF that the painting keeps

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.pixels.shape[1], self.pixels.shape[0]


know(Photo, SharedArray, Thumbnails, Preview)


class Readers:
    """A small pool of reader processes. Every method runs the method of the same name of ReaderProcess.

    Each may raise JobError if the picture is at fault, OSError if the disk is at fault, WorkerDied and ShuttingDown.
    """

    def __init__(self, count: int, resident: Factory | None = None) -> None:
        """`resident`: makes the object in each process, see ReaderProcess."""
        self._resident = resident or READER
        self.pool = Pool([self._reader() for _ in range(count)])

    def tend(self, painters: int) -> None:
        """Start enough readers for so many painters, at most as many as the processor has cores."""
        wanted = min(2 + painters // PAINTERS_PER_READER, max(os.cpu_count() or 2, 2))
        while len(self.pool.children) < wanted:
            self.pool.add(self._reader())

    def probe(self, file: Handle) -> tuple[str, int, int]:
        """(format, width, height) from the header alone."""
        header: tuple[str, int, int] = self._call("probe", file)
        return header

    def read(self, file: Handle, **limits: Any) -> Photo:
        """The decoded picture; for `limits` see pictures.reading.read."""
        photo: Photo = self._call("read", file, limits)
        return photo

    def masked(
        self, painting: SharedArray, photo: SharedArray, mask: Handle, max_megapixels: float, name: str = ""
    ) -> SharedArray:
        """The painting where the mask is white, the photo where the mask is black, all of them (H, W, 3). `name`: of
        the mask, for notes."""
        blend: SharedArray = self._call("masked", painting, photo, mask, max_megapixels, name)
        return blend

    def store(self, painting: SharedArray, photo: Photo, file: Handle, path: Path, **settings: Any) -> Thumbnails:
        """Encode the painting into `file`, fsync, open `path` (the name of `file`) and decode what the disk holds.

        Returns thumbnails of the painting and the photo; for `settings` see pictures.writing.write. Raises OSError
        also if `path` does not read back as a picture of the painting's size.
        """
        thumbnails: Thumbnails = self._call("store", painting, photo, file, path, settings)
        return thumbnails

    def film(self, frames: Sequence[Frame], painting: SharedArray) -> bytes:
        """An animated WebP of the frames, which ends with the painting (H, W, 3)."""
        film: bytes = self._call("film", tuple(frames), painting)
        return film

    def sketch_file(self, painting: Handle, photo: Handle | None) -> Thumbnails:
        """Thumbnails of a painting's file, with the record in that file, and of its photo if there is one."""
        thumbnails: Thumbnails = self._call("sketch_file", painting, photo)
        return thumbnails

    def _reader(self) -> Child:
        return Child("reader", self._resident)

    def _call(self, method: str, *arguments: object) -> Any:
        with self.pool.take() as reader:
            return reader.call(method, *arguments, patience=PATIENCE)
