"""What a job notes down on its way, so that its painting can say how it came to be."""

import math
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from daemon.jobs.record import JobResult
from daemon.previews import Thumbnails
from daemon.processes.painters import PainterInfo
from daemon.provenance import Provenance, StyleSource, thinned
from daemon.transfer.recipe import Recipe
from daemon.transfer.steps import Step


@dataclass(slots=True)
class JobTrace:
    """One job's. A painter that dies and is replaced begins the painting anew, and so does `begin`."""

    source: str
    source_sha256: str
    pictures: tuple[StyleSource, ...] = ()
    mask_sha256: str = ""
    recipe: Recipe | None = None  # that it was painted by, and the painter's equipment, once it was begun
    equipment: PainterInfo | None = None
    threads: int = 0
    losses: list[float] = field(default_factory=list)
    last: Step | None = None
    started: float = 0.0  # by the monotonic clock
    seconds: float = 0.0
    record: Provenance | None = None  # once it was told

    def begin(self, equipment: PainterInfo, threads: int | None, recipe: Recipe) -> None:
        """A painter takes it up, with so many threads, or its own choice."""
        self.recipe, self.equipment, self.threads = recipe, equipment, threads or equipment.threads
        self.losses, self.last, self.started = [], None, time.monotonic()

    def step(self, step: Step) -> None:
        self.losses.append(step.loss)
        self.last = step
        self.seconds = time.monotonic() - self.started

    def told(self, style: str, size: tuple[int, int], kind: str, quality: int) -> Provenance:
        """The record of a painting of `size` (width, height) that is written as `kind`."""
        used, last, recipe = self.equipment, self.last, self.recipe
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
            steps=sum(each.evaluations for each in last.stretches) if last else 0,
            loss=last.loss if last else 0.0,
            terms={name: loss for name, loss in last.terms if math.isfinite(loss)} if last else {},
            stretches=last.stretches if last else (),
            curve=thinned(self.losses),
            seconds=round(self.seconds, 3),
            mask_sha256=self.mask_sha256,
        )
        return self.record

    def ended(self, job: str, place: str, path: Path, seconds: float, thumbnails: Thumbnails) -> JobResult:
        """The painting was delivered to `path`, `seconds` after the photo was claimed."""
        assert self.record is not None, "it was told"
        return JobResult(job, place, self.record.style, path, "", seconds, self.record, thumbnails)
