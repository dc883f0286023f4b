"""Awkward photos come out as paintings, whole and in tiles; and the benchmark of fifty would see it if not."""

from pathlib import Path

import numpy as np
import pytest

from daemon.transfer import Stylizer
from daemon.transfer.recipe import recipe
from tests.benchmarks import robustness
from tests.benchmarks.robustness import beyond_inner_frames, cuts_of, is_black, looked_at, seam, tiled
from tests.support.scenes import scene

pytestmark = pytest.mark.slow

DRAFT = recipe("draft")


def test_fifty_combinations_are_looked_at() -> None:
    photos = robustness.photos()
    assert len(photos) * len(robustness.STYLES) == 50
    assert {photos["16 x 16"].size, photos["3000 x 200"].size} == {(16, 16), (3000, 200)}
    assert {image.mode for image in photos.values()} == {"RGB", "RGBA", "L", "1"}


@pytest.mark.parametrize("photo", ["16 x 16", "3000 x 200", "transparent", "very dark", "very bright", "one colour"])
def test_an_awkward_photo_comes_out_as_a_painting(
    photo: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = [
        "--json",
        "--preset",
        "draft",
        "--size",
        "72",
        "--tile",
        "32",
        "--threads",
        "1",
        "--device",
        "cpu",
        "--style",
        "starry",
    ]
    given = robustness.parser().parse_args([*small, "--photo", photo, "--keep", str(tmp_path)])
    (row,) = robustness.run(given)["rows"]
    assert (tmp_path / f"{photo}, starry.png").exists()
    assert not row["wrong"], row
    robustness.print_row(row)
    said = capsys.readouterr().out
    assert "too small" in said, "72 px have no frame within to compare"
    assert ("one tile" in said) == (photo in ("16 x 16", "3000 x 200"))


def test_what_is_wrong_is_seen() -> None:
    photo, style = scene(240, 280), scene(240, 240, seed=1)
    painting = np.clip(photo * 0.8 + 0.1, 0, 1)
    framed = painting.copy()
    framed[:12] = framed[-12:] = framed[:, :12] = framed[:, -12:] = 0.02
    broken = painting.copy()
    broken[5, 5] = np.nan
    assert looked_at(painting, photo, style, DRAFT)["wrong"] == []
    beyond = beyond_inner_frames(framed, photo)
    assert beyond is not None
    assert beyond[0] > robustness.TONE
    assert beyond_inner_frames(framed[:180], photo[:180]) is None, "too small for a frame within: nothing is known"
    assert looked_at(framed, photo, style, DRAFT)["wrong"] == ["It has a border."]
    assert is_black(painting * 0.02, photo, style)
    assert not is_black(painting * 0.02, photo * 0.02, style)
    assert "no numbers" in looked_at(broken, photo, style, DRAFT)["wrong"][0]


def test_a_seam_is_seen() -> None:
    painting = scene(64, 96)
    split = painting.copy()
    split[:, 48:] = np.clip(split[:, 48:] + 0.2, 0, 1)
    assert seam(painting, painting, ([32], [48])) == 1
    assert seam(split, painting, ([], [48])) > robustness.SEAM


def test_tiles_leave_no_seam() -> None:
    painter, photo, style = Stylizer("cpu", "embedded", 1), scene(72, 96), scene(64, 64, seed=1)
    assert cuts_of(photo.shape, 32, DRAFT) == ([24, 48], [32, 64])
    found = tiled(painter, photo, style, DRAFT, 32)
    assert found["tiles_differ"] < 0.02
    assert found["seam"] == pytest.approx(1, abs=0.02)
