import pytest
import torch

from daemon.transfer import tiles
from daemon.transfer.objective import Objective
from daemon.transfer.recipe import PRESETS
from daemon.transfer.vgg import VGG
from daemon.transfer.weights import load

from .conftest import scene
from .test_losses import tensor
from .test_vgg import random_weights


def objective(preset: str, working: torch.dtype) -> Objective:
    """A loss whose features are computed in `working`, everything else in float32, or float64 for that."""
    outer = torch.float64 if working == torch.float64 else torch.float32
    tensors = random_weights() if preset == "gatys" else load("embedded")[1]
    vgg = VGG({name: weight.to(outer) for name, weight in tensors.items()}, torch.device("cpu"), working)
    c, s = (tensor(scene(48, 64, seed)).to(outer) for seed in (1, 2))
    return Objective(vgg, PRESETS[preset], c, tiles.statistics(vgg, s, PRESETS[preset], None))


@pytest.mark.parametrize("preset", ["fine", "tutorial", "gatys"])
def test_gradients_agree_with_float64(preset: str) -> None:
    """float32, which paints, to 1e-3; bfloat16, which the roofline can be measured in, in direction."""
    x = tensor(scene(48, 64, 3))
    exact = objective(preset, torch.float64)(x.double())[1].flatten()
    single, half = (objective(preset, t)(x)[1].double().flatten() for t in (torch.float32, torch.bfloat16))
    assert (single - exact).norm() / exact.norm() < 1e-3
    assert torch.cosine_similarity(half, exact, dim=0) > 0.995
