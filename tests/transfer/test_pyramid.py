import numpy as np
import pytest
import torch

from daemon.transfer.pyramid import add_adjoint, halved, level_weights, pyramid
from daemon.transfer.recipe import PRESETS
from tests.support.scenes import scene, tensor


@pytest.mark.parametrize("shape", [(16, 20), (17, 31), (1, 1), (2, 9)])
def test_half_a_picture_is_low_passed_by_hand_and_every_second_pixel(shape: tuple[int, int]) -> None:
    x = scene(*shape, 1)
    taps = np.array([1, 4, 6, 4, 1]) / 16
    wide = np.pad(x, ((2, 2), (2, 2), (0, 0)), mode="edge")
    rows = sum(t * wide[n : n + shape[0]] for n, t in enumerate(taps))
    both = sum(t * rows[:, n : n + shape[1]] for n, t in enumerate(taps))
    found = halved(tensor(x.astype(np.float32)).double())[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(found, both[::2, ::2], rtol=1e-6)


@pytest.mark.parametrize("band", [1000, 3])
@pytest.mark.parametrize("shape", [(33, 47), (64, 40), (3, 2), (1, 1)])
def test_the_derivative_by_a_picture_is_gathered_from_its_pyramid(
    shape: tuple[int, int], band: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = tensor(scene(*shape, 1)).double().requires_grad_(True)
    levels = pyramid(x, 4)
    monkeypatch.setattr("daemon.transfer.pyramid.BAND", band)
    torch.testing.assert_close(pyramid(x, 4), levels)
    gradients = [torch.rand(level.shape, dtype=torch.float64) for level in levels]
    (expected,) = torch.autograd.grad(levels, x, gradients)
    *larger, g = (gradient.clone() for gradient in gradients)
    for finer in reversed(larger):
        add_adjoint(g, finer)
        g = finer
    torch.testing.assert_close(g, expected)


def test_twice_the_size_has_a_level_more_and_a_small_picture_has_fewer() -> None:
    fine = PRESETS["fine"]
    counts = [len(level_weights(fine, (side * 3 // 4, side))) for side in (512, 1024, 2048, 8192)]
    assert counts == [fine.pyramid, fine.pyramid + 1, fine.pyramid + 2, fine.pyramid + 4]
    assert len(level_weights(fine, (20, 4000))) == 1
    assert level_weights(PRESETS["tutorial"], (2048, 2048)) == [1.0]
    assert sum(level_weights(fine, (1536, 2048))) == pytest.approx(1)
