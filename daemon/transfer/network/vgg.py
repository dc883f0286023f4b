"""VGG19 (Simonyan & Zisserman, arXiv:1409.1556) as Gatys uses it: features by name, resident, frozen."""

import copy
from collections.abc import Callable, Collection, Mapping
from functools import partial
from itertools import pairwise
from typing import Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from ..colors import LUMA
from .kernels import fitting
from .layers import LAYERS
from .winograd import Convolution

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of RGB in [0, 1], as torchvision's weights expect
IMAGENET_STD = (0.229, 0.224, 0.225)
Pooling = Literal["average", "max"]
Border = Literal["zeros", "edge"]


class VGG:
    """One set of weights on one device; a recipe only chooses layers and pooling."""

    def __init__(self, tensors: Mapping[str, Tensor], device: torch.device, working: torch.dtype | None = None) -> None:
        """`tensors`: torchvision's `features.N.weight|bias`, down to any layer; computed in `working`, or as given.

        Paintings are not worked out in bfloat16: its gradients' cosine to float32's is above 0.995, but 180
        evaluations of the tutorial's loss ended 5 % higher (measured at 64 px, where two starts differ by 0.3 %).
        """
        self.chroma = 1.0  # how often that of a picture is multiplied before it is seen
        self._convolutions: dict[str, tuple[Tensor, Tensor]] = {}
        for n, layer in enumerate(LAYERS):
            if f"features.{n}.weight" in tensors:
                weight, bias = tensors[f"features.{n}.weight"], tensors[f"features.{n}.bias"]
                if layer == "conv1_1":
                    weight = _normalizing(weight)
                self._convolutions[layer] = (
                    weight.to(device, working, memory_format=torch.channels_last),
                    bias.to(device, working),
                )
        found = {name: Convolution.of(*tensors) for name, tensors in self._convolutions.items()}
        self._quick = {name: convolution for name, convolution in found.items() if convolution}

    def stretched(self, chroma: float) -> Self:
        """The same network, as it sees pictures whose chroma is multiplied; it shares all but conv1_1."""
        if chroma == 1:
            return self
        weight, bias = self._convolutions["conv1_1"]
        matrix = chroma * torch.eye(4, dtype=torch.float64)
        matrix[:3, :3] += (1 - chroma) * torch.from_numpy(LUMA).double()
        matrix[3, 3] = 1  # the channel of ones: greys stay what they are
        seen = torch.einsum("mnab,nc->mcab", weight.double().cpu(), matrix)
        like = copy.copy(self)
        like.chroma = self.chroma * chroma
        conv1_1 = seen.to(weight.device, weight.dtype, memory_format=torch.channels_last), bias
        like._convolutions = self._convolutions | {"conv1_1": conv1_1}
        like._quick = {name: convolution for name, convolution in self._quick.items() if name != "conv1_1"}
        return like

    def features(
        self, x: Tensor, layers: Collection[str], pooling: Pooling, border: Border = "zeros"
    ) -> dict[str, Tensor]:
        """x (1, 3, H, W) in [0, 1] → {layer: F (1, C, h, w)}; nothing below the deepest layer is computed.

        `border`: what a convolution sees beyond its input, zeros (to conv1_1 ImageNet's mean colour), as in training,
        or the edge's own values, so that no feature tells the border from the rest. Whatever it is computed in, F is
        of x's type, for sums over all pixels are not to be had in bfloat16.
        """
        return self.forward(x, layers, pooling, border)[0]

    def forward(
        self, x: Tensor, layers: Collection[str], pooling: Pooling, border: Border = "zeros"
    ) -> tuple[dict[str, Tensor], "Backward"]:
        """The features, and the way back from them to x, which shares their memory."""
        y = F.pad(x.contiguous(memory_format=torch.channels_last), (0, 0, 0, 0, 0, 1), value=1.0)
        y = y.to(self._convolutions["conv1_1"][0].dtype)
        kept: dict[str, Tensor] = {}
        back = Backward(y.dtype)
        quick = {} if torch.is_grad_enabled() and x.requires_grad else self._quick  # autograd knows nothing of it
        rectified = False  # y stands for ReLU(y), which who reads it takes on the way
        for name, below in pairwise((*_order(layers, pooling), "")):
            before = y
            if name in quick:
                y = quick[name].forward(y, border == "edge", rectified)
                back.append(name, partial(_quickly, quick[name], border, before if rectified else None))
                rectified = False
            elif name.startswith("conv"):
                weight, bias = self._convolutions[name]
                if border == "edge":
                    y = F.conv2d(F.pad(y, (1, 1, 1, 1), mode="replicate"), weight, bias)
                else:
                    y = F.conv2d(y, weight, bias, padding=1)
                back.append(name, partial(_to_picture if name == "conv1_1" else _to_features, weight, border))
            elif name.startswith("relu") and name not in layers and below in quick:
                rectified = True
            elif name.startswith("relu"):
                taken = any(y is feature for feature in kept.values())
                y = F.relu(y) if taken else F.relu_(y)  # in place, as torchvision's, it would overwrite a kept layer
                back.append(name, partial(_through_relu, before))
            elif pooling == "max" and quick and (kernels := fitting(y)):
                y = kernels.pool(y)
                back.append(name, partial(kernels.unpool, before))
            elif pooling == "max":
                y, where = torch.ops.aten.max_pool2d_with_indices(y, [2, 2], [2, 2])
                back.append(name, partial(_to_largest, before, where))
            else:
                y = F.avg_pool2d(y, 2)
                back.append(name, partial(_to_all_four, before.shape))
            if name in layers:
                kept[name] = y.to(x.dtype)
        return kept, back


