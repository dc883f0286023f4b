"""The style loss at one size of the picture, from its statistics, and the derivative in closed form.

All statistics lie in one vector: L = Σ w off², off = G - A, dL/dG = 2 w off. A few GPU launches suffice, and autograd
is not needed. `Objective` adds up one StyleLoss for each level of the pyramid.

A second moment Σ p_k F_k F_kᵀ has each feature F_k twice, so that dL/dF_k = p_k (2 dL/dG) F_k. The 2 is multiplied in
here, once for all layers.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from .losses import Moments, relative_weights

Statistics = dict[str, Moments]  # of a picture, by layer


class StyleLoss:
    """Σ w_l E_l for targets A. `weights` {layer: w_l} include every other factor of the loss, such as β."""

    def __init__(self, A: Statistics, weights: Mapping[str, float], normalized: bool, eased: bool = False) -> None:
        """`normalized`: errors relative to the target (losses.relative_style); False: the paper's (losses.style).

        `eased`: the eased loss, see Ease; for Gram matrices only.
        """
        self._shapes = {name: (len(A[name].second), A[name].mean is not None) for name in weights}
        self._A = _flat([A[name] for name in weights])
        self._w = torch.cat([_weights(A[name], w, normalized) for name, w in weights.items()])
        self._factors = torch.cat([_filled(A[name], 4.0, 2.0) for name in weights])  # of w off in the derivative
        self._eases = [Ease(A[name], w) for name, w in weights.items()] if eased else []

    def __call__(self, G: Statistics) -> tuple[Tensor, Statistics]:
        """L (), and {layer: (2 dL/d(second moments), symmetric; dL/d(mean))} in the shapes of G."""
        off = self._off(G)
        slope = off * self._w
        L = slope @ off
        return L, self._moments(self._turned_back(slope.mul_(self._factors)))

    def terms(self, G: Statistics) -> dict[str, Tensor]:
        """{layer: w_l E_l}, which add up to L."""
        off = self._off(G)
        parts = torch.split(off.square() * self._w, [n * n + n * mean for n, mean in self._shapes.values()])
        return {name: part.sum() for name, part in zip(self._shapes, parts, strict=True)}

    def _off(self, G: Statistics) -> Tensor:
        off = _flat([G[name] for name in self._shapes]).sub_(self._A)
        if not self._eases:
            return off
        parts = zip(self._eases, self._moments(off).values(), strict=True)
        return torch.cat([ease.turned(moments.second).flatten() for ease, moments in parts])

    def _turned_back(self, slope: Tensor) -> Tensor:
        if not self._eases:
            return slope
        parts = zip(self._eases, self._moments(slope).values(), strict=True)
        return torch.cat([ease.turned_back(moments.second).flatten() for ease, moments in parts])

    def _moments(self, flat: Tensor) -> Statistics:
        """The vector as {layer: Moments}, views."""
        found, at = {}, 0
        for name, (n, has_mean) in self._shapes.items():
            second = flat[at : at + n * n].view(n, n)
            at += n * n
            found[name] = Moments(second, flat[at : at + n] if has_mean else None)
            at += n * has_mean
        return found


class Ease:
    """Weighs the differences of a layer's Gram matrices so that no direction of w E_l is much steeper than 1.

    In the space of Gram matrices the steepness of E_l follows the target's eigenvalues λ. Along a few directions it is
    orders of magnitude larger, and these directions force small steps of L-BFGS along all. So the part of G - A along
    the eigenvectors i and j is multiplied by (1 + (λ_i + λ_j) w / N⁴)^-½. Departure: the paper has no such loss. The
    first evaluations minimise the eased loss, the rest the recipe's own (Recipe.eased).
    """

    def __init__(self, A: Moments, weight: float) -> None:
        values, axes = torch.linalg.eigh(A.second.cpu().double())
        steep = (values[:, None] + values).clamp(min=0) * weight / len(values) ** 4
        self._axes = axes.to(A.second)  # (N, N), eigenvectors as columns
        self._weights = (1 + steep).rsqrt().to(A.second)  # (N, N), 0 to 1

    def turned(self, off: Tensor) -> Tensor:
        """off (N, N) → (N, N) in the basis of the eigenvectors, each entry multiplied by its weight."""
        turned: Tensor = self._axes.T @ off @ self._axes * self._weights
        return turned

    def turned_back(self, slope: Tensor) -> Tensor:
        """The adjoint of `turned`: (N, N) → (N, N)."""
        back: Tensor = self._axes @ (slope * self._weights) @ self._axes.T
        return back


def _weights(A: Moments, weight: float, normalized: bool) -> Tensor:
    """The weight of each squared difference of a layer's statistics, as one vector."""
    by_second, by_mean = relative_weights(A) if normalized else (1 / len(A.second) ** 4, 0.0)
    return _filled(A, by_second, by_mean).mul_(weight)


def _filled(like: Moments, second: Tensor | float, mean: Tensor | float) -> Tensor:
    """Moments in the shapes of `like`, all of `second` and all of `mean`, as one vector."""
    of_mean = None if like.mean is None else torch.ones_like(like.mean).mul_(mean)
    return _flat([Moments(torch.ones_like(like.second).mul_(second), of_mean)])


def _flat(moments: Sequence[Moments]) -> Tensor:
    return torch.cat([v.flatten() for pair in moments for v in pair if v is not None])
