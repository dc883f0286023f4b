"""What runs in a painter process: the resident model, arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from daemon.errors import ConfigError, JobError
from daemon.processes.painters import PainterInfo
from daemon.processes.painting_check import check
from daemon.processes.shared_array import SharedArray
from daemon.transfer.errors import RecipeError, TooLargeError
from daemon.transfer.recipe import Recipe
from daemon.transfer.steps import Step

if TYPE_CHECKING:
    from daemon.transfer import Stylizer


def painter_info(stylizer: Stylizer) -> PainterInfo:
    used = stylizer.weights
    weights = str(used.path) if used.kind == "file" else used.kind
    return PainterInfo(stylizer.device, stylizer.device_name, weights, used.sha256, used.deepest, stylizer.threads)


class PainterProcess:
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
        self.hello = replace(painter_info(self.stylizer), others=tuple(others))

    def try_out(self, progress: Callable[..., None]) -> None:
        """A painting as small and quick as they come: whatever this device breaks down on, it is no picture."""
        import numpy as np

        from daemon.transfer.recipe import recipe

        y, x = np.mgrid[0:48, 0:64].astype(np.float32) / 64
        picture = np.stack([x, y, 1 - x], -1)
        self.stylizer.paint(picture, [(picture[::-1].copy(), 1.0)], recipe("draft"), on_step=progress)

    def paint(
        self,
        content: SharedArray,
        style: tuple[tuple[SharedArray, float], ...],
        recipe: Recipe,
        threads: int | None,
        progress: Callable[..., None],
    ) -> SharedArray:
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
        return SharedArray.of(painting)
