"""What a job notes down on its way, so that its painting can say how it came to be."""

import hashlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from daemon.canvas import Canvas
from daemon.config import StylePicture
from daemon.finished import Finished
from daemon.painters import Equipment
from daemon.provenance import Provenance, StyleSource, picture_name, thinned
from daemon.transfer.recipe import Recipe, Step


@dataclass(slots=True)
class Story:
    """One job's. A painter that dies and is replaced begins the painting anew, and so does `begin`."""

    source: str
    source_sha256: str
    pictures: tuple[StyleSource, ...] = ()
    mask_sha256: str = ""
    recipe: Recipe | None = None  # that it was painted by, and the painter's equipment, once it was begun
    equipment: Equipment | None = None
    threads: int = 0
    losses: list[float] = field(default_factory=list)
    started: float = 0.0  # by the monotonic clock
    seconds: float = 0.0
    record: Provenance | None = None  # once it was told

    def begin(self, equipment: Equipment, threads: int | None, recipe: Recipe) -> None:
        """A painter takes it up, with so many threads, or its own choice."""
        self.recipe, self.equipment, self.threads = recipe, equipment, threads or equipment.threads
        self.losses, self.started = [], time.monotonic()

    def step(self, step: Step) -> None:
        self.losses.append(step.loss)
        self.seconds = time.monotonic() - self.started

    def told(self, style: str, size: tuple[int, int], kind: str, quality: int) -> Provenance:
        """The record of a painting of `size` (width, height) that is written as `kind`."""
        used, recipe = self.equipment, self.recipe
        assert used is not None, "it was painted"
        assert recipe is not None, "by a recipe"
        self.record = Provenance(
            source=self.source,
            source_sha256=self.source_sha256,
            style=style,
            pictures=self.pictures,
            recipe=recipe,
            size=size,
            format=kind,
            quality=quality,
            weights=os.path.basename(used.weights),
            weights_sha256=used.weights_sha256,
            device=used.device,
            device_name=used.device_name,
            threads=self.threads,
            steps=len(self.losses),
            loss=self.losses[-1] if self.losses else 0.0,
            curve=thinned(self.losses),
            seconds=round(self.seconds, 3),
            mask_sha256=self.mask_sha256,
        )
        return self.record

    def ended(self, job: str, place: str, path: Path, seconds: float, photo: Canvas, painting: Canvas) -> Finished:
        """The painting was delivered to `path`, `seconds` after the photo was claimed."""
        assert self.record is not None, "it was told"
        return Finished(job, place, self.record.style, path, "", seconds, self.record, photo, painting)


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
            digest = sha256(file)
        with self._lock:
            self._kept[key] = digest
            while len(self._kept) > self.KEPT:
                self._kept.popitem(last=False)
        return digest


def sha256(file: BinaryIO) -> str:
    """Of the whole file, 64 hexadecimal digits."""
    file.seek(0)
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    file.seek(0)
    return digest.hexdigest()
