"""VGG19 (Simonyan & Zisserman, arXiv:1409.1556) as Gatys uses it: features by name, resident, frozen."""

from collections.abc import Collection, Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from .recipe import LAYERS

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of RGB in [0, 1], as torchvision's weights expect
IMAGENET_STD = (0.229, 0.224, 0.225)


class VGG:
    """One set of weights on one device; a recipe only chooses layers and pooling."""

    def __init__(self, tensors: Mapping[str, Tensor], device: torch.device, working: torch.dtype | None = None) -> None:
        """`tensors`: torchvision's `features.N.weight|bias`, down to any layer; computed in `working`, or as given.

        Paintings are not worked out in bfloat16: its gradients' cosine to float32's is above 0.995, but 180
        evaluations of the tutorial's loss ended 5 % higher (measured at 64 px, where two starts differ by 0.3 %).
        """
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

    def features(
        self,
        x: Tensor,
        layers: Collection[str],
        pooling: Literal["average", "max"],
        border: Literal["zeros", "edge"] = "zeros",
    ) -> dict[str, Tensor]:
        """x (1, 3, H, W) in [0, 1] → {layer: F (1, C, h, w)}; nothing below the deepest layer is computed.

        `border`: what a convolution sees beyond its input, zeros (to conv1_1 ImageNet's mean colour), as in training,
        or the edge's own values, so that no feature tells the border from the rest. Whatever it is computed in, F is
        of x's type, for sums over all pixels are not to be had in bfloat16.
        """
        y = F.pad(x.contiguous(memory_format=torch.channels_last), (0, 0, 0, 0, 0, 1), value=1.0)
        y = y.to(self._convolutions["conv1_1"][0].dtype)
        pool = F.max_pool2d if pooling == "max" else F.avg_pool2d
        kept: dict[str, Tensor] = {}
        for name in LAYERS[: max(map(LAYERS.index, layers)) + 1]:
            if name.startswith("conv"):
                weight, bias = self._convolutions[name]
                if border == "edge":
                    y = F.conv2d(F.pad(y, (1, 1, 1, 1), mode="replicate"), weight, bias)
                else:
                    y = F.conv2d(y, weight, bias, padding=1)
            elif name.startswith("relu"):
                y = F.relu(y)  # out of place: in place, as torchvision's, it would overwrite a kept conv layer
            else:
                y = pool(y, kernel_size=2, stride=2)
            if name in layers:
                kept[name] = y.to(x.dtype)
        return kept


def _normalizing(weight: Tensor) -> Tensor:
    """conv1_1 for pictures in [0, 1]: w (x - mean) / std = (w / std) x + (-w mean / std) 1, with a channel of ones.

    So the convolution pads with the mean colour beyond the border, as in training, where both are zero.
    """
    mean, std = (torch.tensor(v, dtype=torch.float64).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    scaled = weight.double().cpu() / std
    return torch.cat((scaled, -(scaled * mean).sum(1, keepdim=True)), 1).to(weight.dtype)
