from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from daemon.transfer import losses, tiles
from daemon.transfer.detail import REACH, WINDOW, energy, of_features, style_weights
from daemon.transfer.errors import RecipeError
from daemon.transfer.network.layers import VGG19, cut
from daemon.transfer.recipe import PRESETS
from tests.support.scenes import scene, tensor


def test_the_energy_is_the_squared_gradient_averaged_by_hand() -> None:
    x = scene(21, 30, 1)
    y = x.mean(2)
    across = np.diff(y, axis=1, append=y[:, -1:]) ** 2
    down = np.diff(y, axis=0, append=y[-1:]) ** 2
    wide = np.pad(across + down, WINDOW // 2, mode="edge")
    expected = np.array([[wide[r : r + WINDOW, c : c + WINDOW].mean() for c in range(30)] for r in range(21)])
    np.testing.assert_allclose(energy(tensor(x).double())[0, 0].numpy(), expected, rtol=1e-5, atol=1e-9)


def test_the_style_counts_in_full_where_the_photo_is_smooth_and_by_the_floor_at_edges() -> None:
    c = torch.full((1, 3, 64, 64), 0.5)
    c[..., 40:] = 0.9  # an edge
    W = style_weights(c, 0.25)
    assert W.shape == (1, 1, 64, 64)
    assert float(W[..., 39].max()) < 0.45
    assert torch.equal(W[..., :20], torch.ones(1, 1, 64, 20))
    assert torch.equal(style_weights(torch.zeros(1, 3, 9, 9), 0.25), torch.ones(1, 1, 9, 9)), "of one colour"
    assert torch.equal(style_weights(c, 1.0), torch.ones(1, 1, 64, 64))
    assert of_features(W[..., :61, :], 4).shape == (1, 1, 15, 16)


@pytest.mark.parametrize("keep", [True, False], ids=["kept", "computed each time"])
@pytest.mark.parametrize("side", [None, 32], ids=["whole", "in tiles"])
def test_the_weights_of_all_tiles_are_those_of_the_whole_picture(side: int | None, keep: bool) -> None:
    """Each feature once, in proportion to its weight; and moments with equal weights are those without."""
    c, strides = tensor(scene(75, 90, 1)), {"relu1_1": 1, "relu3_1": 4}
    grid = tiles.grid(75, 90, side, cut(VGG19, list(strides))._replace(halo=REACH))
    assert len(grid) == (9 if side else 1)
    found = [tiles.StylePlaces(c, 0.25, grid, strides, torch.float64, keep)[number] for number in range(len(grid))]
    for name, stride in strides.items():
        W, pixels = of_features(style_weights(c, 0.25), stride), (75 // stride) * (90 // stride)
        here = [at[name] for at in found]
        for p, _ in here:
            torch.testing.assert_close(p.sum(), torch.ones_like(p.sum()))
        assert sum(count for _, count in here) == pytest.approx(pixels)
        values = torch.cat([(p * count).flatten() for p, count in here]).sort().values
        torch.testing.assert_close(values, (W / W.mean()).flatten().sort().values.double(), rtol=1e-5, atol=0)
    assert tiles.StylePlaces(c, 1.0, grid, strides, torch.float64, keep)[0] == {}
    F = torch.rand(1, 8, 5, 7)
    for one, other in zip(losses.covariance(F), losses.covariance(F, torch.full((1, 1, 5, 7), 1 / 35)), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(("field", "value"), [("style_floor", 1.5), ("style_floor", 0), ("finest", 0)])
def test_a_share_beyond_its_range_is_refused(field: str, value: float) -> None:
    wrong: dict[str, Any] = {field: value}
    with pytest.raises(RecipeError, match=field):
        replace(PRESETS["fine"], **wrong)
