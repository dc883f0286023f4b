import numpy as np

from daemon.transfer import colors
from tests.support.scenes import Picture, scene


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


def two_tone(light: tuple[float, float, float], dark: tuple[float, float, float], seed: int = 0) -> Picture:
    """Soft shades between two colours."""
    share = scene(40, 60, seed).mean(2, keepdims=True)
    return np.asarray(share * np.array(light) + (1 - share) * np.array(dark), dtype=np.float32)


def test_the_tint_of_a_black_and_white_picture_gives_its_shades_back() -> None:
    style = two_tone((0.98, 0.94, 0.85), (0.05, 0.06, 0.12))
    found = colors.tint([(style, 1.0)], 0.04)
    assert found is not None
    np.testing.assert_allclose(found.on((style @ colors.LUMA)[..., None]), style, atol=1e-3)
    np.testing.assert_allclose(colors.grey(style)[..., 1], style @ colors.LUMA)


def test_a_small_spot_of_colour_leaves_a_picture_black_and_white_and_many_colours_do_not() -> None:
    style = two_tone((1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    style[:8, :20] = (0.8, 0.1, 0.1)
    assert colors.tint([(style, 1.0)], 0.04) is not None
    style[:20, :30] = (0.1, 0.1, 0.8)
    assert colors.tint([(style, 1.0)], 0.04) is None, "red and blue"
    grey = two_tone((1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    colours = scene(40, 40, 1) * np.array([1.0, 0.6, 0.3], np.float32)
    assert colors.tint([(colours, 1.0), (grey, 1.0)], 0.04) is None
    assert colors.tint([(colours, 1.0), (grey, 50.0)], 0.04) is not None


def test_the_map_of_colours_gives_a_photo_the_styles_mean_and_covariance() -> None:
    photo, style = scene(50, 60, 1), scene(40, 70, 2) * np.array([1.0, 0.6, 0.3], np.float32)
    T, b = colors.color_map(photo, [(style, 1.0)], 0.0)
    mapped = photo.reshape(-1, 3) @ T.T + b
    np.testing.assert_allclose(mapped.mean(0), style.reshape(-1, 3).mean(0), atol=1e-3)
    np.testing.assert_allclose(np.cov(mapped.T), np.cov(style.reshape(-1, 3).T), atol=2e-3)
    np.testing.assert_allclose(T, T.T, atol=1e-9)


def test_faint_chroma_is_not_stretched_into_a_tint() -> None:
    """By the floor: a grey photo has no colours that a map could find the style's in."""
    photo, style = two_tone((1.0, 1.0, 0.98), (0.0, 0.0, 0.01)), scene(40, 70, 2)
    bare, held = (np.linalg.eigvalsh(colors.color_map(photo, [(style, 1.0)], floor)[0]) for floor in (0.0, 0.05))
    assert held.max() < 6 < bare.max()
