"""The styles' own pictures, decoded once and kept."""

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from daemon.config.models import StylePicture
from daemon.errors import JobError, RetryLater, WorkerDied
from daemon.processes.readers import Readers
from daemon.processes.shared_array import SharedArray
from daemon.provenance import StyleSource, picture_name
from daemon.storage.files import Handle, sha256


class StylePictures:
    """Decoded style pictures by what is on disk now, so that a changed file is a new picture. Thread-safe."""

    KEPT = 256 << 20  # bytes; beyond, only whoever paints with a picture holds it

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._kept: OrderedDict[tuple[object, ...], SharedArray] = OrderedDict()
        self._lock = threading.Lock()

    def load(
        self, pictures: Sequence[StylePicture], long_side: int, max_megapixels: float
    ) -> list[tuple[SharedArray, float]]:
        """Each picture scaled to `long_side` pixels, with its weight. RetryLater: one of them cannot be read."""
        return [(self._load(p.file, long_side, max_megapixels), p.weight) for p in pictures]

    def _load(self, path: Path, long_side: int, max_megapixels: float) -> SharedArray:
        try:
            file = Handle(os.open(path, os.O_RDONLY | os.O_CLOEXEC))  # the user's own file: it may be a link
            status = os.fstat(file.fd)
            key = (path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, long_side)
            with self._lock:
                if key in self._kept:
                    self._kept.move_to_end(key)
                    return self._kept[key]
            canvas = self._readers.read(file, max_megapixels=max_megapixels, size=long_side).pixels
        except (OSError, JobError, WorkerDied) as error:
            raise RetryLater(f"the style picture {path} cannot be read: {error}") from None
        with self._lock:
            self._kept[key] = canvas
            while sum(kept.size for kept in self._kept.values()) > self.KEPT:
                self._kept.popitem(last=False)
        return canvas


class Sources:
    """The styles' pictures by name and SHA-256, hashed once for each state of a file. Thread-safe."""

    KEPT = 64

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[object, ...], str] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, pictures: Sequence[StylePicture]) -> tuple[StyleSource, ...]:
        """OSError: one of them cannot be read."""
        return tuple(StyleSource(picture_name(p.file), self._sha256(p.file), p.weight) for p in pictures)

    def _sha256(self, path: Path) -> str:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            key = (path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
            with self._lock:
                if key in self._kept:
                    self._kept.move_to_end(key)
                    return self._kept[key]
            digest = sha256(file.fileno())
        with self._lock:
            self._kept[key] = digest
            while len(self._kept) > self.KEPT:
                self._kept.popitem(last=False)
        return digest
