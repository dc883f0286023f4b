"""Style targets: the statistics of the style pictures, kept on the device from painting to painting."""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as nn_f
from numpy.typing import NDArray
from torch import Tensor

from . import losses, tiles
from .network.layers import cut
from .network.own import Extractor
from .pyramid import pyramid
from .recipe import Recipe, compared
from .style_loss import Statistics

Picture = NDArray[np.float32]  # (H, W, 3) in [0, 1] sRGB
StylePictures = Sequence[tuple[Picture, float]]  # each with its weight
KEPT = 32  # targets: styles × settings × scales; at most a few MB each


class Style:
    """Style pictures, each (h, w, 3) with its weight, hashed once for all scales of a painting."""

    def __init__(self, pictures: StylePictures) -> None:
        self.pictures = pictures

    @cached_property
    def key(self) -> tuple[object, ...]:
        """Hashes of all pixels, and the weights."""
        return tuple((_digest(picture), weight) for picture, weight in self.pictures)


class Targets:
    """The KEPT targets that were used last.

    The key holds a hash of all pixels. It also holds the size of tiles, on which the last bits depend: the bits of a
    painting must not depend on the paintings before it.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        # by hand: transfer/ also runs where only torch, numpy and safetensors are installed
        self._kept: OrderedDict[tuple[object, ...], list[Statistics]] = OrderedDict()

    def get(
        self, vgg: Extractor, style: Style, recipe: Recipe, fraction: float, levels: int, side: int | None = None
    ) -> list[Statistics]:
        """The target at each of `levels` levels of the pyramid, the largest first, averaged by the pictures' weights.

        `fraction`: of the size at which the pictures come, above 0, at most 1. `side`: px of a tile; None: whole.
        """
        layers = tuple(name for name, _ in recipe.style_layers)
        least = cut(vgg.layers, compared(recipe)).step
        look = recipe.pooling, recipe.border, recipe.statistic
        key = (style.key, layers, look, fraction, levels, least, side)
        if key not in self._kept:
            self._kept[key] = self._computed(vgg, style.pictures, recipe, fraction, levels, least, side)
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return self._kept[key]

    def _computed(
        self,
        vgg: Extractor,
        pictures: StylePictures,
        recipe: Recipe,
        fraction: float,
        levels: int,
        least: int,
        side: int | None,
    ) -> list[Statistics]:
        found: list[list[tuple[Statistics, float]]] = [[] for _ in range(levels)]
        for picture, weight in pictures:
            s = scaled(picture, fraction, least).to(self._device)
            for level, A in zip(found, by_level(vgg, s, recipe, levels, side), strict=True):
                level.append((A, weight))
        return [{k: losses.blend([(A[k], weight) for A, weight in level]) for k in level[0][0]} for level in found]


def by_level(vgg: Extractor, s: Tensor, recipe: Recipe, levels: int, side: int | None = None) -> list[Statistics]:
    """The statistics at each level of the pyramid of a style picture s (1, 3, h, w), the largest level first."""
    least = cut(vgg.layers, compared(recipe)).step
    return [tiles.statistics(vgg, padded(level, least), recipe, side) for level in pyramid(s, levels)]


def scaled(picture: Picture, fraction: float, least: int) -> Tensor:
    """A style picture (h, w, 3) at this fraction of its size, (1, 3, h', w'); each side at least `least` px."""
    full = tensor(picture, least)
    return at_size(full, [max(least, round(length * fraction)) for length in full.shape[2:]])


def padded(x: Tensor, least: int) -> Tensor:
    """x (1, 3, H, W) with sides below `least` px lengthened to `least` by repeating the last pixels."""
    height, width = x.shape[2:]
    if min(height, width) >= least:
        return x
    return nn_f.pad(x, (0, max(0, least - width), 0, max(0, least - height)), mode="replicate")


def tensor(picture: Picture, least: int) -> Tensor:
    """(H, W, 3) → (1, 3, H', W'), sides below `least` px lengthened to `least` by repeating the last pixels.

    A view of the picture where possible, because a large picture leaves no memory for a copy: do not write to it.
    """
    height, width = picture.shape[:2]
    if min(height, width) < least:
        picture = np.pad(picture, ((0, max(0, least - height)), (0, max(0, least - width)), (0, 0)), mode="edge")
    if not (picture.flags.c_contiguous and picture.flags.writeable):  # torch warns of read-only arrays
        picture = picture.copy()
    return torch.from_numpy(picture).permute(2, 0, 1)[None]


def at_size(x: Tensor, shape: Sequence[int]) -> Tensor:
    """x (1, 3, H, W) in [0, 1] at `shape` (H', W'), clipped to [0, 1]; x itself if x has that shape."""
    return x if tuple(x.shape[2:]) == tuple(shape) else resized(x, shape).clamp_(0, 1)


def resized(x: Tensor, shape: Sequence[int]) -> Tensor:
    """x (1, 3, H, W) at `shape` (H', W'), bicubic, antialiased when shrinking; x itself if x has that shape.

    The result may leave [0, 1] by a little.
    """
    if tuple(x.shape[2:]) == tuple(shape):
        return x
    if x.device.type == "mps":  # torch has no such filter for Apple's GPUs
        return resized(x.cpu(), shape).to(x.device)
    return nn_f.interpolate(x, size=list(shape), mode="bicubic", antialias=True)


def _digest(picture: Picture) -> bytes:
    found = hashlib.blake2b(np.ascontiguousarray(picture).data, digest_size=16)
    found.update(repr(picture.shape).encode())
    return found.digest()
