"""The loss of a recipe and its gradient, of the whole picture or tile by tile.

`losses.total` is the same loss as one sum. Here the derivatives are in closed form, no features are computed twice for
a picture that fits into memory, and no step waits for the device.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from . import losses, tiles
from .detail import REACH
from .network.kernels import fitting
from .network.layers import cut
from .network.own import Add, Extractor
from .pyramid import add_adjoint, content_weights, level_weights, pyramid
from .recipe import Recipe, compared
from .style_loss import Statistics, StyleLoss
from .tiles import Tile


class Objective:
    """x (1, 3, H, W) in [0, 1] → loss (), gradient (1, 3, H, W), for a content picture c of x's shape.

    Style and content are compared at every level of x's pyramid at once; the total variation is of the full size.
    """

    def __init__(
        self,
        vgg: Extractor,
        recipe: Recipe,
        c: Tensor,
        A: Sequence[Statistics],
        side: int | None = None,
        keep: bool = True,
        eased: bool = False,
        grey: bool = False,
    ) -> None:
        """`A`: the style's statistics, one dictionary for each level of `pyramid.level_weights`, the full size first.

        `side`: px of a tile; None: the whole picture at once. `keep`: keep the content's features, which take tens of
        times the memory of the picture; False: recompute them at each evaluation. `eased`: minimise the eased loss
        (style_loss.Ease), which needs fewer evaluations and has its minimum nearby; the content then counts twice.
        `grey`: the mean of the gradient over the colours, so that a grey picture stays grey.
        """
        self._grey = grey
        v = level_weights(recipe, c.shape[2:], cut(vgg.layers, compared(recipe)).step)
        assert len(A) == len(v), "a target for each level"
        alpha = recipe.alpha * recipe.content_weight * (2 if eased else 1)
        beta = recipe.beta * recipe.style_weight
        self._levels: list[Level] = []
        levels = zip(pyramid(c, len(v)), A, v, content_weights(recipe, len(v)), strict=True)
        for c_k, A_k, v_k, u_k in levels:
            style = StyleLoss(A_k, {k: beta * v_k * w for k, w in recipe.style_layers}, recipe.normalized, eased)
            content = Content(vgg, recipe, c_k, side, keep, alpha * v_k * u_k)
            tv = 0.0 if self._levels else recipe.tv * recipe.smoothness
            self._levels.append(Level(vgg, recipe, style, content, tv, side, keep))

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The loss () and its gradient (1, 3, H, W) at x."""
        with torch.no_grad():
            pictures = pyramid(x.detach(), len(self._levels))
            found: tuple[Tensor, Tensor] | None = None  # loss and gradient of the levels so far
            for level in reversed(self._levels):  # the smallest first, to hold little beside the largest
                L, g = level(pictures.pop())
                if found is not None:
                    L = L + found[0]
                    add_adjoint(found[1], g)
                found = L, g
            return L, g.copy_(g.mean(1, keepdim=True).expand_as(g)) if self._grey else g

    def terms(self, x: Tensor) -> dict[str, float]:
        """The terms that add up to the loss at x, each over all levels: `style LAYER`, `content LAYER`,
        `total variation`."""
        found: dict[str, float] = {}
        with torch.no_grad():
            for level, y in zip(self._levels, pyramid(x, len(self._levels)), strict=True):
                for name, L in level.terms(y).items():
                    found[name] = found.get(name, 0.0) + L
        return found


