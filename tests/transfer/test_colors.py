import numpy as np
import pytest

from daemon.transfer import colors

from .conftest import scene


def test_luminance_is_the_paintings_and_hue_the_photos() -> None:
    painting, photo = scene(20, 30, 1), scene(20, 30, 2)
    result = colors.luminance(painting, photo)
    np.testing.assert_allclose(result @ colors.LUMA, painting @ colors.LUMA, atol=2e-3)
    mine, theirs = (p - (p @ colors.LUMA)[..., None] for p in (result, photo))
    norms = np.linalg.norm(mine, axis=2) * np.linalg.norm(theirs, axis=2)
    visible = norms > 1e-2
    assert visible.mean() > 0.2
    np.testing.assert_allclose(np.sum(mine * theirs, axis=2)[visible] / norms[visible], 1, atol=1e-3)


def test_luminance_of_a_grey_photo_is_grey() -> None:
    grey = np.repeat(scene(8, 8, 1)[..., :1], 3, axis=2)
    assert np.ptp(colors.luminance(scene(8, 8, 2), grey), axis=2).max() < 1e-5


def test_statistics_are_the_photos_afterwards() -> None:
    random = np.random.default_rng(0)
    style = (0.5 + 0.05 * random.standard_normal((64, 64, 3))).astype(np.float32)
    mixing = np.array([[0.08, 0.02, 0], [0.01, 0.05, 0.03], [0, 0.02, 0.06]])
    photo = (random.standard_normal((50, 40, 3)) @ mixing + [0.4, 0.5, 0.6]).astype(np.float32)
    matched = colors.statistics(style, photo)
    np.testing.assert_allclose(matched.mean((0, 1)), photo.mean((0, 1)), atol=1e-3)
    mine, theirs = (np.cov(p.reshape(-1, 3).T, bias=True) for p in (matched, photo))
    np.testing.assert_allclose(mine, theirs, atol=2e-4)


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_pictures_of_one_colour_give_finite_pictures(value: float) -> None:
    flat, picture = np.full((9, 7, 3), value, np.float32), scene(9, 7)
    for one, two in ((flat, picture), (picture, flat), (flat, flat)):
        for result in (colors.luminance(one, two), colors.statistics(one, two)):
            assert result.shape == one.shape
            assert result.dtype == np.float32
            assert np.isfinite(result).all()
            assert result.min() >= 0
            assert result.max() <= 1
