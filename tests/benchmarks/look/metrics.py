"""Figures that guard the look. Pictures are (1, 3, H, W) in [0, 1], on the CPU.

No figure sees what the eye sees: blind sheets come first (blind.py). A figure here says that something went wrong; a
better figure is no better painting. Lengths that belong to the picture, not to its pixels, are shares of its long side.
"""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as nn_f
from torch import Tensor

LEAST = 1 / 255  # of a deviation that something is divided by: a step of an 8-bit picture
FRAME = 16  # px, the outermost of a picture
SPECK = 0.2  # difference of a colour value from the median of its neighbours by which a pixel is a speck
LUMA = (0.299, 0.587, 0.114)


def tone(x: Tensor, content: Tensor) -> float:
    """Correlation of the luminance, blurred by a twentieth of the long side, with the photo's: the layout of light."""
    a, b = (blur(luminance(picture), max(x.shape[2:]) / 20).flatten() for picture in (x, content))
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / (a.norm() * b.norm()).clamp(min=1e-9))


def specks(x: Tensor, style: Tensor) -> float:
    """Pixels in 10,000 that stand out alone, less those of the style, whose brushwork may have some; at least 0."""
    return max(0.0, _specks(x) - _specks(style))


def _specks(x: Tensor) -> float:
    """Pixels in 10,000 of which a colour differs by more than SPECK from the median of the 3 × 3 around it."""
    around = nn_f.unfold(nn_f.pad(x, (1, 1, 1, 1), mode="replicate")[0][:, None], 3)  # (3, 9, H·W)
    off = (x[0].flatten(1) - around.median(1).values).abs().amax(0)
    return 10_000 * float((off > SPECK).float().mean())


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


def luminance(x: Tensor) -> Tensor:
    """(1, 1, H, W)."""
    return (x * torch.tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)


def blur(x: Tensor, sigma: float) -> Tensor:
    """Gaussian, of the same shape; beyond the border the last pixels repeat."""
    reach = math.ceil(3 * sigma)
    bell = torch.exp(-torch.arange(-reach, reach + 1).square() / (2 * sigma**2))
    bell = (bell / bell.sum()).repeat(x.shape[1], 1, 1, 1)
    x = nn_f.pad(x, (reach,) * 4, mode="replicate")
    x = nn_f.conv2d(x, bell.view(-1, 1, 1, 2 * reach + 1), groups=x.shape[1])
    return nn_f.conv2d(x, bell.view(-1, 1, 2 * reach + 1, 1), groups=x.shape[1])


def all_of(x: Tensor, content: Tensor, style: Tensor) -> dict[str, float]:
    """Every figure of one painting that needs no network."""
    border_tone, border_contrast = border(x, content)
    return {
        "tone": tone(x, content),
        "specks": specks(x, style),
        "border_tone": border_tone,
        "border_contrast": border_contrast,
    }
