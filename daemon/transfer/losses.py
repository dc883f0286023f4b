"""The formulas of Gatys, Ecker, Bethge 2015 (arXiv:1508.06576), in the paper's letters.

F and P are features (1, N, H, W) of the painting and of the content: N feature maps of M = H·W pixels (the paper's
N_l and M_l). G and A are the statistics of the painting and of the style. Every loss is a scalar tensor. Each departure
from the paper is marked on its line.

`total` is the whole loss as a sum, in plain torch. `objective.py` computes the same loss and its gradient faster, in
tiles where memory is short. Tests compare `objective.py` with `total`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from .detail import of_features, style_weights
from .network.kernels import fitting
from .pyramid import content_weights, level_weights, pyramid
from .recipe import Recipe

MIXED = hasattr(torch.ops.aten.mm, "dtype")  # whether torch (2.8 and later) multiplies bfloat16 into float32
FLOOR = 0.01  # share of a layer's energy that is added to a variance before dividing, for pictures of one colour
SPECK = 1e-6  # added likewise, for a layer without energy: a black picture

Features = Callable[[Tensor, Collection[str]], Mapping[str, Tensor]]  # picture, layers → {layer: F}


class Moments(NamedTuple):
    """The statistics of a layer that the style loss compares."""

    second: Tensor  # (N, N): Gram matrix / M, or the covariance
    mean: Tensor | None  # (N,), with a covariance


def total(recipe: Recipe, x: Tensor, c: Tensor, s: Tensor, features: Features) -> Tensor:
    """L = α L_content + β L_style + L_tv of a picture x, for a content picture c and a style picture s.

    x and c (1, 3, H, W), s (1, 3, h, w), all in [0, 1]. With a pyramid (preset `fine`), L_content and L_style are
    weighted sums over several sizes of the three pictures; L_tv is of the full size. Differentiable by autograd.
    """
    of = covariance if recipe.statistic == "covariance" else gram
    E = relative_style if recipe.normalized else style
    content_layers, style_layers = dict(recipe.content_layers), dict(recipe.style_layers)
    L_content = L_style = x.new_zeros(())
    v = level_weights(recipe, x.shape[2:])  # departure: style and content at several sizes at once (Snelgrove 2017)
    u, levels = content_weights(recipe, len(v)), (pyramid(picture, len(v)) for picture in (x, c, s))
    for v_k, u_k, x_k, c_k, s_k in zip(v, u, *levels, strict=True):
        F, P = features(x_k, content_layers), features(c_k, content_layers)
        errors = (w * content(F[k], P[k]) / scale(P[k], recipe) for k, w in content_layers.items())
        L_content = L_content + v_k * u_k * sum(errors)
        F, S = features(x_k, style_layers), features(s_k, style_layers)
        W = style_weights(c_k, recipe.style_floor)  # departure: more style where the photo is smooth
        for name, w in style_layers.items():
            p = of_features(W, W.shape[2] // F[name].shape[2])
            G, A = of(F[name], p / p.sum()), of(S[name])
            L_style = L_style + v_k * w * E(G, A)
    alpha, beta = recipe.alpha * recipe.content_weight, recipe.beta * recipe.style_weight
    return alpha * L_content + beta * L_style + recipe.tv * recipe.smoothness * total_variation(x)


def maps(F: Tensor) -> Tensor:
    """F (1, N, H, W) → (M, N), without a copy if F is channels_last."""
    return F.permute(0, 2, 3, 1).reshape(-1, F.shape[1])


def gram(F: Tensor, p: Tensor | None = None) -> Moments:
    """Eq. 3, G_ij = Σ_k F_ik F_jk, divided by the number of pixels.

    `p` (1, 1, H, W): the weight of each pixel; the weights add up to 1. None: all pixels count the same.
    """
    return Moments(products(F, None, p), None)  # departure: / M, so that pictures of any size compare


def covariance(F: Tensor, p: Tensor | None = None) -> Moments:
    """The Gram matrix of F minus the mean of F, and the mean; `p` as in `gram`."""
    # departure: with the mean apart, the matrix describes texture more than brightness
    f, kind = maps(F), sum_type(F.dtype)
    if p is None:
        mean = f.mean(0, dtype=kind)
    elif f.dtype == kind:
        mean = f.T @ p.view(-1)
    else:
        mean = (f * p.view(-1, 1)).sum(0, dtype=kind)
    return Moments(products(F, mean, p), mean)


def products(F: Tensor, mean: Tensor | None = None, p: Tensor | None = None) -> Tensor:
    """Σ_k p_k F_ik F_jk (N, N) of F, or of F - mean if the mean (N,) is given; of F in bfloat16 summed in float32.

    `p` (1, 1, H, W): as in `gram`; None: 1/M everywhere.
    """
    mixed = F.dtype == torch.bfloat16 and F.is_cuda and MIXED
    if not mixed:
        F = F.to(sum_type(F.dtype))
        p = None if p is None else p.to(F.dtype)
    M = F[0, 0].numel() if p is None else 1
    if kernels := fitting(F):
        return kernels.products(F, mean, p).div_(M)
    f = maps(F)
    if mean is not None and copies(F.device):
        f, mean = f - mean, None
    weighted = f if p is None else f * p.view(-1, 1)
    total = torch.mm(f.T, weighted, out_dtype=torch.float32) if mixed else f.T @ weighted
    return total.div_(M) if mean is None else total.addr_(mean, mean, beta=1 / M, alpha=-1)


def copies(device: torch.device) -> bool:
    """Whether `products` makes a copy of F - mean, whose products are more exact; on a GPU the copy costs too much."""
    return device.type == "cpu"


def sum_type(dtype: torch.dtype) -> torch.dtype:
    """The type of sums over pixels, for features of type `dtype`: float32 for bfloat16, which is too coarse."""
    return torch.float32 if dtype == torch.bfloat16 else dtype


def share(part: Moments, mean: Tensor | None, weight: float) -> Moments:
    """What a part of a picture adds to the moments of the whole picture, whose mean is `mean` (N,).

    `weight`: the part's share of the pixels, 0 to 1. The shares of all parts add up to the moments of the whole.
    """
    if part.mean is None or mean is None:
        return Moments(part.second * weight, None)
    off = part.mean - mean
    return Moments((part.second + off[:, None] * off) * weight, part.mean * weight)


def slope(mean: Tensor | None, derivative: Moments, weight: float) -> tuple[Tensor, Tensor | None]:
    """S (N, N) and r (N,) of dL/dF_k = S F_k + r in each pixel k, from the derivatives by the moments of the pixels.

    `derivative`: 2 dL/d(second), symmetric, and dL/d(mean). `weight`: of each pixel in the moments, 1/M if all count
    the same. If they do not, what all weights p_k are multiplied with, and dL/dF_k = p_k (S F_k + r). r is None for
    Gram matrices.
    """
    S = derivative.second if weight == 1 else derivative.second * weight
    if mean is None or derivative.mean is None:
        return S, None
    return S, torch.addmv(derivative.mean, S, mean, beta=weight, alpha=-1)  # dL/d(mean in the covariance) is 0


def pooled(a: Moments, n: float, b: Moments, m: float) -> Moments:
    """The moments of n + m pixels, from the moments a of n and b of m."""
    v, w = n / (n + m), m / (n + m)
    mean = None if a.mean is None or b.mean is None else a.mean * v + b.mean * w
    return Moments(share(a, mean, v).second + share(b, mean, w).second, mean)


def blend(moments: Sequence[tuple[Moments, float]]) -> Moments:
    """The weighted average of (moments, weight); the weights are at least 0, and their sum is above 0."""
    total = sum(weight for _, weight in moments)
    parts = [(m, weight / total) for m, weight in moments]
    means = [m.mean * w for m, w in parts if m.mean is not None]
    second = sum((m.second * w for m, w in parts[1:]), parts[0][0].second * parts[0][1])
    return Moments(second, sum(means[1:], means[0]) if means else None)


def style(G: Moments, A: Moments) -> Tensor:
    """Eq. 4, E_l = Σ (G_ij - A_ij)² / (4 N² M²), with the tutorial's constants."""
    N = A.second.shape[0]
    return ((G.second - A.second) / N).square().mean()  # departure: Gram / (N·M) and its mean square, no 1/4


