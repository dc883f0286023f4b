"""The formulas of Gatys, Ecker, Bethge 2015 (arXiv:1508.06576), in its letters.

F and P are features (1, N, H, W) of the painting and of the content: N feature maps of M = H·W pixels (the paper's
N_l and M_l). G and A are the painting's and the style's statistics. Every loss is a scalar tensor. Each departure
from the paper is marked on its line.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as nn_f
from torch import Tensor
from torch.nn.functional import mse_loss

from .colors import LUMA
from .network.kernels import fitting

FLOOR = 0.01  # of a layer's energy: below it, a variance is one of a one-colour picture, and divides nothing
SPECK = 1e-6  # the same for a layer without any energy: a black picture
FAINT = 0.02  # per pixel: a photograph of fainter edges on average holds none of the style's back


class Moments(NamedTuple):
    """What the style loss compares: of one layer, or of the pixels themselves."""

    second: Tensor  # (N, N): Gram matrix / M, or the covariance
    mean: Tensor | None  # (N,), with a covariance


def maps(F: Tensor) -> Tensor:
    """(1, N, H, W) → (M, N), without a copy where the features are channels_last."""
    return F.permute(0, 2, 3, 1).reshape(-1, F.shape[1])


def gram(F: Tensor) -> Moments:
    """Eq. 3, G_ij = Σ_k F_ik F_jk, per pixel."""
    return Moments(products(F) / F[0, 0].numel(), None)  # departure: / M, so that pictures of any size compare


def covariance(F: Tensor) -> Moments:
    """The Gram matrix of the features less their mean, and that mean."""
    mean = maps(F).mean(0)  # departure: centred; a mean apart leaves more of the Gram matrix to the texture
    return Moments(products(F, mean) / F[0, 0].numel(), mean)


def products(F: Tensor, mean: Tensor | None = None) -> Tensor:
    """Σ_k F_ik F_jk (N, N), of F less its mean (N,), if that is given."""
    if kernels := fitting(F):
        return kernels.products(F, mean)
    f = maps(F) if mean is None else maps(F) - mean
    return f.T @ f


def share(part: Moments, mean: Tensor | None, weight: float) -> Moments:
    """The term of a part of a picture in the moments of the whole, whose mean is `mean`; the terms add up to them.

    `weight`: the part's share of the pixels. Its derivative is the whole's, too: that by way of `mean` is zero.
    """
    if part.mean is None or mean is None:
        return Moments(part.second * weight, None)
    off = part.mean - mean
    return Moments((part.second + off[:, None] * off) * weight, part.mean * weight)


def slope(mean: Tensor | None, derivative: Moments, M: int) -> tuple[Tensor, Tensor | None]:
    """(S, r) of dL/dF_k = S F_k + r in every pixel k of M, from the derivative by the M pixels' moments."""
    S = (derivative.second + derivative.second.T) / M
    if mean is None or derivative.mean is None:
        return S, None
    return S, derivative.mean / M - S @ mean  # the mean within the covariance adds nothing: that is its minimum


def pooled(a: Moments, n: int, b: Moments, m: int) -> Moments:
    """The moments of n and m pixels together."""
    v, w = n / (n + m), m / (n + m)
    mean = None if a.mean is None or b.mean is None else a.mean * v + b.mean * w
    return Moments(share(a, mean, v).second + share(b, mean, w).second, mean)


def blend(moments: Sequence[tuple[Moments, float]]) -> Moments:
    """The average of several pictures' moments by weight."""
    total = sum(weight for _, weight in moments)
    parts = [(m, weight / total) for m, weight in moments]
    means = [m.mean * w for m, w in parts if m.mean is not None]
    second = sum((m.second * w for m, w in parts[1:]), parts[0][0].second * parts[0][1])
    return Moments(second, sum(means[1:], means[0]) if means else None)


def style(G: Moments, A: Moments) -> Tensor:
    """Eq. 4, E_l = Σ (G_ij - A_ij)² / (4 N² M²), with the tutorial's constants."""
    N = A.second.shape[0]
    return ((G.second - A.second) / N).square().mean()  # departure: Gram / (N·M) and its mean square, no 1/4


