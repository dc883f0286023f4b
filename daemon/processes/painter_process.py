"""The child's side of a painter: the resident model, arrays in, arrays out. Runs in painter processes."""

import contextlib
from collections.abc import Callable

import numpy as np

from daemon.errors import ConfigError, JobError, StartLater
from daemon.processes.painters import PainterInfo
from daemon.processes.painting_check import check
from daemon.processes.shared_array import SharedArray
from daemon.transfer import DeviceError, Stylizer, WeightsError, every_device
from daemon.transfer.errors import RecipeError, TooLargeError
from daemon.transfer.film import Film
from daemon.transfer.recipe import Recipe, recipe
from daemon.transfer.steps import LEAST_FULL, Step


class PainterProcess:
    """The object that a painter process holds."""

    def __init__(self, device: str, weights: str) -> None:
        """Raises ConfigError if the weights cannot be used, StartLater if the device cannot."""
        try:
            first, *others = every_device() if device == "all" else [device]
            self.stylizer = Stylizer(device=first, weights=weights)
        except DeviceError as error:
            raise StartLater([str(error)]) from None  # a driver may come up yet
        except WeightsError as error:
            raise ConfigError([f"weights: {error}"]) from None
        if self.stylizer.device != "cpu":  # a GPU's first painting takes seconds, and shows in which way the GPU paints
            with contextlib.suppress(TooLargeError):  # another program has the memory, perhaps for a while
                self.try_out(lambda step: None)
        self.ready_info = PainterInfo.of(self.stylizer, others)

    def try_out(self, progress: Callable[..., None]) -> None:
        """Paint a small, quick painting that uses every kind of computation. If the device breaks down on it, no photo
        is at fault."""
        y, x = np.mgrid[0:48, 0:64].astype(np.float32) / 64
        picture = np.stack([x, y, 1 - x], -1)
        self.stylizer.paint(
            picture,
            [(picture[::-1].copy(), 1.0)],
            recipe("fine", scales=((1.0, LEAST_FULL + 2),)),
            on_step=lambda step: progress(step._replace(picture=None)),
        )

    def paint(
        self,
        content: SharedArray,
        style: tuple[tuple[SharedArray, float], ...],
        recipe: Recipe,
        threads: int | None,
        film: bool = False,
        *,
        progress: Callable[[Step], None],
    ) -> SharedArray:
        """See Painter.paint."""
        self.stylizer.threads = threads or self.ready_info.threads
        photo, pictures = content.array(), [(picture.array(), weight) for picture, weight in style]
        camera = Film(*photo.shape[:2]) if film else None
        loss = 0.0

        def on_step(step: Step) -> None:
            nonlocal loss
            loss = step.loss
            progress(step._replace(picture=None, frame=camera.frame(step) if camera else None))

        try:
            painting = self.stylizer.paint(photo, pictures, recipe, on_step)
        except RecipeError as error:
            raise JobError(f"Its settings cannot work: {error}", "Change the settings and try again.") from None
        except TooLargeError as error:
            raise JobError(f"It is too large: {error}", "Set a smaller `size`, or free some memory.") from None
        check(painting, photo, pictures, recipe, loss)
        return SharedArray.of(painting)
