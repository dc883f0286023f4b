"""The styles' own pictures: each is opened once per photo, and decoded and hashed once for each state of its file."""

import contextlib
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cachetools import LRUCache

from daemon.config.models import StylePicture
from daemon.errors import JobError, RetryLater, WorkerDied
from daemon.processes.readers import Readers, too_large
from daemon.processes.shared_array import SharedArray
from daemon.provenance import StyleSource, picture_name
from daemon.storage.files import Handle, sha256

KEPT_BYTES = 256 << 20  # of pixels; a picture beyond that is held only by the job that paints with it


class _Entry(NamedTuple):
    pixels: SharedArray  # (h, w, 3)
    sha256: str  # of the file


class LoadedStyle(NamedTuple):
    """A style at the size that a painting needs."""

    pictures: list[tuple[SharedArray, float]]  # pixels (h, w, 3) and weight of each picture
    sources: tuple[StyleSource, ...]  # the same pictures for the painting's record


class StyleCache:
    """Decoded style pictures, known by path, file, size and time, so that a changed file is a new picture.
    Thread-safe."""

    def __init__(self, readers: Readers, kept_bytes: int = KEPT_BYTES) -> None:
        self._readers = readers
        self._entries: LRUCache[tuple[object, ...], _Entry] = LRUCache(kept_bytes, lambda entry: entry.pixels.size)
        self._lock = threading.Lock()

    def load(self, pictures: Sequence[StylePicture], long_side: int, max_megapixels: float) -> LoadedStyle:
        """Each picture scaled to `long_side` pixels. Raises RetryLater if a picture cannot be read, JobError if a
        picture is too large at that size."""
        entries = [self._load(picture.file, long_side, max_megapixels) for picture in pictures]
        both = list(zip(pictures, entries, strict=True))
        return LoadedStyle(
            [(entry.pixels, picture.weight) for picture, entry in both],
            tuple(StyleSource(picture_name(picture.file), entry.sha256, picture.weight) for picture, entry in both),
        )

    def _load(self, path: Path, long_side: int, max_megapixels: float) -> _Entry:
        try:
            file = Handle(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))  # a link is the user's choice
            status = os.fstat(file.fd)
            key = (path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, long_side)
            with self._lock:
                if entry := self._entries.get(key):
                    return entry
            flaw = too_large(self._readers, file, long_side, max_megapixels)
            if not flaw:
                entry = self._read(file, path, long_side, max_megapixels)
        except (OSError, JobError, WorkerDied) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise RetryLater(f"the style picture {path} cannot be read: {why}") from None
        if entry is None:
            raise JobError(f"The style's picture {flaw}.", "Choose a smaller size or style_scale.")
        with self._lock, contextlib.suppress(ValueError):  # larger than the whole cache
            self._entries[key] = entry
        return entry

    def _read(self, file: Handle, path: Path, long_side: int, max_megapixels: float) -> _Entry:
        limits = {"max_megapixels": max_megapixels, "size": long_side}
        pixels = self._readers.read(file, **limits, name=path.name).pixels
        return _Entry(pixels, sha256(file.fd))
