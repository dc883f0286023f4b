"""A photo with the style's spectrum: a start close to the style, for the price of a few Fourier transforms.

The statistics of the first layers depend mostly on the strength of each colour at each frequency. The filter that
gives a picture the style's strengths and changes the picture least is the optimal transport between two Gaussians
(Olkin, Pukelsheim 1982), computed for each frequency. The filter has no phase: every edge stays in its place.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

BANDS = 10  # half octaves, the last around the finest detail; the first holds all lower frequencies, too
FLOOR = 1e-3  # share of a band's energy that is added to each colour, so that a grey picture takes colours, too
MOST = 8.0  # the largest absolute entry of a filter


def start_from_style_spectrum(x: Tensor, styles: Sequence[tuple[Tensor, float]]) -> Tensor:
    """x (1, 3, H, W) with the mean and, in each band, the covariance of the styles' colours, clipped to [0, 1].

    `styles`: (picture (1, 3, h, w) of any size, weight).
    """
    spectrum = torch.fft.rfft2(x[0], norm="ortho")
    total = sum(weight for _, weight in styles)
    wanted = sum((_energy(torch.fft.rfft2(s[0], norm="ortho"), s) * (w / total) for s, w in styles), torch.zeros(()))
    filters = _transport(_energy(spectrum, x), wanted).to(x.device, x.dtype)
    place = _place(x)
    low = place.long().clamp(max=BANDS - 2)
    share = (place - low)[..., None, None]
    between = filters[low] * (1 - share) + filters[low + 1] * share
    y = torch.fft.irfft2(
        torch.einsum("hwij,jhw->ihw", between.to(spectrum.dtype), spectrum), s=x.shape[2:], norm="ortho"
    )
    mean = sum((s.mean((2, 3))[0] * (w / total) for s, w in styles), x.new_zeros(3))
    shifted: Tensor = y + (mean - y.mean((1, 2)))[:, None, None]
    return shifted[None].clamp(0, 1)


def _place(x: Tensor) -> Tensor:
    """For each coefficient of x's spectrum its place among the bands, 0 to BANDS - 1: between two of them it is in
    both, the more the nearer."""
    height, width = x.shape[2:]
    radius = (torch.fft.fftfreq(height)[:, None] ** 2 + torch.fft.rfftfreq(width) ** 2).sqrt().to(x.device)
    place: Tensor = 2 * (2 * radius.clamp(min=1e-9)).log2() + BANDS - 1
    return place.clamp(0, BANDS - 1)


def _energy(spectrum: Tensor, x: Tensor) -> Tensor:
    """(BANDS, 3, 3): the covariance of the colours in each band, per coefficient, without the picture's mean."""
    products = torch.einsum("ihw,jhw->hwij", spectrum, spectrum.conj()).real.reshape(-1, 9)
    bands = torch.arange(BANDS, device=x.device, dtype=products.dtype)
    weights = (1 - (_place(x).flatten() - bands[:, None]).abs()).clamp_(min=0)  # (BANDS, coefficients)
    weights[:, 0] = 0
    energy: Tensor = (weights @ products) / weights.sum(1, keepdim=True).clamp(min=1e-9)
    return energy.view(-1, 3, 3).cpu().double()


def _transport(have: Tensor, want: Tensor) -> Tensor:
    """T (BANDS, 3, 3), symmetric, with T have T = want up to FLOOR; entries clipped to ±MOST."""
    have, want = (C + FLOOR * (_level(C) + 1e-12) * torch.eye(3, dtype=C.dtype) for C in (have, want))
    root = _power(have, 0.5)
    inverse = _power(have, -0.5)
    T: Tensor = inverse @ _power(root @ want @ root, 0.5) @ inverse
    return T.clamp(-MOST, MOST)


def _level(C: Tensor) -> Tensor:
    return C.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]


def _power(C: Tensor, exponent: float) -> Tensor:
    values, vectors = torch.linalg.eigh(C)
    result: Tensor = (vectors * values.clamp(min=1e-30)[:, None] ** exponent) @ vectors.transpose(1, 2)
    return result
