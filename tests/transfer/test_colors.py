import numpy as np
import pytest

from daemon.transfer import colors
from tests.support.scenes import scene


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


def faint(picture: colors.Picture, share: float) -> colors.Picture:
    """The picture with so much of its chroma."""
    y = (picture @ colors.LUMA)[..., None]
    return np.asarray(y + share * (picture - y), np.float32)


def test_a_chroma_is_stretched_to_half_of_the_luminance_and_no_further_than_is_allowed() -> None:
    y = np.linspace(0, 1, 600, dtype=np.float32)[:, None, None]
    picture = np.asarray(y + np.linspace(-0.3, 0.3, 700)[:, None] * np.array([0.587, -0.299, 0]), np.float32)
    found = colors.chroma_gain([(picture, 1.0)], 100)
    chroma = (picture - (picture @ colors.LUMA)[..., None]).var((0, 1)).mean()
    assert found == pytest.approx(float(0.5 * (picture @ colors.LUMA).std() / np.sqrt(chroma)), rel=1e-3)
    assert found > 1.5
    assert colors.chroma_gain([(faint(picture, 0.5), 1.0)], 100) == pytest.approx(2 * found, rel=1e-3)
    assert colors.chroma_gain([(faint(picture, 0.5), 1.0)], 2.5) == 2.5
    assert colors.chroma_gain([(faint(picture, found), 1.0)], 2.5) == pytest.approx(1, rel=1e-3)
    assert colors.chroma_gain([(faint(picture, 3 * found), 1.0)], 2.5) == 1, "colours are never made fainter"


def test_what_is_stretched_is_the_blend_of_the_styles() -> None:
    grey, coloured = faint(scene(20, 30, 1), 0), faint(scene(20, 30, 1), 0.4)
    alone, other = (colors.chroma_gain([(picture, 1.0)], 100) for picture in (grey, coloured))
    mostly_grey, mostly_coloured = (colors.chroma_gain([(grey, 1 - w), (coloured, w)], 100) for w in (0.1, 0.9))
    assert other < mostly_coloured < mostly_grey < alone < 100
    assert colors.chroma_gain([(grey, 2.0), (coloured, 2.0)], 9) == pytest.approx(
        colors.chroma_gain([(grey, 1.0), (coloured, 1.0)], 9)
    )
    assert colors.chroma_gain([(np.full((4, 4, 3), 0.3, np.float32), 1.0)], 2.5) == 1, "one colour: nothing is faint"


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
