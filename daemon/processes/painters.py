"""Painter processes: the VGG19 and the style targets stay resident, one process per device.

A painter gets arrays and gives arrays and knows no folder. It ends itself at anything that is not the picture's
or the settings' fault, because a device that failed once cannot be trusted; the pool replaces it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from daemon.errors import PainterDied, WorkerDied
from daemon.processes.child import Child
from daemon.processes.messages import Factory
from daemon.processes.pool import Member, Pool
from daemon.processes.shared_array import SharedArray
from daemon.transfer.recipe import Recipe
from daemon.transfer.steps import Step

OnStep = Callable[[Step], None]
PAINTER = "daemon.processes.painter_process:PainterProcess"


@dataclass(frozen=True, slots=True)
class PainterInfo:
    """What a painter paints with, as it says when it is ready."""

    device: str  # "cpu", "cuda:0"
    device_name: str
    weights: str  # "embedded", "imagenet" or a path
    weights_sha256: str
    deepest_layer: str  # the last one that the weights have
    threads: int = 1  # of the CPU, unless a job says otherwise
    others: tuple[str, ...] = ()  # devices of its kind beside it that are to be painted on, too


class Painter:
    """One painter, held by one job at a time."""

    def __init__(self, child: Member) -> None:
        self._child = child

    @property
    def equipment(self) -> PainterInfo:
        found: PainterInfo = self._child.hello
        return found

    def paint(
        self,
        content: SharedArray,
        style: Sequence[tuple[SharedArray, float]],
        recipe: Recipe,
        threads: int | None,
        on_step: OnStep,
        patience: float,
    ) -> SharedArray:
        """A painting of `content`'s shape. `style`: pictures and their weights. `patience`: seconds without a step
        after which the painter counts as hung. DegeneratePainting, JobError, PainterDied, WorkerLost, ShuttingDown."""
        parts = (content, tuple(style), recipe, threads)
        try:
            painting: SharedArray = self._child.call("paint", *parts, progress=on_step, patience=patience)
        except WorkerDied as death:
            raise PainterDied(str(death), self._child.name) from None
        return painting


class Painters:
    """One painter per device: processes of this host, or whoever else joins the pool. One that died must paint a
    small trial before it gets a picture."""

    def __init__(self, devices: Sequence[str], weights: str, resident: Factory | None = None) -> None:
        """The painters that there are from the start; of `all` devices the first, which knows of the others.
        `resident` makes what lives in each process; what it must have, see PainterProcess."""
        self._weights = weights
        self._resident = resident or PAINTER
        self.pool: Pool[Member] = Pool([self._painter(device) for device in devices], trial="try_out")
        self._equipment: PainterInfo | None = None
        self._meeting = threading.Lock()

    @contextmanager
    def take(self, style: str = "") -> Iterator[Painter]:
        """A painter that is ready, for this job alone; rather one that painted in this style lately. ConfigError: its
        device or weights cannot be had."""
        with self.pool.take(style) as child:
            self._meet(child)
            yield Painter(child)

    def equipment(self) -> PainterInfo:
        """What the first painter that was ready paints with; waits for it. Errors as `take`."""
        while self._equipment is None:
            with self.take():
                pass
        return self._equipment

    @property
    def count(self) -> int:
        return len(self.pool.children)

    def _meet(self, child: Member) -> None:
        """The first one that is ready says whether there is room for more."""
        with self._meeting:
            if self._equipment is not None:
                return
            self._equipment = child.hello
            if child.hello.others:
                child.name = f"painter {child.hello.device}"
            for device in child.hello.others:
                another = self._painter(device, f"painter {device}")
                another.start()
                self.pool.add(another)

    def _painter(self, device: str, name: str = "painter") -> Child:
        return Child(name, self._resident, device, self._weights)
