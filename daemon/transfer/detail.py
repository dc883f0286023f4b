"""How much the content counts in each place: in full at the photo's edges, less where the photo is smooth.

A sky or still water may then take on the style's own shapes, while houses and faces stay as they are.
"""

import torch.nn.functional as nn_f
from torch import Tensor

WINDOW = 9  # px, the side of the square in which the edges are averaged
HALF = 0.5  # part of the picture's mean energy at which a place counts half
SPECK = 1e-12  # added, so that a picture of one colour is smooth


def detail_weights(c: Tensor, floor: float) -> Tensor:
    """W (1, 1, H, W) of a picture c (1, 3, H, W) in [0, 1]: from `floor`, where c is smooth, to nearly 1 at its edges.

    The energy e of the edges is the squared gradient of the brightness, averaged over WINDOW; W grows with
    e / (e + HALF·ē), where ē is the mean of e.
    """
    e = energy(c)
    return (e / (e + HALF * e.mean() + SPECK)).mul_(1 - floor).add_(floor)


def energy(c: Tensor) -> Tensor:
    """e (1, 1, H, W); beyond the border the outermost values are repeated."""
    y = c.mean(1, keepdim=True)
    e = nn_f.pad(y, (0, 1, 0, 0), mode="replicate").diff(dim=-1).square_()
    e += nn_f.pad(y, (0, 0, 0, 1), mode="replicate").diff(dim=-2).square_()
    return nn_f.avg_pool2d(nn_f.pad(e, (WINDOW // 2,) * 4, mode="replicate"), WINDOW, stride=1)


def of_features(W: Tensor, stride: int) -> Tensor:
    """(1, 1, H // stride, W // stride): the mean weight of the pixels of each feature."""
    return nn_f.avg_pool2d(W, stride)
