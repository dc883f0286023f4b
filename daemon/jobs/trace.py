"""The result of painting a photo: the painting, and how it was computed, for its record."""

import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from daemon.filenames import OutputFormat
from daemon.processes.painters import PainterInfo
from daemon.provenance import Provenance, StyleSource, thinned
from daemon.transfer.recipe import Recipe
from daemon.transfer.steps import Frame, Step

Pixels = TypeVar("Pixels")


@dataclass(frozen=True, slots=True)
class PaintResult(Generic[Pixels]):
    """A painting with its trace. `Pixels`: a SharedArray in the daemon, an array in `styled paint`."""

    painting: Pixels
    recipe: Recipe  # the recipe that was used: after a second try, the safe recipe
    painter: PainterInfo
    threads: int  # of the CPU
    pictures: tuple[StyleSource, ...]
    losses: tuple[float, ...]  # of each step
    last: Step | None
    seconds: float
    mask_sha256: str = ""
    frames: tuple[Frame, ...] = ()  # of its film

    def provenance(
        self,
        *,
        source: str,
        source_sha256: str,
        style: str,
        size: tuple[int, int],
        kind: OutputFormat,
        quality: int,
        dpi: int | None = None,
    ) -> Provenance:
        """The record of the painting. `source`: the photo's name; `size`: (width, height) in pixels; `kind`: of file;
        `dpi`: pixels per inch of a print."""
        last = self.last
        return Provenance(
            source=source,
            source_sha256=source_sha256,
            style=style,
            pictures=self.pictures,
            recipe=self.recipe,
            size=size,
            format=kind,
            quality=quality,
            dpi=dpi,
            weights=os.path.basename(self.painter.weights),
            weights_sha256=self.painter.weights_sha256,
            device=self.painter.device,
            device_name=self.painter.device_name,
            threads=self.threads,
            steps=sum(each.evaluations for each in last.stretches) if last else 0,
            loss=last.loss if last else 0.0,
            terms={name: loss for name, loss in last.terms if math.isfinite(loss)} if last else {},
            stretches=last.stretches if last else (),
            curve=thinned(self.losses),
            seconds=round(self.seconds, 3),
            mask_sha256=self.mask_sha256,
        )


class StepLog:
    """The steps of an attempt to paint. `add` is called for each step."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.frames: list[Frame] = []
        self._last: Step | None = None
        self._started = time.monotonic()
        self._seconds = 0.0

    def add(self, step: Step) -> None:
        self.losses.append(step.loss)
        if step.frame is not None:
            self.frames.append(step.frame)
        self._last = step._replace(picture=None, frame=None)  # the picture is large
        self._seconds = time.monotonic() - self._started

    def result(
        self, painting: Pixels, recipe: Recipe, painter: PainterInfo, threads: int, pictures: Sequence[StyleSource]
    ) -> PaintResult[Pixels]:
        """The result of the attempt, which gave `painting`."""
        return PaintResult(
            painting,
            recipe,
            painter,
            threads,
            tuple(pictures),
            tuple(self.losses),
            self._last,
            self._seconds,
            frames=tuple(self.frames),
        )
