"""The daemon's side of the painters: VGG19 and the styles' targets stay in one painter process per device.

A painter gets arrays, returns arrays and knows no folder. The process ends itself at any error for which neither the
photo nor the settings are to blame, because a device that failed once cannot be trusted; the pool replaces the process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from daemon.errors import PainterDied, WorkerDied
from daemon.processes.answers import know
from daemon.processes.child import Child
from daemon.processes.messages import Factory
from daemon.processes.pool import LONGEST_START, Member, Pool
from daemon.processes.shared_array import SharedArray
from daemon.transfer.recipe import Recipe
from daemon.transfer.steps import EvaluationRun, Memory, Step

if TYPE_CHECKING:
    from daemon.transfer import Stylizer

OnStep = Callable[[Step], None]
PAINTER = "daemon.processes.painter_process:PainterProcess"


@dataclass(frozen=True, slots=True)
class PainterInfo:
    """What a painter paints with: the `ready_info` of a painter process."""

    device: str  # "cpu", "cuda:0"
    device_name: str  # as a person calls the device
    weights: str  # "embedded", "imagenet" or a path
    weights_sha256: str
    deepest_layer: str  # the last layer that the weights have
    threads: int = 1  # of the CPU, unless a job gives a number
    others: tuple[str, ...] = ()  # with `device: all`: the other devices to paint on

    @classmethod
    def of(cls, stylizer: Stylizer, others: Sequence[str] = ()) -> PainterInfo:
        used = stylizer.weights
        weights = str(used.path) if used.kind == "file" else used.kind
        device, name = stylizer.device, stylizer.device_name
        return cls(device, name, weights, used.sha256, used.deepest, stylizer.threads, tuple(others))


know(SharedArray, PainterInfo, Step, Memory, EvaluationRun)


class PainterChild(Child):
    """A painter process of this machine, started by its `device` and `weights`. A replacement gets the device and the
    weights that its predecessor reported: "auto" must not find another device, or other weights, the second time."""

    def ready(self, patience: float | None = None) -> PainterInfo:
        info: PainterInfo = super().ready(patience)
        self._arguments = (info.device, info.weights)
        return info


class Painter:
    """One painter, held by one job at a time."""

    def __init__(self, child: Member) -> None:
        self._child = child

    @property
    def info(self) -> PainterInfo:
        info: PainterInfo = self._child.ready_info
        return info

    def paint(
        self,
        content: SharedArray,
        style: Sequence[tuple[SharedArray, float]],
        recipe: Recipe,
        threads: int | None,
        on_step: OnStep,
        patience: float,
        *,
        film: bool = False,
    ) -> SharedArray:
        """The painting of `content` (H, W, 3), of the same shape, sRGB in [0, 1].

        `style`: pictures (h, w, 3) and their weights. `threads`: None for the painter's own choice. `patience`:
        seconds without a step after which the painter is killed. `film`: some of the steps carry a frame. Raises
        JobError (DegeneratePainting) if the photo cannot be painted, PainterDied, WorkerLost, ShuttingDown.
        """
        parts = (content, tuple(style), recipe, threads, film)
        try:
            painting: SharedArray = self._child.call("paint", *parts, progress=on_step, patience=patience)
        except WorkerDied as death:
            raise PainterDied(str(death), self._child.name) from None
        return painting


class Painters:
    """One painter per device: processes of this machine, and those of a cluster that join the pool. A replacement of a
    dead painter must paint a small trial before it gets a photo."""

    def __init__(
        self,
        devices: Sequence[str],
        weights: str,
        resident: Factory | None = None,
        patience: Callable[[], float] = lambda: LONGEST_START,
    ) -> None:
        """`devices`: of the painters at the start; "all" is the first device, whose painter reports the others.
        `resident`: makes the object in each process, see PainterProcess. `patience`: see Pool."""
        self._weights = weights
        self._resident = resident or PAINTER
        self.pool: Pool[Member] = Pool([self._painter(device) for device in devices], "try_out", patience)
        self._info: PainterInfo | None = None  # of the first painter that was ready
        self._first = threading.Lock()

    @contextmanager
    def take(self, style: str = "") -> Iterator[Painter]:
        """A painter that is ready, for this job alone; if several are ready, a painter that was used for this style
        lately.

        Raises ConfigError if the device or the weights cannot be used, and ShuttingDown.
        """
        with self.pool.take(style) as child:
            self._first_ready(child)
            yield Painter(child)

    def info(self) -> PainterInfo:
        """The PainterInfo of the first painter that was ready; waits for that painter. Raises as `take`."""
        while self._info is None:
            with self.take():
                pass
        return self._info

    @property
    def count(self) -> int:
        return len(self.pool.children)

    def _first_ready(self, child: Member) -> None:
        """Start a painter on each other device that the first painter reports."""
        with self._first:
            if self._info is not None:
                return
            self._info = child.ready_info
            if child.ready_info.others:
                child.name = f"painter {child.ready_info.device}"
            for device in child.ready_info.others:
                self.pool.add(self._painter(device, f"painter {device}"))

    def _painter(self, device: str, name: str = "painter") -> PainterChild:
        return PainterChild(name, self._resident, device, self._weights)
