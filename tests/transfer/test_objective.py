from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Literal

import pytest
import torch
from torch import Tensor

from daemon.transfer import losses
from daemon.transfer.objective import Objective
from daemon.transfer.recipe import PRESETS
from tests.support.objectives import preset_objective, random_network, targets
from tests.support.scenes import scene, tensor

SLOW = pytest.mark.slow


@pytest.mark.parametrize("preset", ["fine", "tutorial", pytest.param("gatys", marks=SLOW)])
def test_gradients_agree_with_float64(preset: str) -> None:
    """float32, which paints, to 1e-3; bfloat16, which the roofline can be measured in, in direction."""
    x = tensor(scene(32, 48, 3))
    exact = preset_objective(preset, torch.float64)(x.double())[1].flatten()
    single, half = (preset_objective(preset, t)(x)[1].double().flatten() for t in (torch.float32, torch.bfloat16))
    assert (single - exact).norm() / exact.norm() < 1e-3
    assert torch.cosine_similarity(half, exact, dim=0) > 0.99


@pytest.mark.parametrize("preset", ["fine", "tutorial", pytest.param("gatys", marks=SLOW)])
@pytest.mark.parametrize("pooling", ["average", "max"])
@pytest.mark.parametrize("border", ["zeros", "edge"])
def test_the_gradient_is_the_losss(
    preset: str, pooling: Literal["average", "max"], border: Literal["zeros", "edge"]
) -> None:
    """Against differences of the loss itself: everywhere at once, and at a corner, an edge and within."""
    recipe = replace(PRESETS[preset], pooling=pooling, border=border)
    vgg = random_network(torch.float64)
    c, s, x = (tensor(scene(21, 35, seed)).double() for seed in (1, 2, 3))
    evaluate = Objective(vgg, recipe, c, targets(vgg, s, recipe, c))
    _, gradient = evaluate(x)
    directions = [torch.rand(x.shape, generator=torch.Generator().manual_seed(0), dtype=x.dtype) - 0.5]
    for row, column in ((0, 0), (0, 20), (20, 34), (11, 21)):
        directions.append(torch.zeros_like(x))
        directions[-1][..., row, column] = 1
    for d in directions:
        step = 1e-6 * d
        found = (evaluate(x + step)[0] - evaluate(x - step)[0]) / 2e-6
        assert abs(found - (gradient * d).sum()) < 1e-4 * gradient.norm() * d.norm()


def test_an_eased_loss_has_its_own_gradient() -> None:
    recipe, vgg = PRESETS["tutorial"], random_network(torch.float64)
    c, s, x = (tensor(scene(33, 47, seed)).double() for seed in (1, 2, 3))
    A = targets(vgg, s, recipe, c)
    whole, tiled = (Objective(vgg, recipe, c, A, side, eased=True) for side in (None, 16))
    loss, gradient = whole(x)
    assert loss < Objective(vgg, recipe, c, A)(x)[0], "the style counts less"
    d = torch.rand(x.shape, generator=torch.Generator().manual_seed(0), dtype=x.dtype) - 0.5
    found = (whole(x + 1e-6 * d)[0] - whole(x - 1e-6 * d)[0]) / 2e-6
    assert abs(found - (gradient * d).sum()) < 1e-4 * gradient.norm() * d.norm()
    assert (tiled(x)[1] - gradient).norm() < 1e-9 * gradient.norm()


@pytest.mark.parametrize("preset", ["fine", pytest.param("tutorial", marks=SLOW), pytest.param("gatys", marks=SLOW)])
@pytest.mark.parametrize("side", [None, pytest.param(32, marks=SLOW)], ids=["whole", "in tiles"])
def test_loss_and_gradient_are_those_of_the_sum(preset: str, side: int | None) -> None:
    """The closed forms against autograd through the loss as it is written down, with three levels of the pyramid."""
    recipe = replace(PRESETS[preset], pyramid=5 if PRESETS[preset].pyramid > 1 else 1)
    vgg = random_network(torch.float64)
    c, s, x = (tensor(scene(101, 115, seed)).double() for seed in (1, 2, 3))
    A = targets(vgg, s, recipe, c)
    assert len(A) == (3 if recipe.pyramid > 1 else 1)
    loss, gradient = Objective(vgg, recipe, c, A, side)(x)
    x.requires_grad_(True)

    def features(picture: Tensor, layers: Collection[str]) -> Mapping[str, Tensor]:
        return vgg.features(picture, list(layers), recipe.pooling, recipe.border)

    expected = losses.total(recipe, x, c, s, features)
    (expected_gradient,) = torch.autograd.grad(expected, x)
    torch.testing.assert_close(loss, expected.detach(), rtol=1e-9, atol=0)
    assert (gradient - expected_gradient).norm() < 1e-9 * expected_gradient.norm()


@pytest.mark.slow
def test_the_terms_add_up_to_the_loss_whole_and_in_tiles() -> None:
    recipe, vgg = replace(PRESETS["fine"], pyramid=5), random_network()
    c, s, x = (tensor(scene(101, 115, seed)) for seed in (1, 2, 3))
    for side in (None, 32):
        evaluate = Objective(vgg, recipe, c, targets(vgg, s, recipe, c), side)
        terms = evaluate.terms(x)
        assert set(terms) == {
            *(f"style {name}" for name, _ in recipe.style_layers),
            *(f"content {name}" for name, _ in recipe.content_layers),
            "total variation",
        }
        assert sum(terms.values()) == pytest.approx(float(evaluate(x)[0]), rel=1e-5)
