"""How much the style counts in each place: in full where the photo is smooth, less at its edges.

The style loss compares sums over the whole picture. Without weights, houses and trees alone can give the sums the
style's texture, and the sky beside them stays an unpainted photo. With weights, the sky has to take the style's own
shapes, and houses and faces stay what they are.
"""

from typing import NamedTuple

import torch.nn.functional as nn_f
from torch import Tensor

WINDOW = 9  # px, the side of the square in which the edges are averaged
REACH = WINDOW // 2 + 1  # px that the energy of a place sees to each side
HALF = 0.5  # part of the picture's mean energy at which a place counts half way between 1 and the floor
SPECK = 1e-12  # added, so that a picture of one colour is smooth


class Places(NamedTuple):
    """How much the pixels of a tile's core count in the statistics of one layer."""

    p: Tensor  # (1, 1, h, w), the weight of each pixel; the weights add up to 1
    pixels: float  # how many pixels of the layer the core counts as; all cores together count as all pixels


def style_weights(c: Tensor, floor: float) -> Tensor:
    """W (1, 1, H, W) of a photo c (1, 3, H, W) in [0, 1]: 1 where c is smooth, down to nearly `floor` at its edges.

    1 - W grows with e / (e + HALF·ē), where e is the energy of the edges and ē its mean.
    """
    e = energy(c)
    return weights(e, float(e.mean()), floor)


def weights(e: Tensor, mean: float, floor: float) -> Tensor:
    """W of e's shape, from the energy e of a part of a photo and the mean of the whole photo's."""
    return (e / (e + (HALF * mean + SPECK))).mul_(floor - 1).add_(1)


def energy(c: Tensor) -> Tensor:
    """e (1, 1, H, W) of c (1, 3, H, W): the squared gradient of the brightness, averaged over WINDOW.

    Beyond the border the outermost values are repeated.
    """
    y = c.mean(1, keepdim=True)
    e = nn_f.pad(y, (0, 1, 0, 0), mode="replicate").diff(dim=-1).square_()
    e += nn_f.pad(y, (0, 0, 0, 1), mode="replicate").diff(dim=-2).square_()
    return nn_f.avg_pool2d(nn_f.pad(e, (WINDOW // 2,) * 4, mode="replicate"), WINDOW, stride=1)


def of_features(W: Tensor, stride: int) -> Tensor:
    """(1, 1, H // stride, W // stride): the mean weight of the pixels of each feature."""
    return nn_f.avg_pool2d(W, stride)
