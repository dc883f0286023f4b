"""A picture at 1, 1/2, 1/4 … of its size: each evaluation sees style and content at all sizes at once (Snelgrove 2017).

To make a level, the level before is low-passed by the binomial filter 1 4 6 4 1 along both sides (Burt, Adelson 1983),
and every second pixel is kept. Beyond the border the outermost pixels are repeated.
"""

import math
from collections.abc import Sequence
from functools import cache

import torch
import torch.nn.functional as nn_f
from torch import Tensor

from .recipe import BASE, Recipe

TAPS = (1.0, 4.0, 6.0, 4.0, 1.0)
BORDER = len(TAPS) // 2  # px
BAND = 512  # rows of the smaller picture that are computed together
LEAST_PART = 0.1  # the weight, beside 1 of a whole level, below which the smallest level is left out
SMALLEST = 24  # px, the short side below which a level is left out: it has too few strokes to compare


def level_weights(recipe: Recipe, shape: Sequence[int], least: int = SMALLEST) -> list[float]:
    """v: the weight of each level in the loss, the full size first; the weights add up to 1.

    `shape`: (H, W) of the canvas in px. `least`: px, the short side that the network needs. A canvas of BASE px has
    `recipe.pyramid` levels; each doubling adds a level, so that strokes keep their proportion to the picture. Between
    two doublings the smallest level has a smaller weight. The full size weighs `recipe.finest` times as much.
    """
    if recipe.pyramid == 1:
        return [1.0]
    wanted = recipe.pyramid + math.log2(max(max(shape) - 2 * recipe.margin, 1) / BASE)
    possible = 1 + math.log2(max(min(shape) / max(least, SMALLEST), 1))
    count = max(1, min(math.ceil(wanted - LEAST_PART), math.floor(possible)))
    weights = [recipe.finest, *(min(1.0, max(wanted - level, LEAST_PART)) for level in range(1, count))]
    return [weight / sum(weights) for weight in weights]


def content_weights(recipe: Recipe, levels: int) -> list[float]:
    """u: the share of the content loss at each of `levels` levels, the full size first; see Recipe.content_levels."""
    return [recipe.content_levels[min(levels - 1 - level, len(recipe.content_levels) - 1)] for level in range(levels)]


def pyramid(x: Tensor, levels: int) -> list[Tensor]:
    """x (1, 3, H, W) and its smaller versions, (1, 3, ⌈H/2⌉, ⌈W/2⌉) and so on, `levels` pictures in all."""
    pictures = [x]
    for _ in range(levels - 1):
        pictures.append(halved(pictures[-1]))
    return pictures


def halved(x: Tensor) -> Tensor:
    """x (1, 3, H, W) at half the size, (1, 3, ⌈H/2⌉, ⌈W/2⌉)."""
    height, rows = x.shape[-2], (x.shape[-2] + 1) // 2
    bands = []
    for start in range(0, rows, BAND):  # in bands: a large picture leaves no memory for a copy with a border
        first, last = 2 * start - BORDER, 2 * min(start + BAND, rows) - 2 + BORDER
        low, high = max(first, 0), min(last + 1, height)
        band = nn_f.pad(x[..., low:high, :], (BORDER, BORDER, low - first, last + 1 - high), mode="replicate")
        bands.append(nn_f.conv2d(band, _kernel(x.device, x.dtype), stride=2, groups=3))
    return bands[0] if len(bands) == 1 else torch.cat(bands, -2)


def add_adjoint(g: Tensor, to: Tensor) -> None:
    """to += dL/dx (1, 3, H, W), where g is dL/d(halved(x)) (1, 3, ⌈H/2⌉, ⌈W/2⌉); in place."""
    height, width = to.shape[-2:]
    for start in range(0, g.shape[-2], BAND):
        part = g[..., start : start + BAND, :]
        part = nn_f.conv_transpose2d(part, _kernel(g.device, g.dtype), stride=2, groups=3)
        part = _folded(part.transpose(-1, -2), -BORDER, width)[1].transpose(-1, -2)
        low, part = _folded(part, 2 * start - BORDER, height)
        to[..., low : low + part.shape[-2], :].add_(part)


def _folded(v: Tensor, first: int, length: int) -> tuple[int, Tensor]:
    """Add the rows of v that lie beyond a picture to the picture's outermost rows; in place.

    The picture has `length` rows; v begins at row `first` of the picture, which may be negative. Returns the first row
    that is left, and the rows that are left, a view of v.
    """
    below, above = max(-first, 0), max(first + v.shape[-2] - length, 0)
    inside = v[..., below : v.shape[-2] - above, :]
    for row in range(below):
        inside[..., 0, :].add_(v[..., row, :])  # not `+=`, which would copy the sum onto itself
    for row in range(above):
        inside[..., -1, :].add_(v[..., -1 - row, :])
    return max(first, 0), inside


@cache
def _kernel(device: torch.device, dtype: torch.dtype) -> Tensor:
    """The low-pass (3, 1, 5, 5), the same filter for each colour."""
    taps = torch.tensor(TAPS, dtype=torch.float64) / sum(TAPS)
    return torch.outer(taps, taps).to(device, dtype).expand(3, 1, -1, -1).contiguous()
