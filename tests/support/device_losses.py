"""A loss of a preset on a device, and a start."""

import torch
from torch import Tensor

from daemon.transfer.network.vgg import VGG
from daemon.transfer.network.weights import load
from daemon.transfer.objective import Objective
from daemon.transfer.recipe import PRESETS
from tests.support.objectives import targets
from tests.support.scenes import scene, tensor


def prepared(preset: str, device: torch.device, half: bool = False, dtype: torch.dtype = torch.float32) -> Objective:
    vgg = VGG({name: weight.to(dtype) for name, weight in load("embedded")[1].items()}, device)
    c, s = (tensor(scene(96, 128, seed)).to(device, dtype) for seed in (1, 2))
    with torch.no_grad():
        return Objective(vgg.half if half else vgg, PRESETS[preset], c, targets(vgg, s, PRESETS[preset], c))


def start(device: torch.device) -> Tensor:
    return tensor(scene(96, 128, 3)).to(device)
