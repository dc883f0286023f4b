"""Reader processes: they decode and scale photographs, and encode and verify paintings, from open files alone.

A decoder that crashes or hangs takes its own process with it, and nothing else.
"""

import os
from dataclasses import dataclass
from typing import Any

from daemon.previews import Thumbnails
from daemon.processes.child import Child
from daemon.processes.messages import Factory
from daemon.processes.pool import Pool
from daemon.processes.shared_array import SharedArray
from daemon.storage.files import Handle

READER = "daemon.processes.reader_process:ReaderProcess"
PAINTERS_PER_READER = 8
PATIENCE = 300.0  # seconds for one picture; the largest that is allowed takes a tenth of that


@dataclass(frozen=True, slots=True)
class Photo:
    """A decoded picture: `pixels` (H, W, 3) and `alpha` (H, W) in [0, 1]; sizes are (width, height), upright."""

    pixels: SharedArray
    alpha: SharedArray | None
    format: str
    metadata: bytes
    original_size: tuple[int, int]

    @property
    def size(self) -> tuple[int, int]:
        return self.pixels.shape[1], self.pixels.shape[0]


class Readers:
    """A small pool of reader processes. Every call raises JobError, WorkerDied, ShuttingDown or the disk's OSError."""

    def __init__(self, count: int, resident: Factory | None = None) -> None:
        """`resident` makes what lives in each process; what it must have, see ReaderProcess."""
        self._resident = resident or READER
        self.pool = Pool([self._reader() for _ in range(count)])

    def tend(self, painters: int) -> None:
        """Have enough of them for so many painters, as far as the processor has cores."""
        wanted = min(2 + painters // PAINTERS_PER_READER, max(os.cpu_count() or 2, 2))
        while len(self.pool.children) < wanted:
            reader = self._reader()
            reader.start()
            self.pool.add(reader)

    def _reader(self) -> Child:
        return Child("reader", self._resident)

    def read(self, file: Handle, **limits: Any) -> Photo:
        """See pictures.read for the limits."""
        photo: Photo = self._call("read", file, limits)
        return photo

    def masked(self, painting: SharedArray, photo: SharedArray, mask: Handle, max_megapixels: float) -> SharedArray:
        """The painting where the mask is white, the photo where it is black."""
        blend: SharedArray = self._call("masked", painting, photo, mask, max_megapixels)
        return blend

    def probe(self, file: Handle) -> tuple[str, int, int]:
        """(format, width, height) from the header alone."""
        header: tuple[str, int, int] = self._call("probe", file)
        return header

    def write(self, file: Handle, pixels: SharedArray, alpha: SharedArray | None, **settings: Any) -> None:
        """Encode into `file` and fsync it; see pictures.write for the settings."""
        self._call("write", file, pixels, alpha, settings)

    def verify(self, file: Handle, size: tuple[int, int]) -> None:
        """Decode `file` whole. OSError: it does not read back as a picture of that size, which is the disk's fault."""
        self._call("verify", file, size)

    def sketch(self, painting: SharedArray, photo: SharedArray) -> Thumbnails:
        """Small copies of a painting and its photo."""
        drawn: Thumbnails = self._call("sketch", painting, photo)
        return drawn

    def sketch_file(self, painting: Handle, photo: Handle | None) -> Thumbnails:
        """The same of a painting's file, with the record that it carries, and its photo's, if it is there."""
        drawn: Thumbnails = self._call("sketch_file", painting, photo)
        return drawn

    def _call(self, method: str, *arguments: object) -> Any:
        with self.pool.take() as reader:
            return reader.call(method, *arguments, patience=PATIENCE)
