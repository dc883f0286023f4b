"""What a painting is judged by: the loss of a recipe, and its gradient, of the whole picture or tile by tile."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from . import losses, tiles
from .losses import Moments
from .network.kernels import fitting
from .network.vgg import VGG, Backward
from .recipe import Recipe, deepest_layer
from .targets import resized
from .tiles import PALETTE, Statistics, Tile

WHOLE = 512  # px along the long side: no larger picture is seen whole by the style
SEEN = 0.4  # of that length, for the contours that are the content's; finer edges are the strokes'


class Objective:
    """x (1, 3, H, W) → loss (), gradient (1, 3, H, W), for a content picture c of the same shape.

    In tiles of `side` px it is exact, too: one pass for the style's statistics, of which the loss is no sum over
    tiles; then, tile by tile, forward and backward with the loss's derivative by each statistic. What is a sum
    over pixels, content and total variation, needs the second pass only. `keep`: the content's features are kept
    (tens of times the picture), or else computed anew with each evaluation. `eased`: another loss, quicker to minimise,
    near whose minimum this one's is: no direction of a Gram matrix counts much more than the rest, the content doubly.
    """

    def __init__(
        self,
        vgg: VGG,
        recipe: Recipe,
        c: Tensor,
        A: Statistics,
        side: int | None = None,
        keep: bool = True,
        eased: bool = False,
    ) -> None:
        self._vgg, self._recipe, self._c, self._A, self._side = vgg, recipe, c, A, side
        self._shape = c.shape[-2:]
        self._tiles = tiles.grid(c.shape[-2], c.shape[-1], side, deepest_layer(recipe))
        self._layers = list(dict.fromkeys(name for name, _ in recipe.style_layers + recipe.content_layers))
        self._kept: list[dict[str, Tensor]] | None = [] if keep else None
        self._alpha = recipe.alpha * recipe.content_weight * (2 if eased else 1)
        self._beta = recipe.beta * recipe.style_weight
        self._eases = {name: losses.ease(A[name], self._beta * w) for name, w in recipe.style_layers} if eased else {}
        self._weights = self._content_weights()
        # Beyond WHOLE the style no longer sees broad strokes whole: what holds them back sees less of them, too, and
        # holds them less, or they would be fainter in a large painting than in a small one.
        beyond = min(1, WHOLE / max(self._shape))
        smaller = SEEN * beyond**1.5
        self._view = [max(1, round(length * smaller)) for length in self._shape]
        self._hold = self._alpha * recipe.contours * beyond**2
        self._edges = losses.edges(resized(c, self._view)) if recipe.contours else None

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Whatever gradient x itself may require is not looked at."""
        with torch.no_grad():
            x = x.detach()
            return (self._whole if len(self._tiles) == 1 else self._in_tiles)(x, *self._of_contours(x))

    def _whole(self, x: Tensor, loss: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
        F, back = self._vgg.forward(x, self._layers, self._recipe.pooling, self._recipe.border)
        G = {name: moments for name, (moments, _) in tiles.measured(F, x, self._recipe).items()}
        of_style, dG = self._style_by_statistic(G)
        local, g = self._local(x, F, back, G, dG, self._tiles[0], 0)
        return loss + of_style + local, gradient.add_(g)

    def terms(self, x: Tensor) -> dict[str, float]:
        """What the loss at x adds up: `style LAYER`, `palette`, `contours`, `content LAYER`, `total variation`."""
        with torch.no_grad():
            found = self._style(tiles.statistics(self._vgg, x, self._recipe, self._side)) | self._contours(x)
            layers = [name for name, _ in self._recipe.content_layers]
            for number, tile in enumerate(self._tiles):
                cut = tile.cut(x)
                F = tiles.features(self._vgg, cut, tile, layers, self._recipe)
                P = self._content(tile, number)
                for name, L in (self._content_terms(F, P) | self._variation(cut, tile)).items():
                    found[name] = found[name] + L if name in found else L
        return {name: float(L) for name, L in found.items()}

    def _in_tiles(self, x: Tensor, loss: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
        G = tiles.statistics(self._vgg, x, self._recipe, self._side)
        of_style, dG = self._style_by_statistic(G)
        loss = loss + of_style
        for number, tile in enumerate(self._tiles):
            cut = tile.cut(x)
            F, back = self._vgg.forward(cut, self._layers, self._recipe.pooling, self._recipe.border)
            local, g = self._local(cut, F, back, G, dG, tile, number)
            tile.cut(gradient).add_(g)
            loss = loss + local
        return loss, gradient

    def _style_by_statistic(self, G: Statistics) -> tuple[Tensor, Statistics]:
        """β L_style, and its derivative by each statistic."""
        with torch.enable_grad():
            for v in _flat(G.values()):
                v.requires_grad_(True)
            L = _sum(self._style(G).values())
            found = iter(torch.autograd.grad(L, _flat(G.values())))
        for v in _flat(G.values()):
            v.requires_grad_(False)
        return L.detach(), {k: Moments(next(found), None if m.mean is None else next(found)) for k, m in G.items()}

    def _pixels(self, name: str) -> int:
        """So many pixels of the whole picture a statistic is an average over."""
        height, width = self._shape
        step = {"pixels": 1, "patches": tiles.PATCH}.get(name) or tiles.stride(name)
        return (height // step) * (width // step)

    def _local(
        self, x: Tensor, F: dict[str, Tensor], back: Backward, G: Statistics, dG: Statistics, tile: Tile, number: int
    ) -> tuple[Tensor, Tensor]:
        """A tile's share of α L_content and the total variation, and of the whole loss's gradient; x: its cut.

        F, the whole cut's features, goes down to nothing on the way back.
        """
        styles, P = dict(self._recipe.style_layers), self._content(tile, number)
        L, gradient = self._of_pixels(x, G, dG, tile)
        L = L + _sum(self._content_terms({k: tile.core(F[k], tiles.stride(k)) for k in P}, P).values())

        def add(name: str, g: Tensor | None) -> Tensor | None:
            if name not in F:
                return g
            whole = F.pop(name)
            g = torch.zeros_like(whole) if g is None else g
            core, here = (tile.core(v, tiles.stride(name)) for v in (whole, g))
            M = self._pixels(name)
            if name in styles:
                add_product(here, core, *losses.slope(G[name].mean, dG[name], M))
            if name in P:
                scale = 2 * self._weights[name] / (M * core.shape[1])
                here.add_(core, alpha=scale).sub_(P[name], alpha=scale)
            return g

        return L, back(add) + gradient

    def _of_contours(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Their loss and its gradient: of the whole picture, which is small where they are seen."""
        if self._edges is None:
            return x.new_zeros(()), torch.zeros_like(x)
        with torch.enable_grad():
            x = x.detach().requires_grad_(True)
            (L,) = self._contours(x).values()
            (gradient,) = torch.autograd.grad(L, x)
        return L.detach(), gradient

    def _contours(self, x: Tensor) -> dict[str, Tensor]:
        """What their loss is multiplied by, times L_contours, where it counts."""
        if self._edges is None:
            return {}
        E = losses.edges(resized(x, self._view))
        return {"contours": self._hold * losses.contours(E, self._edges)}

    def _of_pixels(self, x: Tensor, G: Statistics, dG: Statistics, tile: Tile) -> tuple[Tensor, Tensor]:
        """A tile's share of the total variation, and the gradient of that and of the palette; x: its cut."""
        recipe = self._recipe
        if not recipe.tv and not recipe.palette:
            return x.new_zeros(()), torch.zeros_like(x)
        with torch.enable_grad():
            x = x.detach().clone().requires_grad_(True)
            L = _sum([x.sum() * 0, *self._variation(x, tile).values()])
            terms, slopes = [L], [torch.ones_like(L)]
            for name, (part, count) in tiles.palette(tile.core(x)).items() if recipe.palette else ():
                terms += _flat([losses.share(part, G[name].mean, count / self._pixels(name))])
                slopes += _flat([dG[name]])
            (gradient,) = torch.autograd.grad(terms, x, slopes)
        return L.detach(), gradient

    def _content_terms(self, F: Mapping[str, Tensor], P: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A tile's share of α L_content, layer by layer; F and P: its core's features and the content's."""
        share = {k: P[k][0, 0].numel() / self._pixels(k) for k in P}
        return {f"content {k}": self._weights[k] * share[k] * losses.content(F[k], P[k]) for k in P}

    def _variation(self, x: Tensor, tile: Tile) -> dict[str, Tensor]:
        """A tile's share of the total variation, where it counts; x: its cut."""
        tv = self._recipe.tv * self._recipe.smoothness
        if not tv:
            return {}
        height, width = self._shape
        down, right = tile.core(x, beyond=(1, 0)), tile.core(x, beyond=(0, 1))
        pairs_down = (down.shape[-2] - 1) * down.shape[-1] / ((height - 1) * width)
        pairs_right = right.shape[-2] * (right.shape[-1] - 1) / (height * (width - 1))
        variation = losses.variation(down, -2) * pairs_down + losses.variation(right, -1) * pairs_right
        return {"total variation": tv * variation}

    def _content(self, tile: Tile, number: int) -> dict[str, Tensor]:
        """The content's features in a tile's core."""
        if self._kept is not None and number < len(self._kept):
            return self._kept[number]
        layers = [name for name, _ in self._recipe.content_layers]
        with torch.no_grad():
            return tiles.features(self._vgg, tile.cut(self._c), tile, layers, self._recipe)

    def _content_weights(self) -> dict[str, float]:
        """What each content layer's error is multiplied by; the features are kept on the way, if they are to be."""
        recipe = self._recipe
        total: tiles.Measured = {}
        for number, tile in enumerate(self._tiles):
            P = self._content(tile, number)
            if recipe.normalized:
                parts = {name: (losses.covariance(P[name]), P[name][0, 0].numel()) for name in P}
                total = tiles.pooled(total, parts)
            if self._kept is not None:
                self._kept.append({name: F if len(self._tiles) == 1 else F.clone() for name, F in P.items()})
        scale = {name: float(losses.content_scale(moments)) for name, (moments, _) in total.items()}
        return {k: self._alpha * w / scale.get(k, 1.0) for k, w in recipe.content_layers}

    def _style(self, G: Mapping[str, Moments]) -> dict[str, Tensor]:
        """β L_style, layer by layer, and the palette."""
        recipe, A = self._recipe, self._A
        error = losses.relative_style if recipe.normalized else losses.style

        def of_layer(name: str) -> Tensor:
            eases = self._eases
            return losses.eased(G[name], A[name], eases[name]) if eases else error(G[name], A[name])

        L = {f"style {name}": self._beta * w * of_layer(name) for name, w in recipe.style_layers}
        if recipe.palette:
            pairs = [losses.relative_style(G[name], A[name]) for name in PALETTE]
            L["palette"] = self._beta * recipe.palette * _sum(pairs) / len(pairs)
        return L


def add_product(g: Tensor, F: Tensor, S: Tensor, row: Tensor | None) -> None:
    """g += S F + row, pixel by pixel, in place; S (N, N) is symmetric. Without a copy where both are whole."""
    if kernels := fitting(g, F):
        kernels.add_product(g, F, S, row)
        return
    here, f = g.permute(0, 2, 3, 1), losses.maps(F)
    if here.is_contiguous() and here.dtype == f.dtype:
        here.view(f.shape).addmm_(f, S)
    else:
        here += (f @ S).view(here.shape)
    if row is not None:
        here += row


def _flat(moments: Iterable[Moments]) -> list[Tensor]:
    return [v for pair in moments for v in pair if v is not None]


def _sum(terms: Iterable[Tensor]) -> Tensor:
    first, *rest = terms
    return sum(rest, first)
