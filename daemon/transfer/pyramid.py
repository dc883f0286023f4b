"""A picture at 1, 1/2, 1/4 … of its size: what the style is seen at, all at once (Snelgrove 2017).

Each level is the one before, low-passed by the binomial filter 1 4 6 4 1 along both sides (Burt, Adelson 1983) and
every second pixel of that. Beyond its border a picture goes on with its outermost pixels.
"""

import math
from collections.abc import Sequence
from functools import cache

import torch
import torch.nn.functional as nn_f
from torch import Tensor

from .recipe import Recipe

TAPS = (1.0, 4.0, 6.0, 4.0, 1.0)
BORDER = len(TAPS) // 2  # px
LONG_SIDE = 512  # px, at which a recipe's number of levels is meant
SMALLEST = 24  # px, the short side below which a level has too few strokes to compare


def level_weights(recipe: Recipe, shape: Sequence[int]) -> list[float]:
    """The share of each level in the style loss, the full size first; they add up to 1.

    `shape`: (H, W) of the painting in pixels. Twice the size has a level more, so that strokes keep their proportion to
    the picture.
    """
    if recipe.pyramid == 1:
        return [1.0]
    wanted = recipe.pyramid + round(math.log2(max(shape) / LONG_SIDE))
    possible = 1 + max(0, math.floor(math.log2(min(shape) / SMALLEST)))
    count = max(1, min(wanted, possible))
    weights = [recipe.coarser**level for level in range(count)]
    return [weight / sum(weights) for weight in weights]


def pyramid(x: Tensor, levels: int) -> list[Tensor]:
    """x (1, 3, H, W) and its smaller versions, (1, 3, ⌈H/2⌉, ⌈W/2⌉) and so on: `levels` pictures in all."""
    pictures = [x]
    for _ in range(levels - 1):
        pictures.append(halved(pictures[-1]))
    return pictures


def gathered(gradients: Sequence[Tensor]) -> Tensor:
    """The derivative by x of what has these derivatives by each level of x's pyramid; in place of the first."""
    *larger, g = gradients
    for finer in reversed(larger):
        g = finer.add_(halved_adjoint(g, finer.shape))
    return g


def halved(x: Tensor) -> Tensor:
    """(1, 3, H, W) → (1, 3, ⌈H/2⌉, ⌈W/2⌉)."""
    padded = nn_f.pad(x, (BORDER,) * 4, mode="replicate")
    return nn_f.conv2d(padded, _kernel(x.device, x.dtype), stride=2, groups=3)


def halved_adjoint(g: Tensor, shape: Sequence[int]) -> Tensor:
    """The derivative by x of this `shape` of what has the derivative g by halved(x)."""
    odd = [length % 2 for length in shape[-2:]]
    kernel = _kernel(g.device, g.dtype)
    x = nn_f.conv_transpose2d(g, kernel, stride=2, groups=3, output_padding=(1 - odd[0], 1 - odd[1]))
    for side in (x, x.transpose(-1, -2)):
        for outside in range(BORDER):
            side[..., BORDER, :] += side[..., outside, :]
            side[..., -BORDER - 1, :] += side[..., -outside - 1, :]
    return x[..., BORDER:-BORDER, BORDER:-BORDER]


@cache
def _kernel(device: torch.device, dtype: torch.dtype) -> Tensor:
    """(3, 1, 5, 5), one filter for each colour."""
    taps = torch.tensor(TAPS, dtype=torch.float64) / sum(TAPS)
    return torch.outer(taps, taps).to(device, dtype).expand(3, 1, -1, -1).contiguous()
