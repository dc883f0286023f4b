"""The style loss of one picture by its statistics, with its derivative in closed form.

All statistics lie in one vector: L = Σ w off², off = G - A, dL/dG = 2 w off. A few launches on a GPU, no autograd.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from .losses import Moments, relative_weights

Statistics = dict[str, Moments]  # of a picture, by layer


class StyleLoss:
    """Σ w_l E_l for targets A; `weights` (w_l, by layer) hold whatever else the loss is multiplied by."""

    def __init__(self, A: Statistics, weights: Mapping[str, float], normalized: bool, eased: bool = False) -> None:
        """`normalized`: errors relative to the target (losses.relative_style), else the paper's (losses.style).

        `eased`: another loss on the way, see Ease; only of Gram matrices.
        """
        self._shapes = {name: (len(A[name].second), A[name].mean is not None) for name in weights}
        self._A = _flat([A[name] for name in weights])
        self._w = torch.cat([_weights(A[name], w, normalized) for name, w in weights.items()])
        self._eases = [Ease(A[name], w) for name, w in weights.items()] if eased else []

    def __call__(self, G: Statistics) -> tuple[Tensor, Statistics]:
        """L, and its derivative by each statistic; the derivatives by second moments are symmetric."""
        off = self._off(G)
        slope = off * self._w
        L = slope @ off
        return L, self._moments(self._turned_back(slope.mul_(2)))

    def terms(self, G: Statistics) -> dict[str, Tensor]:
        """What L is the sum of, by layer."""
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
        """Views of the vector, by layer."""
        found, at = {}, 0
        for name, (n, has_mean) in self._shapes.items():
            second = flat[at : at + n * n].view(n, n)
            at += n * n
            found[name] = Moments(second, flat[at : at + n] if has_mean else None)
            at += n * has_mean
        return found


class Ease:
    """Counts differences of Gram matrices so that w E_l is nowhere much steeper than 1.

    In the space of Gram matrices E_l is as steep as the target's eigenvalues λ: orders of magnitude more along a few
    directions, for whose sake L-BFGS takes small steps along all. What G - A has along the eigenvectors i and j counts
    (1 + (λ_i + λ_j) w / N⁴)^-½ as much. Departure: the paper has no such loss. It is minimised on the way to the other.
    """

    def __init__(self, A: Moments, weight: float) -> None:
        values, axes = torch.linalg.eigh(A.second.cpu().double())
        steep = (values[:, None] + values).clamp(min=0) * weight / len(values) ** 4
        self._axes = axes.to(A.second)  # (N, N), eigenvectors as columns
        self._weights = (1 + steep).rsqrt().to(A.second)  # (N, N), 0 to 1

    def turned(self, off: Tensor) -> Tensor:
        """(N, N) → (N, N): along the eigenvectors, each direction by its weight."""
        turned: Tensor = self._axes.T @ off @ self._axes * self._weights
        return turned

    def turned_back(self, slope: Tensor) -> Tensor:
        """The adjoint of `turned`."""
        back: Tensor = self._axes @ (slope * self._weights) @ self._axes.T
        return back


def _weights(A: Moments, weight: float, normalized: bool) -> Tensor:
    """What each squared difference of a layer's statistics counts."""
    n = len(A.second)
    by_second, by_mean = relative_weights(A) if normalized else (1 / n**4, 0.0)
    parts = [torch.full_like(A.second, 1.0).flatten().mul_(by_second)]
    if A.mean is not None:
        parts.append(torch.full_like(A.mean, 1.0).mul_(by_mean))
    return torch.cat(parts).mul_(weight)


def _flat(moments: Sequence[Moments]) -> Tensor:
    return torch.cat([v.flatten() for pair in moments for v in pair if v is not None])
