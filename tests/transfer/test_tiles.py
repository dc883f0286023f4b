from dataclasses import replace
from typing import Literal

import pytest
import torch
from torch import Tensor

from daemon.transfer import tiles
from daemon.transfer.network.layers import LAYERS, VGG19, cut
from daemon.transfer.network.vgg import VGG
from daemon.transfer.recipe import PRESETS
from tests.support.objectives import objective, random_weights
from tests.support.scenes import scene, tensor

CPU = torch.device("cpu")


def distance(a: Tensor, b: Tensor) -> float:
    return float((a.double() - b.double()).norm() / b.double().norm())


CASES = [
    ("fine", (61, 83), 24),  # nothing divides anything
    ("fine", (16, 150), 8),  # the smallest tiles there are
    ("fine", (9, 40), 16),  # a strip
    ("tutorial", (50, 47), 16),
    ("draft", (64, 64), 1000),  # smaller than a tile
    ("gatys", (33, 120), 64),  # every tile's margin is the whole picture, nearly
]


@pytest.mark.parametrize(("preset", "shape", "side"), CASES)
@pytest.mark.parametrize("keep", [True, False], ids=["kept", "computed again"])
def test_loss_and_gradient_in_tiles_are_the_whole_pictures(
    preset: str, shape: tuple[int, int], side: int, keep: bool
) -> None:
    c, x = tensor(scene(*shape, 1)), tensor(scene(*shape, 3))
    loss, gradient = objective(PRESETS[preset], c, None)(x)
    tiled_loss, tiled_gradient = objective(PRESETS[preset], c, side, keep)(x)
    assert distance(tiled_loss, loss) < 1e-4
    assert distance(tiled_gradient, gradient) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["fine", "tutorial", "gatys"])
@pytest.mark.parametrize("pooling", ["average", "max"])
def test_in_float64_only_rounding_is_left_and_fp32_is_near_it(preset: str, pooling: Literal["average", "max"]) -> None:
    """No seam hides below fp32's noise: what a tile's border would do wrong shows at once."""
    recipe = replace(PRESETS[preset], pooling=pooling, pyramid=5 if PRESETS[preset].pyramid > 1 else 1)
    shape = (37, 120) if preset == "gatys" else (57, 70)
    c, x = tensor(scene(*shape, 3)), tensor(scene(*shape, 5))  # of which no feature lies on a ReLU's knee
    loss, gradient = objective(recipe, c.double(), None)(x.double())
    tiled_loss, tiled_gradient = objective(recipe, c.double(), shape[1] // 2)(x.double())
    assert distance(tiled_loss, loss) < 1e-10
    assert distance(tiled_gradient, gradient) < 1e-10
    single_loss, single_gradient = objective(recipe, c, shape[1] // 2)(x)
    assert distance(single_loss, loss) < 1e-4
    assert distance(single_gradient, gradient) < 1e-4


@pytest.mark.parametrize("layer", ["conv1_1", "relu2_2", "pool2", "relu3_1", "pool4", "relu5_1"])
def test_the_margin_is_as_wide_as_a_feature_sees_and_no_wider(layer: str) -> None:
    """One pixel changed just inside it is seen in the core's first feature, one just outside never."""
    wide, step = VGG19[layer].halo or 0, VGG19[layer].stride
    vgg = VGG({name: weight.abs().double() for name, weight in random_weights().items()}, CPU)
    x = torch.rand(1, 3, step, 2 * wide + 2 * step, dtype=torch.float64)

    def first(place: int) -> Tensor:
        changed = x.clone()
        changed[..., place] += 10
        return vgg.features(changed, [layer], "average")[layer][..., (wide + step) // step]

    assert torch.equal(first(step - 1), vgg.features(x, [layer], "average")[layer][..., (wide + step) // step])
    assert not torch.allclose(first(step * 2 - 1), first(step - 1), rtol=1e-6)


def test_cores_cover_the_picture_once_and_lie_on_the_pooling_grid() -> None:
    for deepest in ("relu1_1", "relu3_1", "relu5_1"):
        by = cut(VGG19, [deepest])
        least = by.step
        for height, width, side in [(least, 333, 50), (97, 64, 1), (200, 121, None), (130, 128, 128)]:
            found = torch.zeros(height, width, dtype=torch.int)
            for tile in tiles.grid(height, width, side, by):
                view = tile.core(tile.cut(found))
                assert min(view.shape) >= least
                assert all(span.start % least == 0 and span.low % VGG19[deepest].stride == 0 for span in tile)
                view += 1
            assert bool((found == 1).all())


def test_strides_are_the_features_own() -> None:
    found = VGG(random_weights(), CPU).features(torch.rand(1, 3, 64, 64), LAYERS, "max")
    assert {name: 64 // F.shape[-1] for name, F in found.items()} == {
        name: layer.stride for name, layer in VGG19.items()
    }