class Content:
    """α L_content at one level: the weight of each content layer, and the content's features P in each tile."""

    def __init__(self, vgg: Extractor, recipe: Recipe, c: Tensor, side: int | None, keep: bool, alpha: float) -> None:
        self._vgg, self._recipe, self.c = vgg, recipe, c
        self._layers = [name for name, _ in recipe.content_layers]
        self._tiles = tiles.grid(c.shape[-2], c.shape[-1], side, cut(vgg.layers, compared(recipe)))
        self._kept: list[dict[str, Tensor]] = []
        measured: tiles.Measured = {}
        for number in range(len(self._tiles)):
            P = self.features(number)
            self.dtype = P[self._layers[0]].dtype  # of features
            if recipe.normalized:
                measured = tiles.pooled(measured, tiles.measured(P, "covariance"))
            if keep:
                self._kept.append({name: F if len(self._tiles) == 1 else F.clone() for name, F in P.items()})
        scale = {name: float(losses.content_scale(moments)) for name, (moments, _) in measured.items()}
        self.weights = {name: alpha * w / scale.get(name, 1.0) for name, w in recipe.content_layers}

    def features(self, number: int) -> dict[str, Tensor]:
        """{layer: P (1, N, h, w)} of the core of tile `number`."""
        if number < len(self._kept):
            return self._kept[number]
        tile = self._tiles[number]
        return tiles.features(self._vgg, tile.cut(self.c), tile, self._layers, self._recipe)


