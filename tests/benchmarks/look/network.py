"""VGG19 as other programs have it, by autograd: in torch's own functions, or by our kernels."""

from collections.abc import Mapping
from typing import Any, cast

import torch
import torch.nn.functional as nn_f
from torch import Tensor

from daemon.transfer import losses
from daemon.transfer.network.kernels import fitting
from daemon.transfer.network.layers import LAYERS
from daemon.transfer.network.vgg import IMAGENET_MEAN, IMAGENET_STD
from daemon.transfer.network.winograd import Convolution
from daemon.transfer.objective import add_product

Weights = Mapping[str, Tensor]  # torchvision's `features.N.weight|bias`, on the device
Features = Mapping[str, Tensor]  # {layer: (1, N, H, W)}


class Quick(dict[str, Tensor]):
    """Weights with their convolutions as our kernels have them, where there are any for them."""

    def __init__(self, tensors: Weights) -> None:
        super().__init__(tensors)
        names = [name for n, name in enumerate(LAYERS) if f"features.{n}.weight" in self]
        found = {name: Convolution.of(*_parts(self, LAYERS.index(name))) for name in names}
        self.convolutions = {name: convolution for name, convolution in found.items() if convolution}


class _Convolved(torch.autograd.Function):
    """Of y, or of ReLU(y)."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, convolution: Convolution, rectified: bool) -> Tensor:
        ctx.convolution, ctx.rectified = convolution, rectified
        if rectified:
            ctx.save_for_backward(y)
        return convolution.forward(y.detach(), False, rectified)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        before = ctx.saved_tensors[0].detach() if ctx.rectified else None
        return ctx.convolution.backward(gradients[0], False, before), None, None


class _Pooled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, y: Tensor) -> Tensor:
        kernels = fitting(y.detach())
        if kernels is None:
            raise TypeError(f"no kernel pools {y.dtype} of strides {tuple(y.stride())}")
        ctx.save_for_backward(y)
        ctx.kernels = kernels
        return kernels.pool(y)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        unpooled: Tensor = ctx.kernels.unpool(*ctx.saved_tensors, gradients[0])
        return unpooled


class _Products(torch.autograd.Function):
    """F (1, N, H, W) → Σ f fᵀ (N, N) over all pixels."""

    @staticmethod
    def forward(ctx: Any, F: Tensor) -> Tensor:
        ctx.save_for_backward(F)
        return losses.products(F.detach()) * F[0, 0].numel()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        F, (g,) = ctx.saved_tensors[0].detach(), gradients
        to = torch.zeros_like(F)
        add_product(to, F, g + g.T, None)
        return to


def features(weights: Weights, x: Tensor, layers: frozenset[str], padding: str = "constant") -> Features:
    """x (1, 3, H, W) in [0, 1] → the layers' features; `padding`: of the first convolution."""
    mean, std = (torch.tensor(v, device=x.device).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    y, kept = nn_f.pad((x - mean) / std, (1, 1, 1, 1), mode=padding), {}
    if isinstance(weights, Quick) and weights.convolutions:
        return _quick_features(weights, y, layers)
    for n, name in enumerate(LAYERS[: max(map(LAYERS.index, layers)) + 1]):
        if name.startswith("conv"):
            y = nn_f.conv2d(y, *_parts(weights, n), padding=1 if n else 0)
        elif name.startswith("relu"):
            y = nn_f.relu(y)
        else:
            y = nn_f.max_pool2d(y, 2)
        if name in layers:
            kept[name] = y
    return kept


def _quick_features(weights: Quick, y: Tensor, layers: frozenset[str]) -> Features:
    """The same of y, normalized and padded; a ReLU that nobody looks at is left to the convolution after it."""
    y, kept, rectified = y.contiguous(memory_format=torch.channels_last), dict[str, Tensor](), False
    for n, name in enumerate(LAYERS[: max(map(LAYERS.index, layers)) + 1]):
        if name in weights.convolutions:
            y, rectified = cast(Tensor, _Convolved.apply(y, weights.convolutions[name], rectified)), False
        elif name.startswith("conv"):
            y = nn_f.conv2d(nn_f.relu(y) if rectified else y, *_parts(weights, n), padding=1 if n else 0)
            rectified = False
        elif name.startswith("pool"):
            y = cast(Tensor, _Pooled.apply(y))  # before or after a ReLU is the same
        elif name in layers:
            y = nn_f.relu(y)
        else:
            rectified = True
        if name in layers:
            kept[name] = y
    return kept


def gram(F: Tensor) -> Tensor:
    """Over all values, as the seed and neural-style-pt have it."""
    return products(F) / F.numel()


def products(F: Tensor) -> Tensor:
    """Σ f fᵀ (N, N) over all pixels."""
    return cast(Tensor, _Products.apply(F))


def _parts(weights: Weights, n: int) -> tuple[Tensor, Tensor]:
    return weights[f"features.{n}.weight"], weights[f"features.{n}.bias"]
