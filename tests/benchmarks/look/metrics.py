"""What a painting has of its style and of its content. Pictures are (1, 3, H, W) in [0, 1], on the CPU.

No single figure sees what the eye sees; each says which way is better. Lengths that belong to the picture, not to its
pixels, are shares of its long side.
"""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as nn_f
from torch import Tensor

BANDS = 4  # of the Laplacian pyramid, the finest first; the last is what remains
PATCH, PROJECTIONS, QUANTILES = 7, 128, 256
PLACES = 1 << 15  # patches of a band that are looked at, at most
LEAST = 1 / 255  # of a deviation that something is divided by: a step of an 8-bit picture
FRAME = 16  # px, the outermost of a picture
LUMA = (0.299, 0.587, 0.114)


def style_distance(x: Tensor, style: Tensor) -> list[float]:
    """Sliced Wasserstein distance of the patches of each band, in deviations of the style's; 0 is the same, less is
    better. The projections come from a fixed seed, half of them smooth (Rabin et al. 2011; Karras et al. 2018)."""
    return [_sliced(a, b) for a, b in zip(pyramid(x), pyramid(style), strict=True)]


def _sliced(a: Tensor, b: Tensor) -> float:
    random = torch.Generator().manual_seed(0)
    projections = torch.randn(PROJECTIONS, 3, PATCH, PATCH, generator=random)
    projections[::2] = blur(projections[::2], 1.0)  # white directions alone hardly see structure
    projections /= projections.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    p, q = (_projected(band, projections) for band in (a, b))
    return float((p - q).abs().mean() / q.std(1).mean().clamp(min=LEAST))


def _projected(band: Tensor, projections: Tensor) -> Tensor:
    """(projections, QUANTILES): how the band's patches are spread along each."""
    side = PATCH // 2
    if min(band.shape[2:]) < PATCH:
        band = nn_f.pad(band, (side,) * 4, mode="replicate")
    found = nn_f.conv2d(band, projections)[0].flatten(1)
    if found.shape[1] > PLACES:
        found = found[:, torch.randperm(found.shape[1], generator=torch.Generator().manual_seed(1))[:PLACES]]
    ordered = found.sort(dim=1).values
    at = (torch.arange(QUANTILES) + 0.5) / QUANTILES * (ordered.shape[1] - 1)
    low, share = at.long(), at.frac()
    return ordered[:, low] * (1 - share) + ordered[:, (low + 1).clamp(max=ordered.shape[1] - 1)] * share


def gradient_correlation(x: Tensor, content: Tensor) -> float:
    """Of the gradients' lengths in luminance, blurred by 1/256 and 1/128 of the long side; 1 keeps every contour."""
    long_side = max(x.shape[2:])
    return sum(_correlation(_edges(x, long_side / s), _edges(content, long_side / s)) for s in (256, 128)) / 2


def _edges(x: Tensor, sigma: float) -> Tensor:
    down, right = gradient(blur(luminance(x), sigma))
    return (down.square() + right.square()).sqrt()


def _correlation(a: Tensor, b: Tensor) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / (a.norm() * b.norm()).clamp(min=1e-9))


def similarity(x: Tensor, content: Tensor) -> float:
    """SSIM of luminance (Wang et al. 2004): window of σ 1.5 px, K1 0.01, K2 0.03; 1 is the same."""
    a, b = luminance(x), luminance(content)
    mean_a, mean_b = blur(a, 1.5), blur(b, 1.5)
    var_a, var_b = blur(a * a, 1.5) - mean_a.square(), blur(b * b, 1.5) - mean_b.square()
    both = blur(a * b, 1.5) - mean_a * mean_b
    light = (2 * mean_a * mean_b + 0.01**2) / (mean_a.square() + mean_b.square() + 0.01**2)
    return float((light * (2 * both + 0.03**2) / (var_a + var_b + 0.03**2)).mean())


def coherence(x: Tensor) -> float:
    """How far the gradients of a neighbourhood point one way, by the structure tensor: 0 nowhere, 1 everywhere."""
    down, right = gradient(blur(luminance(x), 0.7))
    dd, rr, dr = (blur(v, 2.0) for v in (down * down, right * right, down * right))
    return float(((rr - dd).square() + 4 * dr.square()).sqrt().sum() / (dd + rr).sum().clamp(min=1e-12))


def finest_energy(x: Tensor) -> float:
    """Mean square of the finest band: of the style it is brushwork; what a painting has beyond that is noise."""
    return float(pyramid(x)[0].square().mean())


