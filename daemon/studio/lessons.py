"""The lessons of the embedded weights: crops of many pictures, each beside a near miss that must be distinguished."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as nn_f
from numpy.typing import NDArray
from PIL import Image
from skimage import data
from torch import Tensor

from daemon.studio.textures import SIDE, texture

# Photographs in scikit-image's package whose rights are free by its own docstrings: CC0 or public domain.
PHOTOGRAPHS = {
    "astronaut": "NASA, public domain",
    "brick": "CC0Textures, CC0",
    "camera": "Lav Varshney, CC0",
    "chelsea": "Stefan van der Walt, CC0",
    "coffee": "Rachel Michetti, CC0",
    "grass": "linolafett, CC0",
    "gravel": "CC0Textures, CC0",
    "hubble_deep_field": "NASA and ESA, public domain",
    "retina": "Mikael Häggström, CC0",
    "rocket": "SpaceX, public domain",
}
REGIONS = 20  # of each photograph
CROP = 32  # px
MIDDLE = 0.45  # the grey around which colours are turned
LUMINANCE = (0.299, 0.587, 0.114)
Pool = NDArray[np.uint8]


def drawn(rng: np.random.Generator) -> NDArray[np.uint8]:
    """One texture (SIDE, SIDE, 3)."""
    return (texture(rng) * 255 + 0.5).astype(np.uint8)


def photographed(rng: np.random.Generator) -> Pool:
    """(n, SIDE, SIDE, 3): regions of the photographs at several sizes."""
    found = []
    for name in PHOTOGRAPHS:
        photo = Image.fromarray(getattr(data, name)()).convert("RGB")
        for _ in range(REGIONS):
            scale = 2 ** rng.uniform(-1, 0.6)
            width, height = (max(round(length * scale), SIDE) for length in photo.size)
            x, y = int(rng.integers(0, width - SIDE + 1)), int(rng.integers(0, height - SIDE + 1))
            scaled = photo.resize((width, height), Image.Resampling.LANCZOS)
            found.append(np.asarray(scaled.crop((x, y, x + SIDE, y + SIDE))))
    return np.stack(found)


def lesson(pool: Pool, instances: int, rng: np.random.Generator) -> Tensor:
    """(4·instances, 3, CROP, CROP) about [0, 1], in fours: two crops of a picture, two of its near miss."""
    noise = torch.Generator().manual_seed(int(rng.integers(2**62)))
    fours = []
    for picture in pool[rng.choice(len(pool), instances, replace=False)]:
        corners = rng.integers(0, SIDE - 2 * CROP + 1, (4, 2))
        windows = np.stack([picture[y : y + 2 * CROP, x : x + 2 * CROP] for y, x in corners])
        wide = torch.from_numpy(windows).permute(0, 3, 1, 2).float() / 255
        small = nn_f.avg_pool2d(wide, 2)
        offset = int(rng.integers(0, CROP + 1))
        close = wide[..., offset : offset + CROP, offset : offset + CROP]
        near, far = (small, close) if rng.random() < 0.5 else (close, small)
        miss = NEAR_MISSES[rng.choice(len(NEAR_MISSES), p=SHARES)]
        missed = far[2:] if miss is None else miss(near[2:], rng, noise)
        fours.append(torch.rot90(torch.cat((near[:2], missed)), int(rng.integers(4)), (2, 3)))
    crops = torch.cat(fours)
    crops = _palette_free(crops, rng) if rng.random() < 0.35 else _recoloured(crops, instances, rng, noise)
    # mild and apart for each crop, so that no exact colour or brightness gives its mate away
    gain, lift, cast = (torch.randn(len(crops), n, 1, 1, generator=noise) for n in (1, 1, 3))
    return ((crops - 0.5) * (1 + 0.12 * gain) + 0.5 + 0.05 * lift + 0.02 * cast).clamp(-0.1, 1.1)


def _palette_free(crops: Tensor, rng: np.random.Generator) -> Tensor:
    """Every crop of one brightness, each four of one contrast: only form is left to go by."""
    if rng.random() < 0.5:
        crops = torch.einsum("c,bchw->bhw", torch.tensor(LUMINANCE), crops)[:, None]
    mean, spread = crops.mean((1, 2, 3), keepdim=True), crops.std((1, 2, 3), keepdim=True) + 0.02
    spread = spread.view(-1, 4)[:, :2].mean(1).repeat_interleave(4).view(-1, 1, 1, 1)
    return ((crops - mean) / spread * 0.2 + 0.5).expand(-1, 3, -1, -1)


def _recoloured(crops: Tensor, instances: int, rng: np.random.Generator, noise: torch.Generator) -> Tensor:
    """Half of the fours with their colours turned in RGB."""
    turned = torch.linalg.qr(torch.randn(instances, 3, 3, generator=noise))[0]
    use = torch.from_numpy(rng.random(instances) < 0.5)[:, None, None]
    turn = torch.where(use, turned, torch.eye(3)).repeat_interleave(4, 0)
    return torch.einsum("bij,bjhw->bihw", turn, crops - MIDDLE) + MIDDLE


# near misses: what a style is not

NearMiss = Callable[[Tensor, np.random.Generator, torch.Generator], Tensor]


def _quarter_turn(x: Tensor, rng: np.random.Generator, noise: torch.Generator) -> Tensor:
    return torch.rot90(x, 1, (2, 3))


def _mirrored(x: Tensor, rng: np.random.Generator, noise: torch.Generator) -> Tensor:
    return x.flip(3)


def _inverted(x: Tensor, rng: np.random.Generator, noise: torch.Generator) -> Tensor:
    return 2 * x.mean((2, 3), keepdim=True) - x


def _flattened(x: Tensor, rng: np.random.Generator, noise: torch.Generator) -> Tensor:
    mean = x.mean((2, 3), keepdim=True)
    return (x - mean) * float(rng.uniform(0.3, 0.6)) + mean


def _noisy(x: Tensor, rng: np.random.Generator, noise: torch.Generator) -> Tensor:
    grain = torch.randn(x.shape, generator=noise)
    if rng.random() < 0.4:
        grain = 1.7 * grain.mean(1, keepdim=True)
    return x + grain * math.exp(rng.uniform(math.log(0.03), math.log(0.25)))


def _blurred(x: Tensor, rng: np.random.Generator, noise: torch.Generator) -> Tensor:
    row = torch.tensor([0.25, 0.5, 0.25])
    kernel = (row[:, None] * row).expand(3, 1, 3, 3)
    for _ in range(int(rng.integers(1, 5))):
        x = nn_f.conv2d(nn_f.pad(x, (1, 1, 1, 1), mode="reflect"), kernel, groups=3)
    return x


def _scrambled(x: Tensor, rng: np.random.Generator, noise: torch.Generator) -> Tensor:
    """The same spectrum with phases of noise: as many stripes, no stroke."""
    spectrum = torch.fft.rfft2(x)
    phase = torch.fft.rfft2(torch.randn(len(x), 1, CROP, CROP, generator=noise)).angle()
    mixed: Tensor = spectrum * torch.polar(torch.ones_like(phase), phase)
    mixed[..., 0, 0] = spectrum[..., 0, 0]
    scrambled: Tensor = torch.fft.irfft2(mixed, s=(CROP, CROP))
    return scrambled


NEAR_MISSES: tuple[NearMiss | None, ...] = (  # None: the picture at twice or half the size
    _quarter_turn,
    _scrambled,
    _noisy,
    None,
    _blurred,
    _mirrored,
    _inverted,
    _flattened,
)
SHARES = (0.2, 0.2, 0.13, 0.12, 0.1, 0.1, 0.08, 0.07)
