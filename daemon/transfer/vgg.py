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

    def __init__(self, tensors: Mapping[str, Tensor], device: torch.device) -> None:
        """`tensors`: torchvision's `features.N.weight|bias`, down to any layer."""
        self._convolutions = {
            layer: (
                tensors[f"features.{n}.weight"].to(device, memory_format=torch.channels_last),
                tensors[f"features.{n}.bias"].to(device),
            )
            for n, layer in enumerate(LAYERS)
            if f"features.{n}.weight" in tensors
        }
        self._mean = torch.tensor(IMAGENET_MEAN, device=device).view(1, 3, 1, 1)
        self._std = torch.tensor(IMAGENET_STD, device=device).view(1, 3, 1, 1)

    def features(self, x: Tensor, layers: Collection[str], pooling: Literal["average", "max"]) -> dict[str, Tensor]:
        """x (1, 3, H, W) in [0, 1] → {layer: F (1, C, h, w)}; nothing below the deepest layer is computed."""
        # Normalised before the convolution pads with zeros, as in training: beyond the border lies the mean.
        y = ((x - self._mean) / self._std).contiguous(memory_format=torch.channels_last)
        pool = F.max_pool2d if pooling == "max" else F.avg_pool2d
        kept: dict[str, Tensor] = {}
        for name in LAYERS[: max(map(LAYERS.index, layers)) + 1]:
            if name.startswith("conv"):
                weight, bias = self._convolutions[name]
                y = F.conv2d(y, weight, bias, padding=1)
            elif name.startswith("relu"):
                y = F.relu(y)  # out of place: in place, as torchvision's, it would overwrite a kept conv layer
            else:
                y = pool(y, kernel_size=2, stride=2)
            if name in layers:
                kept[name] = y
        return kept