def border(x: Tensor, content: Tensor) -> tuple[float, float]:
    """The outer 16 px of each side against the 32 within, what the content has not itself: (tone, contrast), 0 is none.

    tone: luminance, root mean square of the sides; contrast: the same of the log₂ of the deviations' ratio. The rest
    of the whole picture would be the wrong measure: it has a sky at one side and the ground at another.
    """
    pairs = list(zip(_sides(x), _sides(content), strict=True))
    tone = [_beyond(a.mean() - b.mean(), c.mean() - d.mean()) for (a, b), (c, d) in pairs]
    contrast = [_beyond(_contrast(a, b), _contrast(c, d)) for (a, b), (c, d) in pairs]
    return _root_mean_square(tone), _root_mean_square(contrast)


def _beyond(own: Tensor, contents: Tensor) -> Tensor:
    """A painting's step less the content's, as far as both go one way: a step smaller than the photo's is no border."""
    return own - contents.clamp(min=own.clamp(max=0), max=own.clamp(min=0))


def _sides(x: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The strip along each side, and the one that lies within it."""
    y = luminance(x)[0, 0]
    wide = max(1, min(FRAME, min(y.shape) // 6))
    for turned in (y, y.flip(0), y.T, y.T.flip(0)):
        yield turned[:wide], turned[wide : 3 * wide]


def _contrast(outer: Tensor, inner: Tensor) -> Tensor:
    return torch.log2(outer.std().clamp(min=LEAST) / inner.std().clamp(min=LEAST))


def _root_mean_square(values: list[Tensor]) -> float:
    return float(torch.stack(values).square().mean().sqrt())


def octaves(x: Tensor) -> dict[int, float]:
    """{n: root mean square of what has 2ⁿ to 2ⁿ⁺¹ cycles along the long side}; x is no picture but a difference.

    Per pixel, so that sizes compare; within a Hann window, or the picture's ends would be an edge of every frequency.
    The last octave is one that the pixels hold whole.
    """
    height, width = x.shape[2:]
    window = torch.hann_window(height, periodic=True)[:, None] * torch.hann_window(width, periodic=True)
    x = x - (x * window).sum((2, 3), keepdim=True) / window.sum()
    power = torch.fft.fft2(x * window).abs().square().mean((0, 1)) / (height * width) / window.square().sum()
    down, right = torch.fft.fftfreq(height)[:, None], torch.fft.fftfreq(width)
    cycles = (down.square() + right.square()).sqrt() * max(height, width)
    last = int(math.log2(max(height, width) / 2)) - 1
    return {n: float(power[(cycles >= 2**n) & (cycles < 2 ** (n + 1))].sum().sqrt()) for n in range(1, last + 1)}


def pyramid(x: Tensor) -> list[Tensor]:
    """Laplacian (Burt & Adelson 1983), the finest band first; they add up to the picture."""
    bands = []
    for _ in range(BANDS - 1):
        height, width = x.shape[2:]
        half = (max(1, (height + 1) // 2), max(1, (width + 1) // 2))
        below = nn_f.interpolate(x, half, mode="bilinear", antialias=True)
        bands.append(x - nn_f.interpolate(below, (height, width), mode="bilinear"))
        x = below
    return [*bands, x]


def luminance(x: Tensor) -> Tensor:
    """(1, 1, H, W)."""
    return (x * torch.tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)


def gradient(y: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences down and to the right, of the inside."""
    return (y[..., 2:, 1:-1] - y[..., :-2, 1:-1]) / 2, (y[..., 1:-1, 2:] - y[..., 1:-1, :-2]) / 2


def blur(x: Tensor, sigma: float) -> Tensor:
    """Gaussian, of the same shape; beyond the border the last pixels repeat."""
    reach = math.ceil(3 * sigma)
    bell = torch.exp(-torch.arange(-reach, reach + 1).square() / (2 * sigma**2))
    bell = (bell / bell.sum()).repeat(x.shape[1], 1, 1, 1)
    x = nn_f.pad(x, (reach,) * 4, mode="replicate")
    x = nn_f.conv2d(x, bell.view(-1, 1, 1, 2 * reach + 1), groups=x.shape[1])
    return nn_f.conv2d(x, bell.view(-1, 1, 2 * reach + 1, 1), groups=x.shape[1])


def all_of(x: Tensor, content: Tensor, style: Tensor) -> dict[str, float]:
    """Every figure of one painting."""
    bands = style_distance(x, style)
    tone, contrast = border(x, content)
    return {
        "style_distance": sum(bands) / len(bands),
        **{f"style_distance_{n}": band for n, band in enumerate(bands)},
        "gradient_correlation": gradient_correlation(x, content),
        "ssim": similarity(x, content),
        "coherence": coherence(x) / max(coherence(style), 1e-9),
        "noise": finest_energy(x) / max(finest_energy(style), LEAST**2),
        "border_tone": tone,
        "border_contrast": contrast,
    }
