"""Whether a painting is one, looked at before it is delivered; and once more with safe settings if it is not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from daemon.errors import DegeneratePainting
from daemon.transfer.recipe import Recipe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Picture = NDArray[np.float32]

STEP = 1 / 255  # of an 8-bit picture
FLAT = 4 * STEP  # deviation below which a photo or a style picture is next to one colour, and so may its painting be

# A style weight that asks for hardly any style, as a share of the content's: with ten times as much, `fine` and
# `tutorial` change a photo by 0.1 (root mean square, measured at 96 px), with none by 0.02 or not at all.
NEXT_TO_NOTHING = 1e-4
SAMPLE = 1_000_000  # pixels that deviations are taken of, at most: a large picture has no memory to spare
ADVICE = "Set the weights in its settings nearer to 1, or try another style."


def check(
    painting: Picture, content: Picture, style: Sequence[tuple[Picture, float]], recipe: Recipe, loss: float = 0.0
) -> None:
    """DegeneratePainting: values that are no numbers, one colour, or the photo as it was, where nothing asks for that.

    painting and content (H, W, 3), the style pictures of any size, all in [0, 1]; `loss`: the last one.
    """
    import numpy as np

    if not np.isfinite(painting.sum(dtype=np.float64) + loss):
        raise DegeneratePainting("Its painting came out as no numbers.", ADVICE)
    if _deviation(content) < FLAT or all(_deviation(picture) < FLAT for picture, _ in style):
        return
    if _deviation(painting) < STEP:
        raise DegeneratePainting("Its painting came out in one colour.", ADVICE)
    asked = recipe.style_weight > NEXT_TO_NOTHING * recipe.content_weight
    if asked and _same(painting, content) and not all(_same(picture, content) for picture, _ in style):
        raise DegeneratePainting("Its painting came out as the photo was.", ADVICE)


def _deviation(picture: Picture) -> float:
    """Of the channel that varies most."""
    return float(_sample(picture).std(axis=(0, 1), dtype="float64").max())


def _same(a: Picture, b: Picture) -> bool:
    """To within a step of 8 bits, root mean square."""
    return a.shape == b.shape and float(((_sample(a) - _sample(b)) ** 2).mean()) < STEP**2


def _sample(picture: Picture) -> Picture:
    """Every pixel, or every so many."""
    every = math.ceil(math.sqrt(picture.shape[0] * picture.shape[1] / SAMPLE))
    return picture[::every, ::every]