class Level:
    """The loss and gradient at one level of the pyramid, exact in tiles, too.

    Tiles need two passes. The first pass adds up the statistics of the style loss, which is not a sum over tiles. The
    second pass goes forward and backward through each tile with the derivative of the loss by each statistic. Content
    loss and total variation are sums over pixels and need the second pass only.
    """

    def __init__(
        self,
        vgg: Extractor,
        recipe: Recipe,
        style: StyleLoss,
        content: Content,
        tv: float,
        side: int | None,
        keep: bool,
    ) -> None:
        self._vgg, self._recipe, self._style, self._content, self._tv = vgg, recipe, style, content, tv
        self._height, self._width = content.c.shape[2:]
        self._side = side
        by = cut(vgg.layers, compared(recipe))
        self._tiles = tiles.grid(self._height, self._width, side, by)
        strides = {name: vgg.layers[name].stride for name, _ in recipe.style_layers}
        near = tiles.grid(self._height, self._width, side, by._replace(halo=REACH))  # the same cores
        self._places = tiles.StylePlaces(content.c, recipe.style_floor, near, strides, content.dtype, keep)
        self._layers = list(dict.fromkeys([*(name for name, _ in recipe.style_layers), *content.weights]))

    @property
    def is_whole(self) -> bool:
        return len(self._tiles) == 1

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The loss () and its gradient at x (1, 3, H, W). The gradient is a new tensor: the caller may change it."""
        if self.is_whole:
            F, back = self._vgg.forward(x, self._layers, self._recipe.pooling, self._recipe.border)
            G = tiles.moments(tiles.measured(self._of_style(F), self._recipe.statistic, self._places[0]))
            L, dG = self._style(G)
            L, gradient = self._local(L, F, back, G, dG, 0)
            return self._vary(L, x, gradient, self._tiles[0]), gradient
        G = self._statistics(x)
        L, dG = self._style(G)
        gradient = torch.zeros_like(x)
        for number, tile in enumerate(self._tiles):
            cut = tile.cut(x)
            F, back = self._vgg.forward(cut, self._layers, self._recipe.pooling, self._recipe.border)
            L, g = self._local(L, F, back, G, dG, number)
            L = self._vary(L, cut, g, tile)
            tile.cut(gradient).add_(g)
        return L, gradient

    def terms(self, x: Tensor) -> dict[str, float]:
        """{name: value} of the terms that add up to this level's loss at x."""
        G = self._statistics(x)
        found = {f"style {name}": float(L) for name, L in self._style.terms(G).items()}
        for number, tile in enumerate(self._tiles):
            P, cut = self._content.features(number), tile.cut(x)
            F = tiles.features(self._vgg, cut, tile, list(P), self._recipe)
            terms = {f"content {k}": float(losses.content(F[k], P[k])) * self._content_weight(k, P[k]) for k in P}
            if self._tv:
                terms["total variation"] = float(self._vary(x.new_zeros(()), cut, torch.zeros_like(cut), tile))
            found = {name: found.get(name, 0.0) + terms.get(name, 0.0) for name in (*found, *terms)}
        return found

    def _of_style(self, F: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: F[name] for name, _ in self._recipe.style_layers}

    def _statistics(self, x: Tensor) -> Statistics:
        return tiles.statistics(self._vgg, x, self._recipe, self._side, self._places)

    def _pixels(self, layer: str) -> int:
        """The number of pixels of the whole picture in a layer, over which statistics are averaged."""
        step = self._vgg.layers[layer].stride
        return (self._height // step) * (self._width // step)

    def _local(
        self,
        L: Tensor,
        F: dict[str, Tensor],
        back: Callable[[Add], Tensor],
        G: Statistics,
        dG: Statistics,
        number: int,
    ) -> tuple[Tensor, Tensor]:
        """L plus a tile's share of α L_content, and the tile's share of the gradient of all but the total variation.

        F, the features of the tile's cut, is emptied on the way back, to free memory early.
        """
        tile = self._tiles[number]
        P = self._content.features(number)
        places = self._places[number]
        cores = {name: tile.core(F[name], self._vgg.layers[name].stride) for name in P}
        for name, core in cores.items():
            L = torch.add(L, losses.content(core, P[name]), alpha=self._content_weight(name, core))

        def add(name: str, g: Tensor | None) -> Tensor | None:
            if name not in F:
                return g
            whole = F.pop(name)
            g = torch.zeros_like(whole) if g is None else g
            core, here = (tile.core(v, self._vgg.layers[name].stride) for v in (whole, g))
            if name in dG:
                p, pixels = places.get(name, (None, 1))
                weight = pixels / self._pixels(name)
                add_product(here, core, *losses.slope(G[name].mean, dG[name], weight), p)
            if name in P:
                scale = 2 * self._content.weights[name] / (self._pixels(name) * core.shape[1])
                if here.dtype == torch.bfloat16:  # scaled before, the difference would be lost
                    here.add_(core - P[name], alpha=scale)
                else:
                    here.add_(core, alpha=scale).sub_(P[name], alpha=scale)
            return g

        return L, back(add)

    def _content_weight(self, name: str, F: Tensor) -> float:
        """The weight of a tile's content loss in one layer; F: the features of the tile's core."""
        return self._content.weights[name] * F[0, 0].numel() / self._pixels(name)

    def _vary(self, L: Tensor, x: Tensor, g: Tensor, tile: Tile) -> Tensor:
        """L plus a tile's share of the total variation; adds the derivative to g. x and g: the cut (1, 3, h, w)."""
        if not self._tv:
            return L
        sides = ((-2, (1, 0), (self._height - 1) * self._width), (-1, (0, 1), self._height * (self._width - 1)))
        for dim, beyond, pairs in sides:
            core, here = tile.core(x, beyond=beyond), tile.core(g, beyond=beyond)
            d = core.diff(dim=dim)
            scale, length = self._tv / (3 * pairs), core.shape[dim]
            L = torch.add(L, d.square().sum(), alpha=scale)
            here.narrow(dim, 1, length - 1).add_(d, alpha=2 * scale)
            here.narrow(dim, 0, length - 1).sub_(d, alpha=2 * scale)
        return L


def add_product(g: Tensor, F: Tensor, S: Tensor, row: Tensor | None, p: Tensor | None = None) -> None:
    """g += p (S F + row) at each pixel, in place. g and F (1, N, h, w), S (N, N) symmetric, row (N,) or None.

    `p` (1, 1, h, w): the weight of each pixel; None: 1. Without a copy of g if it is contiguous as channels_last.
    """
    if kernels := fitting(g, F):
        kernels.add_product(g, F, S, row, p)
        return
    here, f = g.permute(0, 2, 3, 1), losses.maps(F)
    S = S.to(f.dtype)
    if p is not None:
        f = f * p.view(-1, 1)
    if here.is_contiguous():
        here.view(f.shape).addmm_(f, S)
    else:
        here += (f @ S).view(here.shape)
    if row is None:
        return
    row = row.to(f.dtype)
    if p is None:
        here += row
    elif here.is_contiguous():
        here.view(f.shape).addr_(p.view(-1), row)
    else:
        here += p.permute(0, 2, 3, 1) * row
