from dataclasses import replace
from typing import Literal

import pytest
import torch

from daemon.transfer import losses, tiles
from daemon.transfer.network.vgg import VGG
from daemon.transfer.objective import Objective
from daemon.transfer.recipe import PRESETS
from daemon.transfer.targets import resized
from tests.support.objectives import preset_objective, random_weights
from tests.support.scenes import scene, tensor


@pytest.mark.parametrize("preset", ["fine", "tutorial", "gatys"])
def test_gradients_agree_with_float64(preset: str) -> None:
    """float32, which paints, to 1e-3; bfloat16, which the roofline can be measured in, in direction."""
    x = tensor(scene(48, 64, 3))
    exact = preset_objective(preset, torch.float64)(x.double())[1].flatten()
    single, half = (preset_objective(preset, t)(x)[1].double().flatten() for t in (torch.float32, torch.bfloat16))
    assert (single - exact).norm() / exact.norm() < 1e-3
    assert torch.cosine_similarity(half, exact, dim=0) > 0.995


@pytest.mark.parametrize("preset", ["fine", "tutorial", "gatys"])
@pytest.mark.parametrize("pooling", ["average", "max"])
@pytest.mark.parametrize("border", ["zeros", "edge"])
def test_the_gradient_is_the_losss(
    preset: str, pooling: Literal["average", "max"], border: Literal["zeros", "edge"]
) -> None:
    """Against differences of the loss itself: everywhere at once, and at a corner, an edge and within."""
    recipe = replace(PRESETS[preset], pooling=pooling, border=border)
    vgg = VGG({name: weight.double() for name, weight in random_weights().items()}, torch.device("cpu"))
    c, s, x = (tensor(scene(33, 47, seed)).double() for seed in (1, 2, 3))
    evaluate = Objective(vgg, recipe, c, tiles.statistics(vgg, s, recipe, None))
    _, gradient = evaluate(x)
    directions = [torch.rand(x.shape, generator=torch.Generator().manual_seed(0), dtype=x.dtype) - 0.5]
    for row, column in ((0, 0), (0, 20), (32, 46), (15, 25)):
        directions.append(torch.zeros_like(x))
        directions[-1][..., row, column] = 1
    for d in directions:
        step = 1e-6 * d
        found = (evaluate(x + step)[0] - evaluate(x - step)[0]) / 2e-6
        assert abs(found - (gradient * d).sum()) < 1e-4 * gradient.norm() * d.norm()


def test_contours_are_those_of_a_smaller_picture_whole_and_in_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.transfer.objective.WHOLE", 60)
    recipe, vgg = PRESETS["fine"], VGG({k: w.double() for k, w in random_weights().items()}, torch.device("cpu"))
    c, s, x = (tensor(scene(33, 47, seed)).double() for seed in (1, 2, 3))
    A = tiles.statistics(vgg, s, recipe, None)
    whole, tiled = (Objective(vgg, recipe, c, A, side) for side in (None, 16))
    without = Objective(vgg, replace(recipe, contours=0.0), c, A)
    assert whole(c)[0] == without(c)[0], "the photograph has its own contours"
    assert whole.terms(x)["contours"] == pytest.approx(float(whole(x)[0] - without(x)[0]))
    d = torch.rand(x.shape, generator=torch.Generator().manual_seed(0), dtype=x.dtype) - 0.5
    gradient = whole(x)[1]
    found = (whole(x + 1e-6 * d)[0] - whole(x - 1e-6 * d)[0]) / 2e-6
    assert abs(found - (gradient * d).sum()) < 1e-4 * gradient.norm() * d.norm()
    assert (tiled(x)[1] - gradient).norm() < 1e-9 * gradient.norm()


@pytest.mark.parametrize(("whole", "seen", "share"), [(60, (13, 19), 1.0), (20, (4, 5), (20 / 47) ** 2)])
def test_contours_are_seen_smaller_and_see_and_hold_less_of_what_is_large(
    monkeypatch: pytest.MonkeyPatch, whole: int, seen: tuple[int, int], share: float
) -> None:
    monkeypatch.setattr("daemon.transfer.objective.WHOLE", whole)
    recipe, vgg = PRESETS["fine"], VGG(random_weights(), torch.device("cpu"))
    c, s, x = (tensor(scene(33, 47, seed)) for seed in (1, 2, 3))
    found = Objective(vgg, recipe, c, tiles.statistics(vgg, s, recipe, None)).terms(x)["contours"]
    E, T = (losses.edges(resized(picture, seen)) for picture in (x, c))
    assert found == pytest.approx(float(recipe.alpha * recipe.contours * share * losses.contours(E, T)))


def test_an_eased_loss_has_its_own_gradient() -> None:
    recipe, vgg = PRESETS["tutorial"], VGG({k: w.double() for k, w in random_weights().items()}, torch.device("cpu"))
    c, s, x = (tensor(scene(33, 47, seed)).double() for seed in (1, 2, 3))
    A = tiles.statistics(vgg, s, recipe, None)
    whole, tiled = (Objective(vgg, recipe, c, A, side, eased=True) for side in (None, 16))
    loss, gradient = whole(x)
    assert loss < Objective(vgg, recipe, c, A)(x)[0], "the style counts less"
    d = torch.rand(x.shape, generator=torch.Generator().manual_seed(0), dtype=x.dtype) - 0.5
    found = (whole(x + 1e-6 * d)[0] - whole(x - 1e-6 * d)[0]) / 2e-6
    assert abs(found - (gradient * d).sum()) < 1e-4 * gradient.norm() * d.norm()
    assert (tiled(x)[1] - gradient).norm() < 1e-9 * gradient.norm()
