"""Small pictures and one resident stylizer for all of transfer's tests."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from daemon.transfer import Stylizer

Picture = NDArray[np.float32]


def scene(height: int, width: int, seed: int = 0) -> Picture:
    """(height, width, 3): a smooth, coloured, noisy something, other for each seed."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    waves = [0.5 + 0.3 * np.sin(a * x + b * y + c) for a, b, c in random.uniform(-0.7, 0.7, (3, 3)).astype(np.float32)]
    noise = random.uniform(-0.15, 0.15, (height, width, 3))
    picture: Picture = np.clip(np.stack(waves, axis=2) + noise, 0, 1).astype(np.float32)
    return picture


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """On small pictures threads wait for each other, above all where other tests want the same cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def stylizer() -> Stylizer:
    return Stylizer(device="cpu", weights="embedded")
