"""Networks and losses, quick to make, for tests of the transfer."""

from functools import cache

import torch
from torch import Tensor, nn
from torchvision.models.vgg import cfgs, make_layers

from daemon.transfer import losses
from daemon.transfer.network.layers import LAYERS
from daemon.transfer.network.own import Extractor
from daemon.transfer.network.vgg import VGG
from daemon.transfer.network.weights import load
from daemon.transfer.objective import Objective
from daemon.transfer.pyramid import level_weights
from daemon.transfer.recipe import PRESETS, Recipe
from daemon.transfer.style_loss import Statistics
from daemon.transfer.targets import by_level
from tests.support.scenes import scene, tensor

CPU = torch.device("cpu")


@cache
def _random_weights() -> dict[str, Tensor]:
    torch.manual_seed(0)
    features = make_layers(cfgs["E"], batch_norm=False)  # vgg19's, without its large classifier
    for layer in features:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.normal_(layer.get_parameter("bias"), std=0.1)
    return {f"features.{name}": tensor for name, tensor in features.state_dict().items()}


def random_weights(depth: int = len(LAYERS)) -> dict[str, Tensor]:
    """torchvision's own first `depth` layers, He-random, the same at each call."""
    return {name: tensor for name, tensor in _random_weights().items() if int(name.split(".")[1]) < depth}


@cache
def random_network(dtype: torch.dtype = torch.float32) -> VGG:
    """All layers, with the random weights; made once, with the kernels that are there the first time."""
    return VGG({name: weight.to(dtype) for name, weight in random_weights().items()}, CPU)


def network(recipe: Recipe, dtype: torch.dtype = torch.float32) -> VGG:
    """The embedded weights or, for what is deeper than they are, random ones."""
    if recipe.preset == "gatys":
        return random_network(dtype)
    return VGG({name: weight.to(dtype) for name, weight in load("embedded")[1].items()}, CPU)


def targets(vgg: Extractor, s: Tensor, recipe: Recipe, c: Tensor) -> list[Statistics]:
    """The style's statistics at each level of the pyramid that a painting of c's shape has."""
    return by_level(vgg, s, recipe, len(level_weights(recipe, c.shape[2:])))


def objective(recipe: Recipe, c: Tensor, side: int | None, keep: bool = True) -> Objective:
    vgg, s = network(recipe, c.dtype), tensor(scene(40, 56, 2)).to(c.dtype)
    return Objective(vgg, recipe, c, targets(vgg, s, recipe, c), side, keep)


def preset_objective(preset: str, working: torch.dtype) -> Objective:
    """A loss whose features are computed in `working`, bfloat16 or wider, and whose sums are in float32 or wider."""
    outer = losses.sum_type(working)
    vgg = network(PRESETS[preset], outer)
    c, s = (tensor(scene(32, 48, seed)).to(outer) for seed in (1, 2))
    used = vgg.half if working == torch.bfloat16 else vgg
    return Objective(used, PRESETS[preset], c, targets(vgg, s, PRESETS[preset], c))
