"""3 × 3 convolutions by Winograd's F(4 × 4, 3 × 3): a quarter of the products (Lavin, Gray 2015, arXiv:1509.09308)."""

from typing import Self

import torch
from torch import Tensor

from .kernels import GROUP, PLACES, Kernels, fitting

WIDEST = 256  # channels; in wider layers a picture has too few tiles to make up for reading the transformed weights
# The matrix that maps the 3 taps of a weight to 6 places, along each side.
_PLACED = torch.tensor(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ],
    dtype=torch.float64,
)


class Convolution:
    """y = w * x + b for w (m, n, 3, 3) and b (m,), by our kernels, and its way back."""

    def __init__(self, kernels: Kernels, weight: Tensor, bias: Tensor) -> None:
        self._kernels, self._bias, self._maps = kernels, bias.contiguous(), weight.shape[:2]
        self._there, self._back = _packed(weight), _packed(weight.flip(2, 3).transpose(0, 1))

    @classmethod
    def of(cls, weight: Tensor, bias: Tensor) -> Self | None:
        """The convolution for weight (m, n, 3, 3) and bias (m,); None if there are no kernels for such weights."""
        w = weight.contiguous(memory_format=torch.channels_last)
        m, n = w.shape[:2]
        kernels = fitting(w[:1]) if m % GROUP == 0 and max(m, n) <= WIDEST else None
        return cls(kernels, weight, bias) if kernels else None

    def forward(self, x: Tensor, edge: bool, rectified: bool) -> Tensor:
        """x (1, n, H, W) → y (1, m, H, W). `edge`: see VGG.features, `border`. `rectified`: of ReLU(x)."""
        return self._kernels.convolve(x, self._there, self._bias, None, self._maps[0], 1, edge, rectified)

    def backward(self, g: Tensor, edge: bool, rectified: Tensor | None) -> Tensor:
        """dL/dy (1, m, H, W) → dL/dx (1, n, H, W); with `edge` (1, n, H + 2, W + 2), by x with its edges repeated once.

        `rectified`: the input of a ReLU before this convolution, to include its way back; None: no ReLU.
        """
        return self._kernels.convolve(g, self._back, None, rectified, self._maps[1], 1 + edge, False, False)


def _packed(weight: Tensor) -> Tensor:
    """Weights (m, n, 3, 3) → (m / GROUP, 36, n, GROUP) for the kernel, computed in float64, returned in float32."""
    m, n = weight.shape[:2]
    placed = torch.einsum("ia,mnab,jb->ijnm", _PLACED, weight.double(), _PLACED)
    return placed.reshape(PLACES, n, m // GROUP, GROUP).permute(2, 0, 1, 3).contiguous().float()
