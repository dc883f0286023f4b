from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from daemon.transfer.detail import WINDOW, detail_weights, energy, of_features
from daemon.transfer.errors import RecipeError
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


def test_the_content_counts_in_full_at_edges_and_by_the_floor_where_the_photo_is_smooth() -> None:
    c = torch.full((1, 3, 64, 64), 0.5)
    c[..., 40:] = 0.9  # an edge
    W = detail_weights(c, 0.25)
    assert W.shape == (1, 1, 64, 64)
    assert float(W[..., 39].min()) > 0.8
    assert torch.equal(W[..., :20], torch.full((1, 1, 64, 20), 0.25))
    assert torch.equal(detail_weights(torch.zeros(1, 3, 9, 9), 0.25), torch.full((1, 1, 9, 9), 0.25)), "of one colour"
    assert torch.equal(detail_weights(c, 1.0), torch.ones(1, 1, 64, 64))
    assert of_features(W[..., :61, :], 4).shape == (1, 1, 15, 16)


@pytest.mark.parametrize(("field", "value"), [("content_floor", 1.5), ("content_floor", -0.1), ("finest", 0)])
def test_a_share_beyond_its_range_is_refused(field: str, value: float) -> None:
    wrong: dict[str, Any] = {field: value}
    with pytest.raises(RecipeError, match=field):
        replace(PRESETS["fine"], **wrong)
