"""A check that a painting is usable, before it is delivered. Runs in painter processes and in `styled paint`."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from daemon.errors import DegeneratePainting
from daemon.transfer.recipe import Recipe

Picture = NDArray[np.float32]

STEP = 1 / 255  # of an 8-bit picture
FLAT = 4 * STEP  # a picture with a smaller deviation has nearly a single colour, and so may its painting

# A style weight below this share of the content weight asks for hardly any style: with ten times as much, `fine` and
# `tutorial` change a photo by 0.1 (root mean square, measured at 96 px), with a weight of 0 by 0.02 or not at all.
NEXT_TO_NOTHING = 1e-4
SAMPLE = 100_000  # most pixels that are compared: a large picture leaves no memory for more, and a GPU little time
ADVICE = "Set the weights in its settings nearer to 1, or try another style."


def check(
    painting: Picture, content: Picture, style: Sequence[tuple[Picture, float]], recipe: Recipe, loss: float = 0.0
) -> None:
    """Raises DegeneratePainting if the painting is not finite, has one colour, or equals the photo, unless the photo,
    the style or the recipe asks for that.

    painting and content (H, W, 3), style pictures (h, w, 3) with their weights, all in [0, 1]; `loss`: the last loss.
    """
    if not np.isfinite(painting.sum(dtype=np.float64) + loss):
        raise DegeneratePainting("Its painting came out as no numbers.", ADVICE)
    if _deviation(content) < FLAT or all(_deviation(picture) < FLAT for picture, _ in style):
        return
    if _deviation(painting) < STEP:
        raise DegeneratePainting("Its painting came out in one colour.", ADVICE)
    wants_style = recipe.style_weight > NEXT_TO_NOTHING * recipe.content_weight
    if wants_style and _same(painting, content) and not all(_same(picture, content) for picture, _ in style):
        raise DegeneratePainting("Its painting came out as the photo was.", ADVICE)


def _deviation(picture: Picture) -> float:
    """The standard deviation of the channel that varies most."""
    colors = _sample(picture).reshape(-1, 3).T.astype("float64", order="C")  # ten times as fast by rows as by columns
    return float(colors.std(axis=1).max())


def _same(a: Picture, b: Picture) -> bool:
    """Whether the root mean square of the difference is below one step of 8 bits."""
    return a.shape == b.shape and float(((_sample(a) - _sample(b)) ** 2).mean()) < STEP**2


def _sample(picture: Picture) -> Picture:
    """At most SAMPLE pixels, evenly spaced."""
    every = math.ceil(math.sqrt(picture.shape[0] * picture.shape[1] / SAMPLE))
    return picture[::every, ::every]
