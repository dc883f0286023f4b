"""VGG19 (Simonyan & Zisserman, arXiv:1409.1556) as Gatys uses the network: features by name, resident, frozen."""

import copy
from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from itertools import pairwise

import torch
from torch import Tensor

from . import operations
from .layers import LAYERS, VGG19, Border, Layer, Pooling
from .operations import Back, Convolution, Forward
from .winograd import Convolution as WinogradConvolution

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of RGB in [0, 1], as torchvision's weights expect
IMAGENET_STD = (0.229, 0.224, 0.225)
Network = list[tuple[str, Forward]]  # the layers from the picture down, by name


class VGG:
    """A set of weights on a device; a recipe chooses only layers, pooling and border."""

    layers: Mapping[str, Layer] = VGG19

    def __init__(self, tensors: Mapping[str, Tensor], device: torch.device) -> None:
        """`tensors`: torchvision's `features.N.weight|bias`, down to any layer, in the type to compute in."""
        self._convolutions: dict[str, Convolution] = {}
        for n, layer in enumerate(LAYERS):
            if f"features.{n}.weight" in tensors:
                weight, bias = tensors[f"features.{n}.weight"], tensors[f"features.{n}.bias"]
                if layer == "conv1_1":
                    weight = _normalizing(weight)
                self._convolutions[layer] = Convolution(weight.to(device), bias.to(device))
        found = {name: WinogradConvolution.of(each.weight, each.bias) for name, each in self._convolutions.items()}
        self._quick = {name: convolution for name, convolution in found.items() if convolution}
        self._compiled: dict[tuple[object, ...], Network] = {}

    @cached_property
    def half(self) -> "VGG":
        """The same network in bfloat16: features, and derivatives by them; the derivative by the picture is float32.

        The cosine of a gradient to float32's is above 0.995, but a loss that is minimised in bfloat16 to the end ends
        higher (`tutorial` at 64 px: 5 %).
        """
        half = copy.copy(self)
        half._quick, half._compiled = {}, {}
        half._convolutions = {
            name: Convolution(each.weight.bfloat16(), each.bias.bfloat16()) for name, each in self._convolutions.items()
        }
        return half

    def features(
        self, x: Tensor, layers: Collection[str], pooling: Pooling, border: Border = "zeros"
    ) -> dict[str, Tensor]:
        """x (1, 3, H, W) in [0, 1] → {layer: F (1, N, h, w)}; nothing below the deepest layer is computed.

        `border`: what a convolution sees beyond its input: zeros (for conv1_1, ImageNet's mean colour), as in training,
        or the values of the edge, so that features at the border look like the others. F has the
        type in which the network computes.
        """
        return self.forward(x, layers, pooling, border)[0]

    def forward(
        self, x: Tensor, layers: Collection[str], pooling: Pooling, border: Border = "zeros"
    ) -> tuple[dict[str, Tensor], "Backward"]:
        """The features as in `features`, and the way back from them to x, which shares their memory."""
        by_autograd = torch.is_grad_enabled() and x.requires_grad
        key = (frozenset(layers), pooling, border, by_autograd)
        if key not in self._compiled:
            self._compiled[key] = self._network(layers, pooling, border == "edge", by_autograd)
        y = operations.with_ones(x, self._convolutions["conv1_1"].weight.dtype)
        features: dict[str, Tensor] = {}
        backs: list[tuple[str, Back]] = []
        for name, layer in self._compiled[key]:
            y, back = layer(y)
            backs.append((name, back))
            if name in layers:
                features[name] = y
        return features, Backward(backs, x.dtype)

    def _network(self, layers: Collection[str], pooling: Pooling, edge: bool, by_autograd: bool) -> Network:
        """The layers down to the deepest of `layers`; without our kernels if autograd is to follow."""
        quick = {} if by_autograd else self._quick
        pool = operations.max_pool if pooling == "max" else operations.average_pool
        network: Network = []
        above, rectified = "", False  # rectified: the next convolution computes the ReLU before it
        for name, below in pairwise((*_order(layers, pooling), "")):
            if name in quick:
                network.append((name, operations.winograd(quick[name], edge, rectified)))
                rectified = False
            elif name == "conv1_1":
                network.append((name, operations.first_convolution(self._convolutions[name], edge)))
            elif name.startswith("conv"):
                network.append((name, operations.convolution(self._convolutions[name], edge)))
            elif name.startswith("pool"):
                network.append((name, pool))
            elif name not in layers and below in quick:
                rectified = True
            else:  # not in place, as in torchvision, where it would overwrite wanted features
                network.append((name, operations.relu(in_place=above not in layers)))
            above = name
        return network


class Backward:
    """The derivative of a loss by the picture, from the derivatives by the features. Call it once."""

    def __init__(self, backs: list[tuple[str, Back]], dtype: torch.dtype) -> None:
        """`backs`: (layer, way back), from the picture down. `dtype`: of the derivative by the picture."""
        self._backs, self._dtype = backs, dtype

    def __call__(self, add: Callable[[str, Tensor | None], Tensor | None]) -> Tensor:
        """`add(layer, g)` returns g (None: zero) plus the loss's direct derivative by that layer's features.

        `add` may change g in place. The tensor that `add` returns is overwritten. Returns dL/dx (1, 3, H, W).
        """
        g: Tensor | None = None
        while self._backs:
            name, back = self._backs.pop()  # popped, to free the features that it holds
            g = add(name, g)
            assert g is not None, f"the loss does not look at {name}"
            g = back(g)
        assert g is not None
        return g.to(self._dtype)


def _order(layers: Collection[str], pooling: Pooling) -> list[str]:
    """The layers down to the deepest. A max pool goes before a ReLU if neither is wanted: the same, but quicker."""
    names = list(LAYERS[: max(map(LAYERS.index, layers)) + 1])
    for n, (relu, pool) in enumerate(pairwise(names)):
        if pooling == "max" and pool.startswith("pool") and relu not in layers and pool not in layers:
            names[n : n + 2] = pool, relu
    return names


def _normalizing(weight: Tensor) -> Tensor:
    """conv1_1 for pictures in [0, 1]: w (x - mean) / std = (w / std) x + (-w mean / std) 1, with a channel of ones.

    So zeros beyond the border stand for the mean colour, as in training.
    """
    mean, std = (torch.tensor(v, dtype=torch.float64).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    scaled = weight.cpu().double() / std
    return torch.cat((scaled, -(scaled * mean).sum(1, keepdim=True)), 1).to(weight.dtype)