class Backward:
    """The derivative of a loss by the picture, from its derivatives by the features; once.

    By hand, because autograd allocates and adds apart what a matrix product can add in place: a sixth of the time.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        self._dtype = dtype  # that the network computes in
        self._steps: list[tuple[str, Callable[[Tensor], Tensor]]] = []

    def append(self, name: str, step: Callable[[Tensor], Tensor]) -> None:
        self._steps.append((name, step))

    def __call__(self, add: Callable[[str, Tensor | None], Tensor | None]) -> Tensor:
        """`add(layer, g)`: g (or, where there is none yet, zero) plus the loss's own derivative by that layer.

        It may change g in place. Returns the derivative (1, 3, H, W).
        """
        g: Tensor | None = None
        while self._steps:
            name, step = self._steps.pop()  # what it holds is not needed any more
            g = add(name, g)
            assert g is not None, f"the loss does not look at {name}"
            g = step(g.to(self._dtype))
        assert g is not None
        return g


def _order(layers: Collection[str], pooling: Pooling) -> list[str]:
    """The layers down to the deepest; where nobody looks in between, the largest is picked before ReLU: the same."""
    names = list(LAYERS[: max(map(LAYERS.index, layers)) + 1])
    for n, (relu, pool) in enumerate(pairwise(names)):
        if pooling == "max" and pool.startswith("pool") and relu not in layers and pool not in layers:
            names[n : n + 2] = pool, relu
    return names


def _to_features(weight: Tensor, border: Border, g: Tensor) -> Tensor:
    beyond = int(border == "edge")  # px of border that were given, not made up by the convolution
    height, width = (length + 2 * beyond for length in g.shape[2:])
    x = g.new_empty(()).expand(1, weight.shape[1], height, width)  # of which only the shape is looked at
    padding = [1 - beyond] * 2
    rest = ([1, 1], padding, [1, 1], False, [0, 0], 1)  # stride, padding, dilation; not transposed; groups
    gradient: Tensor = torch.ops.aten.convolution_backward(g, x, weight, None, *rest, [True, False, False])[0]
    return _folded(gradient).contiguous(memory_format=torch.channels_last) if beyond else gradient


def _quickly(convolution: Convolution, border: Border, rectified: Tensor | None, g: Tensor) -> Tensor:
    if border == "zeros":
        return convolution.backward(g, False, rectified)
    g = _folded(convolution.backward(g, True, None)).contiguous(memory_format=torch.channels_last)
    return g if rectified is None else _through_relu(rectified, g)


def _to_picture(weight: Tensor, border: Border, g: Tensor) -> Tensor:
    """conv1_1's, as one matrix product and nine additions: ten times as fast as a convolution onto three channels."""
    height, width = g.shape[2:]
    products = weight[:, :3].permute(2, 3, 1, 0).reshape(27, -1) @ g.permute(0, 2, 3, 1).reshape(-1, g.shape[1]).T
    x = g.new_zeros(1, 3, height + 2, width + 2)
    for n, part in enumerate(products.view(9, 1, 3, height, width)):
        row, column = divmod(n, 3)
        x[..., row : row + height, column : column + width] += part
    return (_folded(x) if border == "edge" else x[..., 1:-1, 1:-1]).contiguous()


def _folded(g: Tensor) -> Tensor:
    """The derivative by what had its edges repeated once, (…, H + 2, W + 2) → (…, H, W), in place."""
    for side in (g, g.transpose(-1, -2)):
        side[..., 1, :] += side[..., 0, :]
        side[..., -2, :] += side[..., -1, :]
    return g[..., 1:-1, 1:-1]


def _through_relu(before: Tensor, g: Tensor) -> Tensor:
    torch.ops.aten.threshold_backward.grad_input(g, before, 0, grad_input=g)
    return g


def _to_largest(before: Tensor, where: Tensor, g: Tensor) -> Tensor:
    window = ([2, 2], [2, 2], [0, 0], [1, 1], False)  # size, stride, padding, dilation; not rounded up
    gradient: Tensor = torch.ops.aten.max_pool2d_with_indices_backward(g, before, *window, where)
    return gradient


def _to_all_four(shape: torch.Size, g: Tensor) -> Tensor:
    height, width = shape[2:]
    up = F.interpolate(g / 4, scale_factor=2, mode="nearest")
    return up if up.shape == shape else F.pad(up, (0, width % 2, 0, height % 2))


def _normalizing(weight: Tensor) -> Tensor:
    """conv1_1 for pictures in [0, 1]: w (x - mean) / std = (w / std) x + (-w mean / std) 1, with a channel of ones.

    So the convolution pads with the mean colour beyond the border, as in training, where both are zero.
    """
    mean, std = (torch.tensor(v, dtype=torch.float64).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    scaled = weight.double().cpu() / std
    return torch.cat((scaled, -(scaled * mean).sum(1, keepdim=True)), 1).to(weight.dtype)
