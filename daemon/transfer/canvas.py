"""What a painting begins with: style pictures and their weights, the photo's canvas and colours, the scale before."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from . import colors
from .arrays import picture
from .recipe import Recipe
from .targets import Picture, StylePictures, resized

ALIGNED = 16  # px: sides of the canvas are multiples, so that the smallest levels have no pixel left over


def weighted(style: Picture | StylePictures) -> StylePictures:
    """(picture, weight) of each style picture with a weight above 0.

    Raises ValueError if a weight is negative or not finite, if all are 0, or if there is no picture.
    """
    if not isinstance(style, Sequence) or isinstance(style, str | bytes):
        return [(picture(style, "style"), 1.0)]
    weights = [weight for _, weight in style]
    if not weights or not all(math.isfinite(w) and w >= 0 for w in weights) or sum(weights) == 0:
        raise ValueError(f"style: the weights {weights} must be finite, at least 0, and not all 0")
    return [(picture(each, "style"), float(weight)) for each, weight in style if weight > 0]


def canvas(photo: Picture, recipe: Recipe) -> Picture:
    """The photo, continued by its mirror image on each side, right and below up to a multiple of ALIGNED px."""
    if not recipe.margin:
        return photo
    sides = [(recipe.margin, recipe.margin + -(length + 2 * recipe.margin) % ALIGNED) for length in photo.shape[:2]]
    return np.pad(photo, (*sides, (0, 0)), mode="reflect")


def recolored(c: Tensor, color: colors.Map) -> Tensor:
    """c (1, 3, H, W) with its colours mapped by `color`, clipped to [0, 1]."""
    T, b = (torch.from_numpy(v).to(c.device, c.dtype) for v in color)
    return torch.addmm(b[:, None], T, c[0].flatten(1)).view(c.shape).clamp_(0, 1)


def carried(x: Tensor, c: Tensor, below: Tensor, recipe: Recipe) -> Tensor:
    """The painting x of the scale before, enlarged to c's shape, plus the photo's detail that `below` does not show.

    `below`: the photo at the scale before.
    """
    if recipe.start == "content":
        return resized(x - below, c.shape[2:]).add_(c).clamp_(0, 1)
    return resized(x, c.shape[2:]).clamp(0, 1)
