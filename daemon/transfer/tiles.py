"""A picture in tiles. Each feature equals the feature of the whole picture, so there are no seams.

Each tile is computed with a margin as wide as a feature sees. Only the features of its core count, so each feature
counts once. The grid is aligned to the pooling, so that every pooled pixel lies in exactly one core.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from . import losses
from .detail import Places, energy, of_features, weights
from .losses import Moments
from .network.layers import Cut, cut
from .network.own import Extractor
from .recipe import Recipe, compared
from .style_loss import Statistics

Measured = Mapping[str, tuple[Moments, float]]  # (moments, number of their pixels), by layer


class Span(NamedTuple):
    """A tile along one side, px of the picture: the core [start, stop) within the cut [low, high)."""

    start: int
    stop: int
    low: int
    high: int


class Tile(NamedTuple):
    """A rectangle of the picture: the core, and the cut, which is the core with its margin."""

    rows: Span
    columns: Span

    def cut(self, x: Tensor) -> Tensor:
        """The tile's cut of a picture x (…, H, W), a view."""
        return x[..., self.rows.low : self.rows.high, self.columns.low : self.columns.high]

    def core(self, F: Tensor, stride: int = 1, beyond: tuple[int, int] = (0, 0)) -> Tensor:
        """The core of features F (…, h, w) of the tile's cut, a view.

        `stride`: the layer's. `beyond`: rows below and columns to the right of the core to include.
        """
        (top, bottom), (left, right) = (
            ((side.start - side.low) // stride, (side.stop - side.low) // stride + more)
            for side, more in zip((self.rows, self.columns), beyond, strict=True)
        )
        return F[..., top:bottom, left:right]


def grid(height: int, width: int, side: int | None, by: Cut) -> list[Tile]:
    """The tiles of a picture of height × width px, each of about `side` px; None: one tile, the whole picture."""
    rows, columns = (_spans(length, side or length, by.step, by.halo or 0) for length in (height, width))
    return [Tile(r, c) for r in rows for c in columns]


def _spans(length: int, side: int, step: int, edge: int) -> list[Span]:
    blocks = length // step  # the rest goes to the last tile: alone it might hold no feature
    count = min(max(1, -(-length // side)), blocks)
    cuts = [step * (blocks * i // count) for i in range(count)] + [length]
    return [Span(a, b, max(0, a - edge), min(length, b + edge)) for a, b in pairwise(cuts)]


def features(vgg: Extractor, cut: Tensor, tile: Tile, layers: Collection[str], recipe: Recipe) -> dict[str, Tensor]:
    """{layer: F (1, N, h, w)} of a tile's core, from the tile's cut (1, 3, H, W) of the picture."""
    found = vgg.features(cut, layers, recipe.pooling, recipe.border)
    return {name: tile.core(F, vgg.layers[name].stride) for name, F in found.items()}


class StylePlaces:
    """How much each pixel counts in the style's statistics, by the photo c (1, 3, H, W): see detail.py."""

    def __init__(
        self, c: Tensor, floor: float, tiles: Sequence[Tile], strides: Mapping[str, int], dtype: torch.dtype, keep: bool
    ) -> None:
        """`floor`: Recipe.style_floor. `tiles`: whose margin is at least REACH. `strides`: of each layer that the style
        is compared in. `dtype`: of features. `keep`: keep the weights; False: compute those of a tile when they are
        asked for.
        """
        self._c, self._floor, self._tiles, self._strides, self._dtype = c, floor, tiles, strides, dtype
        self._kept: list[Mapping[str, Places]] = []
        if floor == 1:
            return
        self._mean = sum(float(self._energy(tile).sum()) for tile in tiles) / c[0, 0].numel()
        found = [{n: (float(w.sum()), w.numel()) for n, w in self._weights(tile).items()} for tile in tiles]
        sums, pixels = ({n: sum(part[n][which] for part in found) for n in found[0]} for which in (0, 1))
        self._pixels = [{n: pixels[n] * (part[n][0] / sums[n]) for n in part} for part in found]  # by tile and stride
        if keep:
            self._kept = [self._of(number) for number in range(len(tiles))]

    def __getitem__(self, number: int) -> Mapping[str, Places]:
        """By layer, of the core of tile `number`; {}: all pixels of the picture count the same."""
        if self._floor == 1:
            return {}
        return self._kept[number] if self._kept else self._of(number)

    def _of(self, number: int) -> Mapping[str, Places]:
        found = {
            stride: Places((w / w.sum()).to(self._dtype), self._pixels[number][stride])
            for stride, w in self._weights(self._tiles[number]).items()
        }
        return {name: found[stride] for name, stride in self._strides.items()}

    def _weights(self, tile: Tile) -> dict[int, Tensor]:
        """(1, 1, h, w) of the tile's core, by stride; they do not add up to 1 yet."""
        W = weights(self._energy(tile), self._mean, self._floor)
        return {stride: of_features(W, stride) for stride in dict.fromkeys(self._strides.values())}

    def _energy(self, tile: Tile) -> Tensor:
        return tile.core(energy(tile.cut(self._c)))


def measured(F: Mapping[str, Tensor], statistic: str, at: Mapping[str, Places] | None = None) -> Measured:
    """{layer: (moments, number of pixels)} of features F; `statistic`: "gram" or "covariance".

    `at`: how much the pixels count; None or {}: all the same.
    """
    of = losses.covariance if statistic == "covariance" else losses.gram
    if at:
        return {name: (of(f, at[name].p), at[name].pixels) for name, f in F.items()}
    return {name: (of(f), f.shape[-2] * f.shape[-1]) for name, f in F.items()}


def moments(found: Measured) -> Statistics:
    """{layer: moments}, without the numbers of pixels."""
    return {name: pair for name, (pair, _) in found.items()}


def statistics(
    vgg: Extractor, x: Tensor, recipe: Recipe, side: int | None, places: StylePlaces | None = None
) -> Statistics:
    """The statistics that the recipe's style loss compares, of a picture x (1, 3, H, W), on x's device.

    `side`: px of a tile; None: the whole picture at once. `places`: how much the pixels count; None: all the same.
    """
    layers = [name for name, _ in recipe.style_layers]
    total: Measured = {}
    for number, tile in enumerate(grid(x.shape[-2], x.shape[-1], side, cut(vgg.layers, compared(recipe)))):
        found = features(vgg, tile.cut(x), tile, layers, recipe)
        total = pooled(total, measured(found, recipe.statistic, places[number] if places else None))
    return moments(total)


def pooled(total: Measured, part: Measured) -> Measured:
    """The moments of the pixels of `total` and `part` together; `total` may be empty."""
    return {
        name: (losses.pooled(*total[name], pair, count), total[name][1] + count) if total else (pair, count)
        for name, (pair, count) in part.items()
    }
