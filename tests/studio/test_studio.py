"""The studio draws what ships: the same from the same seeds, listed, of sane size, each unlike the others."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from daemon.studio import draw
from daemon.studio.brush import picture, pixels, trace
from daemon.studio.fields import distance, f32, noise
from daemon.studio.march import ball, march

pytestmark = pytest.mark.slow

SHIPPED = {path.stem: path for path in draw.shipped()}


def test_what_is_listed_is_what_ships() -> None:
    found = {path for kind in ("styles", "contents") for path in (draw.ASSETS / kind).iterdir()}
    assert found == set(draw.shipped())
    assert len(draw.STYLES) >= 6
    assert len(draw.CONTENTS) >= 4


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_picture_is_of_sane_size_and_full_of_contrast(name: str) -> None:
    path = SHIPPED[name]
    with Image.open(path) as opened:
        assert opened.mode == "RGB"
        assert 800 <= max(opened.size) <= 1024
        assert min(opened.size) >= 700
        light = pixels(opened).mean(-1)
    assert path.stat().st_size < 350_000
    assert light.std() > 0.15
    assert 0.2 < light.mean() < 0.7


def test_all_together_stay_small_enough_for_a_wheel() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.values()) < 3_000_000


def _manner(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Mean colour, spread of colour, and strength of detail along and across, at stroke scale."""
    with Image.open(path) as opened:
        drawing = pixels(opened)
    light = drawing.mean(-1)
    detail = [np.abs(np.diff(light, axis=axis)).mean() * 5 for axis in (0, 1)]
    return np.array([*drawing.mean((0, 1)), *drawing.std((0, 1)), *detail], np.float64)


def test_no_two_styles_share_palette_and_texture() -> None:
    manners = {name: _manner(SHIPPED[name]) for name in draw.STYLES}
    for one, other in combinations(manners, 2):
        assert np.linalg.norm(manners[one] - manners[other]) > 0.10, (one, other)


@pytest.mark.parametrize("name", ["woodcut", "waves", "glass", "street"])
def test_the_same_seed_draws_the_same_picture(name: str) -> None:
    drawer = draw.shipped()[SHIPPED[name]]
    first, second = drawer(96), drawer(96)
    assert first.dtype == np.float32
    assert max(first.shape) == 96
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", ["ink", "street", "stilllife"])
def test_drawn_small_it_is_the_shipped_picture_and_no_other(name: str) -> None:
    drawing = draw.shipped()[SHIPPED[name]](112)
    assert draw.difference(drawing, SHIPPED[name]) < 0.035
    assert all(draw.difference(drawing, SHIPPED[other]) > 0.1 for other in SHIPPED if other != name)


def test_check_tells_a_drawn_picture_from_a_changed_or_missing_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(draw, "ASSETS", tmp_path)
    monkeypatch.setattr(draw, "SIZE", 96)
    assert draw.main(["--check", "street"]) == 1
    assert draw.main(["street"]) == 0
    assert draw.main(["--check", "street"]) == 0
    picture(np.full((72, 96, 3), 0.5, np.float32)).save(tmp_path / "contents" / "street.jpg")
    assert draw.main(["--check", "street"]) == 1
    assert "differs" in capsys.readouterr().out


def test_a_name_that_is_no_picture_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        draw.main(["stary"])
    assert "starry" in capsys.readouterr().err


def test_distance_is_that_of_the_nearest_seed() -> None:
    rng = np.random.default_rng(1)
    seeds = rng.random((41, 57)) < 0.01
    i, j = np.nonzero(seeds)
    y, x = np.mgrid[0:41, 0:57]
    exact = np.sqrt((y[..., None] - i) ** 2 + (x[..., None] - j) ** 2).min(-1)
    np.testing.assert_allclose(distance(seeds), exact, atol=0.75)  # jump flooding misses by a fraction of a pixel
    assert (distance(seeds) == exact.astype(np.float32)).mean() > 0.98


def test_noise_is_nothing_at_the_corners_of_its_cells_and_smooth_between() -> None:
    x, y = np.meshgrid(f32(np.arange(-5, 5)), f32(np.arange(-5, 5)))
    np.testing.assert_allclose(noise(x, y, 3), 0, atol=1e-6)
    assert np.abs(noise(x + f32(0.5), y + f32(0.5), 3)).max() > 0.2
    np.testing.assert_allclose(noise(x + f32(0.5), y, 3), noise(x + f32(0.501), y, 3), atol=0.01)


def test_a_stroke_runs_along_the_flow() -> None:
    angle = np.full((60, 60), np.pi / 4, np.float32)
    path = trace(angle, f32([[30, 30]]), 9, 2.0)[0]
    np.testing.assert_allclose(path[4], (30, 30))
    np.testing.assert_allclose(np.diff(path, axis=0), np.sqrt(2), atol=1e-4)


def test_a_ray_meets_a_ball_where_geometry_says_and_misses_beside_it() -> None:
    way = f32([[0, 0, 1], [0, 0, 1]])
    origin = f32([[0, 0, 0], [0, 1.5, 0]])
    met = march(lambda p: ball(p, (0.0, 0.0, 5.0), 1.0), origin, way, 0.0, 20.0)
    assert met[0] == pytest.approx(4.0, abs=0.01)
    assert np.isinf(met[1])