class Ease(NamedTuple):
    """How an eased style loss counts the differences of Gram matrices."""

    axes: Tensor  # (N, N): eigenvectors of the target, as columns
    weights: Tensor  # (N, N), 0 to 1


def ease(A: Moments, beta: float) -> Ease:
    """So that β times the style loss is nowhere much steeper than 1.

    In the space of Gram matrices that loss is as steep as the target's eigenvalues λ: orders of magnitude more along a
    few directions, for whose sake L-BFGS takes small steps along all. What G - A has along i and j counts
    (1 + (λ_i + λ_j) β / N⁴)^-½ as much.
    """
    values, axes = torch.linalg.eigh(A.second.double().cpu())
    steep = (values[:, None] + values).clamp(min=0) * beta / len(values) ** 4
    return Ease(axes.to(A.second), (1 + steep).rsqrt().to(A.second))


def eased(G: Moments, A: Moments, ease: Ease) -> Tensor:
    """`style`, eased."""  # departure: the paper has no such loss; it is minimised on the way to the other
    off = ease.axes.T @ (G.second - A.second) @ ease.axes
    return (off * ease.weights / len(off)).square().mean()


def relative_style(G: Moments, A: Moments) -> Tensor:
    """The error relative to the target, so that one style weight serves every layer and set of weights."""
    N, trace = A.second.shape[0], A.second.diagonal().sum()
    energy = trace if A.mean is None else trace + A.mean.square().sum()
    floor = FLOOR * energy / N + SPECK  # variance of one map
    E = (G.second - A.second).square().sum() / (A.second.square().sum() + N * floor**2)  # departure: relative
    if G.mean is None or A.mean is None:
        return E
    return E + (G.mean - A.mean).square().sum() / (trace + N * floor)  # departure: the mean, apart


def content(F: Tensor, P: Tensor) -> Tensor:
    """Eq. 1, L_content = ½ Σ (F_ij - P_ij)², with the tutorial's constants."""
    return mse_loss(F, P)  # departure: the mean, no ½


def content_scale(P: Moments) -> Tensor:
    """The mean variance of P's feature maps, from their covariance: what makes the content loss relative."""
    assert P.mean is not None
    variance = P.second.diagonal()
    return variance.mean() + FLOOR * (variance + P.mean.square()).mean() + SPECK


def palette(x: Tensor) -> tuple[Moments, ...]:
    """x (1, 3, H, W) → mean and covariance of its colours, pixel by pixel and in patches of 8 × 8."""
    return covariance(x), covariance(nn_f.avg_pool2d(x, 8))  # departure: the paper has no such term


def edges(x: Tensor) -> Tensor:
    """x (1, 3, H, W) → Sobel's gradients of its luminance, per pixel, (2, H, W): down and to the right."""
    y = torch.einsum("c,bchw->bhw", x.new_tensor(LUMA), x)[None]
    y = nn_f.pad(y, (1, 1, 1, 1), mode="replicate")[0, 0]
    down, right = y[2:] - y[:-2], y[:, 2:] - y[:, :-2]
    down = down[:, :-2] + 2 * down[:, 1:-1] + down[:, 2:]
    right = right[:-2] + 2 * right[1:-1] + right[2:]
    return torch.stack((down, right)) / 8


def contours(E: Tensor, T: Tensor) -> Tensor:
    """The error of a painting's edges E relative to the photograph's, T; faint ones do not count for more."""
    faint = FAINT**2 * T.numel()
    return (E - T).square().sum() / (T.square().sum() + faint)  # departure: the paper has no such term


def variation(x: Tensor, dim: int) -> Tensor:
    """Mean square difference of neighbouring pixels along one side."""
    return x.diff(dim=dim).square().mean()


def total_variation(x: Tensor) -> Tensor:
    """The same along both."""  # departure: from Johnson 2016; the paper has none
    return variation(x, -1) + variation(x, -2)
