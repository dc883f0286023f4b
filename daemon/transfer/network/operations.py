"""The layers of VGG19, forward and backward, in torch's functions or in our kernels.

A `Forward` maps the layer's input to its output and a `Back`, which maps dL/d(output) to dL/d(input). The way back is
written by hand, because autograd allocates gradients and adds them up, where a matrix product can add in place.
"""

from collections.abc import Callable
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from .kernels import fitting
from .winograd import Convolution as WinogradConvolution

Back = Callable[[Tensor], Tensor]
Forward = Callable[[Tensor], tuple[Tensor, Back]]


class Convolution:
    """y = w * x + b for w (m, n, 3, 3) and b (m,), in torch's functions, and its way back."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self.weight, self.bias = weight.contiguous(memory_format=torch.channels_last), bias

    @cached_property
    def _turned(self) -> Tensor:
        """The weights of the way back as a convolution, because cuDNN's way back transposes g and x first."""
        return self.weight.flip(2, 3).transpose(0, 1).contiguous(memory_format=torch.channels_last)

    def forward(self, x: Tensor, edge: bool) -> Tensor:
        """x (1, n, H, W) → y (1, m, H, W). `edge`: beyond the border x's edges are repeated; False: zeros."""
        return F.conv2d(_bordered(x) if edge else x, self.weight, self.bias, padding=0 if edge else 1)

    def backward(self, g: Tensor, edge: bool) -> Tensor:
        """dL/dy (1, m, H, W) → dL/dx (1, n, H, W)."""
        g = F.conv2d(g, self._turned, padding=2 if edge else 1)
        return _folded(g).contiguous(memory_format=torch.channels_last) if edge else g

    def to_picture(self, g: Tensor, edge: bool) -> Tensor:
        """dL/dy (1, m, H, W) → dL/dx (1, 3, H, W), contiguous, without x's fourth channel (see `with_ones`)."""
        if not by_products(g.device):
            return self.backward(g, edge)[:, :3].contiguous()
        height, width = g.shape[2:]
        weights = self.weight[:, :3].permute(2, 3, 1, 0).reshape(27, -1)
        products = weights @ g.permute(0, 2, 3, 1).reshape(-1, g.shape[1]).T
        x = g.new_zeros(1, 3, height + 2, width + 2)
        for n, part in enumerate(products.view(9, 1, 3, height, width)):
            row, column = divmod(n, 3)
            x[..., row : row + height, column : column + width] += part
        return (_folded(x) if edge else x[..., 1:-1, 1:-1]).contiguous()


def by_products(device: torch.device) -> bool:
    """Whether `to_picture` is a matrix product and nine additions, which is ten times as fast on a CPU."""
    return device.type == "cpu"


def with_ones(x: Tensor, dtype: torch.dtype) -> Tensor:
    """x (1, 3, H, W) → (1, 4, H, W) of type `dtype`, channels_last; the fourth channel is 1 everywhere."""
    _, _, height, width = x.shape
    y = x.new_empty(1, height, width, 4, dtype=dtype).permute(0, 3, 1, 2)
    y[:, :3].copy_(x)
    y[:, 3].fill_(1)
    return y


def convolution(of: Convolution, edge: bool) -> Forward:
    return lambda x: (of.forward(x, edge), lambda g: of.backward(g, edge))


def first_convolution(of: Convolution, edge: bool) -> Forward:
    """conv1_1, whose way back ends at the picture."""
    return lambda x: (of.forward(x, edge), lambda g: of.to_picture(g, edge))


def winograd(of: WinogradConvolution, edge: bool, rectified: bool) -> Forward:
    """`rectified`: of ReLU(x), which the kernel computes on its way; the way back then includes ReLU's, too."""

    def forward(x: Tensor) -> tuple[Tensor, Back]:
        def back(g: Tensor) -> Tensor:
            if not edge:
                return of.backward(g, False, x if rectified else None)
            g = _folded(of.backward(g, True, None)).contiguous(memory_format=torch.channels_last)
            return _rectified(g, x) if rectified else g

        return of.forward(x, edge, rectified), back

    return forward


def relu(in_place: bool) -> Forward:
    """`in_place`: x is overwritten. The way back always overwrites dL/dy."""

    def forward(x: Tensor) -> tuple[Tensor, Back]:
        return F.relu_(x) if in_place else F.relu(x), lambda g: _rectified(g, x)

    return forward


def max_pool(x: Tensor) -> tuple[Tensor, Back]:
    if kernels := fitting(x):
        return kernels.pool(x), lambda g: kernels.unpool(x, g)
    y, where = torch.ops.aten.max_pool2d_with_indices(x, [2, 2], [2, 2])

    def back(g: Tensor) -> Tensor:
        window = ([2, 2], [2, 2], [0, 0], [1, 1], False)  # size, stride, padding, dilation; not rounded up
        gradient: Tensor = torch.ops.aten.max_pool2d_with_indices_backward(g, x, *window, where)
        return gradient

    return y, back


def average_pool(x: Tensor) -> tuple[Tensor, Back]:
    shape = x.shape

    def back(g: Tensor) -> Tensor:
        up = F.interpolate(g / 4, scale_factor=2, mode="nearest")
        return up if up.shape == shape else F.pad(up, (0, shape[3] % 2, 0, shape[2] % 2))

    return F.avg_pool2d(x, 2), back


def _bordered(x: Tensor) -> Tensor:
    """x with its edges repeated once, (1, n, H + 2, W + 2), channels_last.

    x is padded as a volume H × W × n: torch would pad a picture channel by channel on a GPU, and cuDNN would transpose
    the result.
    """
    return F.pad(x.permute(0, 2, 3, 1)[None], (0, 0, 1, 1, 1, 1), mode="replicate")[0].permute(0, 3, 1, 2)


def _folded(g: Tensor) -> Tensor:
    """dL/dx (…, H, W), where g is dL/d(`_bordered(x)`) (…, H + 2, W + 2); changes g in place and returns a view."""
    for side in (g, g.transpose(-1, -2)):
        length = side.shape[-2] - 2
        if length == 1:
            side[..., 1, :].add_(side[..., 0, :]).add_(side[..., 2, :])
        else:  # the first and the last row in one launch
            side[..., 1 : -1 : length - 1, :].add_(side[..., :: length + 1, :])
    return g[..., 1:-1, 1:-1]


def _rectified(g: Tensor, x: Tensor) -> Tensor:
    """g where x > 0, else 0; in place. ReLU(x) may stand for x."""
    gradient: Tensor = torch.ops.aten.threshold_backward.grad_input(g, x, 0, grad_input=g)
    return gradient
