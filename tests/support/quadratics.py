"""A problem with a known solution, for tests of the optimizers."""

import torch
from torch import Tensor

from daemon.transfer.optimizers.lbfgs import Evaluate

SHAPE = (1, 3, 12, 17)


def separable(seed: int) -> tuple[Evaluate, Tensor, list[Tensor]]:
    """½ Σ a (x - b)² with a over three orders of magnitude and b partly outside [0, 1]; its solution; its calls."""
    random = torch.Generator().manual_seed(seed)
    a = 10 ** (3 * torch.rand(SHAPE, generator=random))
    b = torch.rand(SHAPE, generator=random) * 2 - 0.5
    calls: list[Tensor] = []

    def evaluate(x: Tensor) -> tuple[Tensor, Tensor]:
        calls.append(x.clone())
        return (a * (x - b).square()).sum() / 2, a * (x - b)

    return evaluate, b.clamp(0, 1), calls
