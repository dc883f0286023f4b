"""Arrays that look like photographs, for tests of the transfer."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Picture = NDArray[np.float32]


def scene(height: int, width: int, seed: int = 0) -> Picture:
    """(height, width, 3): a smooth, coloured, noisy something, other for each seed."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    waves = [0.5 + 0.3 * np.sin(a * x + b * y + c) for a, b, c in random.uniform(-0.7, 0.7, (3, 3)).astype(np.float32)]
    noise = random.uniform(-0.15, 0.15, (height, width, 3))
    picture: Picture = np.clip(np.stack(waves, axis=2) + noise, 0, 1).astype(np.float32)
    return picture


def tensor(picture: Picture) -> Tensor:
    """(H, W, 3) → (1, 3, H, W)."""
    return torch.from_numpy(picture.transpose(2, 0, 1).copy())[None]
