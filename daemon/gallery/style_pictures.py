"""Thumbnails of the styles' own pictures."""

import hashlib
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from daemon.errors import JobError, WorkerDied
from daemon.gallery.files import STYLE, GalleryFiles
from daemon.processes.readers import Readers
from daemon.storage.files import Handle
from daemon.text import escape

log = logging.getLogger("styled")


class StylePictures:
    """Makes each thumbnail once, even over several runs, because the id of a thumbnail depends only on its picture's
    file."""

    def __init__(self, files: GalleryFiles, readers: Readers) -> None:
        self._files = files
        self._readers = readers
        self._ids: dict[Path, str] = {}  # "": the picture cannot be read
        self._swept = False

    def make_next(self, styles: Mapping[str, Sequence[Path]]) -> bool:
        """Make a thumbnail that is missing. Returns whether one was missing."""
        for path in (path for paths in styles.values() for path in paths):
            if path not in self._ids:
                self._ids[path] = self._make(path)
                return True
        if styles and not self._swept:
            self._swept = True
            self._files.sweep(self._ids.values(), of_styles=True)
        return False

    def ids(self, styles: Mapping[str, Sequence[Path]]) -> dict[str, list[str]]:
        """The ids of the thumbnails that exist, for each style."""
        return {style: [self._ids[path] for path in paths if self._ids.get(path)] for style, paths in styles.items()}

    def _make(self, path: Path) -> str:
        try:
            file = Handle(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
            status = os.fstat(file.fd)
            key = f"{path} {status.st_size} {status.st_mtime_ns}"
            name = STYLE + hashlib.sha256(os.fsencode(key)).hexdigest()[:16]
            if not self._files.holds(f"{name}.webp"):
                self._files.write(f"{name}.webp", self._readers.sketch_file(file, None).card)
            return name
        except (JobError, WorkerDied, OSError) as error:
            log.debug("%s is not shown in the gallery: %s", escape(str(path)), error)
            return ""
