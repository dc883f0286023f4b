"""Painter processes: the VGG19 and the style targets stay resident, one process per device.

A painter gets arrays and gives arrays and knows no folder. It ends itself at anything that is not the picture's
or the settings' fault, because a device that failed once cannot be trusted; the pool replaces it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from daemon.canvas import Canvas
from daemon.errors import ConfigError, Died, JobError, PainterDied
from daemon.flaws import check
from daemon.pool import Member, Pool
from daemon.processes import Child
from daemon.transfer.recipe import Recipe, RecipeError, Step, TooLargeError

if TYPE_CHECKING:
    from daemon.transfer import Stylizer

OnStep = Callable[[Step], None]


@dataclass(frozen=True, slots=True)
class Equipment:
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
    def equipment(self) -> Equipment:
        found: Equipment = self._child.hello
        return found

    def paint(
        self,
        content: Canvas,
        style: Sequence[tuple[Canvas, float]],
        recipe: Recipe,
        threads: int | None,
        on_step: OnStep,
        patience: float,
    ) -> Canvas:
        """A painting of `content`'s shape. `style`: pictures and their weights. `patience`: seconds without a step
        after which the painter counts as hung. Flawed, JobError, PainterDied, Lost, Stopped."""
        parts = (content, tuple(style), recipe, threads)
        try:
            painting: Canvas = self._child.call("paint", *parts, progress=on_step, patience=patience)
        except Died as death:
            raise PainterDied(str(death), self._child.name) from None
        return painting


class Painters:
    """One painter per device: processes of this host, or whoever else joins the pool. One that died must paint a
    small trial before it gets a picture."""

    def __init__(self, devices: Sequence[str], weights: str, resident: Callable[..., Any] | None = None) -> None:
        """The painters that there are from the start; of `all` devices the first, which knows of the others.
        `resident` makes what lives in each process; what it must have, see _Painter."""
        self._weights = weights
        self._resident = resident or _Painter
        self.pool: Pool[Member] = Pool([self._painter(device) for device in devices], trial="try_out")
        self._equipment: Equipment | None = None
        self._meeting = threading.Lock()

    @contextmanager
    def take(self, style: str = "") -> Iterator[Painter]:
        """A painter that is ready, for this job alone; rather one that painted in this style lately. ConfigError: its
        device or weights cannot be had."""
        with self.pool.take(style) as child:
            self._meet(child)
            yield Painter(child)

    def equipment(self) -> Equipment:
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


def equipment_of(stylizer: Stylizer) -> Equipment:
    used = stylizer.weights
    weights = str(used.path) if used.kind == "file" else used.kind
    return Equipment(stylizer.device, stylizer.device_name, weights, used.sha256, used.deepest, stylizer.threads)


class _Painter:
    """What lives in a painter process."""

    def __init__(self, device: str, weights: str) -> None:
        from daemon.transfer import DeviceError, Stylizer, WeightsError, every_device

        try:
            first, *others = every_device() if device == "all" else [device]
            self.stylizer: Stylizer = Stylizer(device=first, weights=weights)
        except DeviceError as error:
            raise ConfigError([f"device: {error}"]) from None
        except WeightsError as error:
            raise ConfigError([f"weights: {error}"]) from None
        self.hello = replace(equipment_of(self.stylizer), others=tuple(others))

    def try_out(self, progress: Callable[..., None]) -> None:
        """A painting as small and quick as they come: whatever this device breaks down on, it is no picture."""
        import numpy as np

        from daemon.transfer.recipe import recipe

        y, x = np.mgrid[0:48, 0:64].astype(np.float32) / 64
        picture = np.stack([x, y, 1 - x], -1)
        self.stylizer.paint(picture, [(picture[::-1].copy(), 1.0)], recipe("draft"), on_step=progress)

    def paint(
        self,
        content: Canvas,
        style: tuple[tuple[Canvas, float], ...],
        recipe: Recipe,
        threads: int | None,
        progress: Callable[..., None],
    ) -> Canvas:
        self.stylizer.threads = threads or self.hello.threads
        photo, pictures = content.array(), [(picture.array(), weight) for picture, weight in style]
        loss = 0.0

        def on_step(step: Step) -> None:
            nonlocal loss
            loss = step.loss
            progress(step)

        try:
            painting = self.stylizer.paint(photo, pictures, recipe, on_step)
        except RecipeError as error:
            raise JobError(f"Its settings cannot work: {error}", "Change the settings and try again.") from None
        except TooLargeError as error:
            raise JobError(f"It is too large: {error}", "Set a smaller `size`, or free some memory.") from None
        check(painting, photo, pictures, recipe, loss)
        return Canvas.of(painting)