def relative_style(G: Moments, A: Moments) -> Tensor:
    """The error relative to the target A, so that the same β serves every layer and every set of weights."""
    by_second, by_mean = relative_weights(A)
    E = (G.second - A.second).square().sum() * by_second  # departure: relative
    if G.mean is None or A.mean is None:
        return E
    return E + (G.mean - A.mean).square().sum() * by_mean  # departure: and of the mean


def relative_weights(A: Moments) -> tuple[Tensor, Tensor]:
    """The two factors (scalars) of `relative_style`: of squared errors of the second moments, and of the mean."""
    N, trace = A.second.shape[0], A.second.diagonal().sum()
    energy = trace if A.mean is None else trace + A.mean.square().sum()
    floor = FLOOR * energy / N + SPECK  # added to the variance of each feature map
    return 1 / (A.second.square().sum() + N * floor**2), 1 / (trace + N * floor)


def content(F: Tensor, P: Tensor) -> Tensor:
    """Eq. 1, L_content = ½ Σ (F_ij - P_ij)², with the tutorial's constants."""
    if F.dtype == torch.bfloat16:
        return (F - P).square().mean(dtype=torch.float32)
    return mse_loss(F, P)  # departure: the mean, no ½


def scale(P: Tensor, recipe: Recipe) -> Tensor | float:
    """The divisor of a layer's content loss: see `content_scale`; 1 without `normalized`."""
    return content_scale(covariance(P)) if recipe.normalized else 1.0  # departure


def content_scale(P: Moments) -> Tensor:
    """The mean variance of the content's feature maps, a scalar, from their `covariance`; above 0."""
    assert P.mean is not None
    variance = P.second.diagonal()
    return variance.mean() + FLOOR * (variance + P.mean.square()).mean() + SPECK


def total_variation(x: Tensor) -> Tensor:
    """Mean square difference of neighbouring pixels, along both sides."""  # departure: Johnson 2016
    return x.diff(dim=-1).square().mean() + x.diff(dim=-2).square().mean()
