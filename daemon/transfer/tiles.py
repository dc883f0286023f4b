"""A picture in tiles, of which every feature is what it is in the whole picture: exact, hence no seams.

Each tile is computed with a margin as wide as a feature sees. What lies in its core counts, once; the margins serve
the cores only. The grid is aligned to the pooling, so that every pooled pixel lies in one core.
"""

from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import NamedTuple

from torch import Tensor

from . import losses
from .losses import Moments
from .network.layers import LAYERS
from .network.vgg import VGG
from .recipe import Recipe, deepest_layer, smallest_side
from .style_loss import Statistics

Measured = Mapping[str, tuple[Moments, int]]  # each with the number of pixels that it is an average over


class Span(NamedTuple):
    """Along one side, px: the core [start, stop) within what is computed, [low, high)."""

    start: int
    stop: int
    low: int
    high: int


class Tile(NamedTuple):
    """A rectangle of the picture with its margin."""

    rows: Span
    columns: Span

    def cut(self, x: Tensor) -> Tensor:
        """A view of the picture, margin and all."""
        return x[..., self.rows.low : self.rows.high, self.columns.low : self.columns.high]

    def core(self, F: Tensor, stride: int = 1, beyond: tuple[int, int] = (0, 0)) -> Tensor:
        """A view of features of a cut, without the margin; `beyond`: so many more rows and columns below it."""
        (top, bottom), (left, right) = (
            ((side.start - side.low) // stride, (side.stop - side.low) // stride + more)
            for side, more in zip((self.rows, self.columns), beyond, strict=True)
        )
        return F[..., top:bottom, left:right]


def stride(layer: str) -> int:
    """px of the picture between neighbouring pixels of a layer."""
    return 1 << sum(name.startswith("pool") for name in LAYERS[: LAYERS.index(layer) + 1])


def margin(layer: str) -> int:
    """px from a cut within which this layer, or one above it, differs from the whole picture's."""
    wide = 0  # in pixels of the layer
    for name in LAYERS[: LAYERS.index(layer) + 1]:
        wide = -(-wide // 2) if name.startswith("pool") else wide + name.startswith("conv")
    return wide * stride(layer)


def grid(height: int, width: int, side: int | None, deepest: str) -> list[Tile]:
    """Tiles of about `side` px, at least as many as it takes; None: the whole picture as one."""
    rows, columns = (_spans(length, side or length, deepest) for length in (height, width))
    return [Tile(r, c) for r in rows for c in columns]


def _spans(length: int, side: int, deepest: str) -> list[Span]:
    step, edge = smallest_side(deepest), margin(deepest)
    blocks = length // step  # what is left over belongs to the last tile, or it might be without a feature
    count = min(max(1, -(-length // side)), blocks)
    cuts = [step * (blocks * i // count) for i in range(count)] + [length]
    return [Span(a, b, max(0, a - edge), min(length, b + edge)) for a, b in pairwise(cuts)]


def features(vgg: VGG, cut: Tensor, tile: Tile, layers: Collection[str], recipe: Recipe) -> dict[str, Tensor]:
    """{layer: F} of a tile's core, from the tile cut out of the picture."""
    found = vgg.features(cut, layers, recipe.pooling, recipe.border)
    return {name: tile.core(F, stride(name)) for name, F in found.items()}


def measured(F: Mapping[str, Tensor], statistic: str) -> Measured:
    """The moments ("gram" or "covariance") of a picture's or a core's features F, each with its number of pixels."""
    of = losses.covariance if statistic == "covariance" else losses.gram
    return {name: (of(f), f.shape[-2] * f.shape[-1]) for name, f in F.items()}


def moments(found: Measured) -> Statistics:
    """The moments without their numbers of pixels."""
    return {name: pair for name, (pair, _) in found.items()}


def statistics(vgg: VGG, x: Tensor, recipe: Recipe, side: int | None) -> Statistics:
    """What the recipe's style compares, of a whole picture x (1, 3, H, W), tile by tile, on x's device."""
    layers = [name for name, _ in recipe.style_layers]
    total: Measured = {}
    for tile in grid(x.shape[-2], x.shape[-1], side, deepest_layer(recipe)):
        found = features(vgg, tile.cut(x), tile, layers, recipe)
        total = pooled(total, measured(found, recipe.statistic))
    return moments(total)


def pooled(total: Measured, part: Measured) -> Measured:
    """The moments of two sets of pixels together; `total` may be empty."""
    return {
        name: (losses.pooled(*total[name], pair, count), total[name][1] + count) if total else (pair, count)
        for name, (pair, count) in part.items()
    }
