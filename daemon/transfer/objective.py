"""What a painting is judged by: the loss of a recipe, and its gradient, of the whole picture or tile by tile."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from . import losses, tiles
from .losses import Moments
from .recipe import Recipe, deepest_layer
from .tiles import PALETTE, Statistics, Tile
from .vgg import VGG


class Objective:
    """x (1, 3, H, W) → loss (), gradient (1, 3, H, W), for a content picture c of the same shape.

    In tiles of `side` px it is exact, too: one pass for the style's statistics, of which the loss is no sum over
    tiles; then, tile by tile, forward and backward with the loss's derivative by each statistic. What is a sum
    over pixels, content and total variation, needs the second pass only. `keep`: the content's features are kept
    (tens of times the picture), or else computed anew with each evaluation.
    """

    def __init__(
        self, vgg: VGG, recipe: Recipe, c: Tensor, A: Statistics, side: int | None = None, keep: bool = True
    ) -> None:
        self._vgg, self._recipe, self._c, self._A, self._side = vgg, recipe, c, A, side
        self._shape = c.shape[-2:]
        self._tiles = tiles.grid(c.shape[-2], c.shape[-1], side, deepest_layer(recipe))
        self._layers = list(dict.fromkeys(name for name, _ in recipe.style_layers + recipe.content_layers))
        self._kept: list[dict[str, Tensor]] | None = [] if keep else None
        self._scale = self._content_scales()

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = x.detach()
        if len(self._tiles) > 1:
            return self._in_tiles(x)
        with torch.enable_grad():
            x.requires_grad_(True)
            F = self._vgg.features(x, self._layers, self._recipe.pooling, self._recipe.border)
            G = {name: moments for name, (moments, _) in tiles.measured(F, x, self._recipe).items()}
            L = _sum([*self._local(F, x, self._tiles[0], 0).values(), *self._style(G).values()])
            (gradient,) = torch.autograd.grad(L, x)
        return L.detach(), gradient

    def terms(self, x: Tensor) -> dict[str, float]:
        """What the loss at x is the sum of: `style LAYER`, `palette`, `content LAYER`, `total variation`."""
        with torch.no_grad():
            found = self._style(tiles.statistics(self._vgg, x, self._recipe, self._side))
            layers = [name for name, _ in self._recipe.content_layers]
            for number, tile in enumerate(self._tiles):
                cut = tile.cut(x)
                F = tiles.features(self._vgg, cut, tile, layers, self._recipe)
                for name, L in self._local(F, cut, tile, number).items():
                    found[name] = found[name] + L if name in found else L
        return {name: float(L) for name, L in found.items()}

    def _in_tiles(self, x: Tensor) -> tuple[Tensor, Tensor]:
        recipe = self._recipe
        with torch.no_grad():
            G = tiles.statistics(self._vgg, x, recipe, self._side)
        loss, by_statistic = self._style_by_statistic(G)
        means = {name: None if moments.mean is None else moments.mean.detach() for name, moments in G.items()}
        gradient = torch.zeros_like(x)
        for number, tile in enumerate(self._tiles):
            with torch.enable_grad():
                cut = tile.cut(x).clone().requires_grad_(True)
                F = tiles.features(self._vgg, cut, tile, self._layers, recipe)
                terms = _flat(
                    losses.share(part, means[name], count / self._pixels(name))
                    for name, (part, count) in tiles.measured(F, tile.core(cut), recipe).items()
                )
                L = _sum(self._local(F, cut, tile, number).values())
                (g,) = torch.autograd.grad([L, *terms], cut, [torch.ones_like(L), *by_statistic])
            tile.cut(gradient).add_(g)
            loss = loss + L.detach()
        return loss, gradient

    def _style_by_statistic(self, G: Statistics) -> tuple[Tensor, list[Tensor]]:
        """β L_style, and its derivative by each statistic."""
        with torch.enable_grad():
            for v in _flat(G.values()):
                v.requires_grad_(True)
            L = _sum(self._style(G).values())
            return L.detach(), [*torch.autograd.grad(L, _flat(G.values()))]

    def _pixels(self, name: str) -> int:
        """So many pixels of the whole picture a statistic is an average over."""
        height, width = self._shape
        step = {"pixels": 1, "patches": tiles.PATCH}.get(name) or tiles.stride(name)
        return (height // step) * (width // step)

    def _local(self, F: Mapping[str, Tensor], x: Tensor, tile: Tile, number: int) -> dict[str, Tensor]:
        """A tile's share of α L_content and the total variation; x and F: its cut and its core's features."""
        recipe, P = self._recipe, self._content(tile, number)
        alpha, tv = recipe.alpha * recipe.content_weight, recipe.tv * recipe.smoothness
        L = {
            f"content {k}": alpha
            * w
            * losses.content(F[k], P[k])
            / self._scale[k]
            * (P[k][0, 0].numel() / self._pixels(k))
            for k, w in recipe.content_layers
        }
        if not tv:
            return L
        height, width = self._shape
        down, right = tile.core(x, beyond=(1, 0)), tile.core(x, beyond=(0, 1))
        pairs_down = (down.shape[-2] - 1) * down.shape[-1] / ((height - 1) * width)
        pairs_right = right.shape[-2] * (right.shape[-1] - 1) / (height * (width - 1))
        variation = losses.variation(down, -2) * pairs_down + losses.variation(right, -1) * pairs_right
        return L | {"total variation": tv * variation}

    def _content(self, tile: Tile, number: int) -> dict[str, Tensor]:
        """The content's features in a tile's core."""
        if self._kept is not None and number < len(self._kept):
            return self._kept[number]
        layers = [name for name, _ in self._recipe.content_layers]
        with torch.no_grad():
            return tiles.features(self._vgg, tile.cut(self._c), tile, layers, self._recipe)

    def _content_scales(self) -> dict[str, Tensor | float]:
        """What each content layer's error is divided by; the features are kept on the way, where they are to be."""
        total: tiles.Measured = {}
        for number, tile in enumerate(self._tiles):
            P = self._content(tile, number)
            if self._recipe.normalized:
                parts = {name: (losses.covariance(P[name]), P[name][0, 0].numel()) for name in P}
                total = tiles.pooled(total, parts)
            if self._kept is not None:
                self._kept.append({name: F if len(self._tiles) == 1 else F.clone() for name, F in P.items()})
        if not self._recipe.normalized:
            return {name: 1.0 for name, _ in self._recipe.content_layers}
        return {name: losses.content_scale(moments) for name, (moments, _) in total.items()}

    def _style(self, G: Mapping[str, Moments]) -> dict[str, Tensor]:
        """β L_style, layer by layer, and the palette."""
        recipe, A = self._recipe, self._A
        error = losses.relative_style if recipe.normalized else losses.style
        beta = recipe.beta * recipe.style_weight
        L = {f"style {name}": beta * w * error(G[name], A[name]) for name, w in recipe.style_layers}
        if recipe.palette:
            pairs = [losses.relative_style(G[name], A[name]) for name in PALETTE]
            L["palette"] = beta * recipe.palette * _sum(pairs) / len(pairs)
        return L


def _flat(moments: Iterable[Moments]) -> list[Tensor]:
    return [v for pair in moments for v in pair if v is not None]


def _sum(terms: Iterable[Tensor]) -> Tensor:
    first, *rest = terms
    return sum(rest, first)
