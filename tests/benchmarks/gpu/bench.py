"""What all sections share: the device, its clock, a picture, and the loss of a preset at a size."""

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from daemon.transfer import PRESETS
from daemon.transfer.network.vgg import VGG
from daemon.transfer.network.weights import load
from daemon.transfer.objective import Objective
from daemon.transfer.optimizers.lbfgs import LBFGS
from daemon.transfer.pyramid import level_weights
from daemon.transfer.targets import by_level
from tests.benchmarks.gpu.report import Report

CPU = torch.device("cpu")


class Bench:
    """A device, and where the findings go."""

    def __init__(self, device: torch.device, report: Report) -> None:
        self.device, self.report = device, report
        self.is_gpu = device.type == "cuda"

    def milliseconds(self, do: Callable[[], object], times: int = 20) -> float:
        """The median, each run waited for, after three that do not count."""
        found = []
        for _ in range(times + 3 if self.is_gpu else 3):
            self.wait()
            start = time.perf_counter()
            do()
            self.wait()
            found.append((time.perf_counter() - start) * 1e3)
        return statistics.median(found[3:] or found)

    def wait(self) -> None:
        if self.is_gpu:
            torch.cuda.synchronize()

    def objective(
        self,
        preset: str,
        side: int,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
        *,
        tile: int | None = None,
        half: bool = False,
    ) -> Objective:
        """`side`: the long side of the content, px; `tile`: px of a tile, None: whole."""
        how, where = PRESETS[preset], device or self.device
        vgg = VGG({name: weight.to(dtype) for name, weight in load("embedded")[1].items()}, where)
        c, s = (as_tensor(scene(side * 3 // 4, side, seed)).to(where, dtype) for seed in (0, 1))
        with torch.no_grad():
            A = by_level(vgg, s, how, len(level_weights(how, c.shape[2:])))
            return Objective(vgg.half if half else vgg, how, c, A, tile)

    def optimizer(self, preset: str, side: int, steps: int = 3, half: bool = False) -> LBFGS:
        """After some steps."""
        with torch.no_grad():
            evaluate, x = self.objective(preset, side, half=half), start(side).to(self.device)
            made = LBFGS(evaluate, x, PRESETS[preset].history)
            for _ in range(steps):
                made.step()
        return made


def scene(height: int, width: int, seed: int = 0) -> NDArray[np.float32]:
    """Waves, a disc and noise, (H, W, 3) in [0, 1]."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float32) / max(height, width)
    made = np.stack([0.5 + 0.3 * np.sin(a * x + b * y + c) for a, b, c in random.uniform(-30, 30, (3, 3))], 2)
    made[(x - 0.4) ** 2 + (y - 0.3) ** 2 < 0.02] = random.uniform(0, 1, 3)
    return np.clip(made + random.uniform(-0.1, 0.1, made.shape), 0, 1).astype(np.float32)


def as_tensor(picture: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None].contiguous()


def start(side: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return as_tensor(scene(side * 3 // 4, side)).to(dtype) * 0.8 + 0.1
