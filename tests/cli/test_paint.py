"""`styled paint` as a person types it."""

import os
from pathlib import Path

import pytest
from PIL import Image

from daemon.cli.output import read_provenance
from tests.support.commands import styled, styled_here
from tests.support.samples import CONFIG, jpeg

QUICK = ("--preset", "draft", "--size", "48", "--device", "cpu", "--threads", "1")


@pytest.fixture
def photo(root: Path) -> Path:
    (root / "photo.jpg").write_bytes(jpeg(60, 40))
    return root / "photo.jpg"


@pytest.mark.slow
def test_it_paints_one_picture_and_overwrites_nothing_unasked(root: Path, photo: Path) -> None:
    arguments = ("paint", photo, root / "alpha.png", "-o", root / "out.png", *QUICK)
    done = styled(*arguments)
    assert done.returncode == 0, done.stderr
    with Image.open(root / "out.png") as painting:
        assert (painting.format, painting.size) == ("PNG", (48, 32))
    again = styled(*arguments)
    assert again.returncode == 2
    assert "exists already" in again.stderr
    assert not list(root.glob(".*.tmp"))
    assert done.stderr == "", "no bar, and no empty line in its place"
    assert done.stdout.count("\n") == 1


@pytest.mark.slow
def test_without_a_name_the_painting_lies_here_with_the_names_of_the_photo_and_the_style(
    root: Path, photo: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    here = tmp_path_factory.mktemp("here")
    done = styled("paint", photo, "ink", *QUICK, cwd=here)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in here.iterdir()] == ["photo-ink.jpg"]
    assert done.stdout.startswith("photo-ink.jpg  (")


@pytest.mark.slow
def test_many_photographs_in_many_styles_with_one_that_is_broken(root: Path, photo: Path) -> None:
    """Styles by their names in config.yaml, with their settings there; the options win."""
    (root / "config.yaml").write_text(CONFIG.replace("beta.png}", "beta.png, style_weight: 2, seed: 3}"))
    (root / "broken.webp").write_bytes(b"no picture")
    done = styled("paint", photo, "broken.webp", "-s", "beta, ink", "-o", "out", *QUICK, "--seed", "7", cwd=root)
    assert done.returncode == 1
    assert done.stdout.splitlines()[0].startswith("out/photo-beta.jpg  (")
    assert done.stdout.splitlines()[-1].startswith("2 paintings in ")
    assert done.stdout.splitlines()[-1].endswith(" of painting; 2 failed")
    assert done.stderr.count("broken.webp: ") == 2
    assert sorted(os.listdir(root / "out")) == ["photo-beta.jpg", "photo-ink.jpg"]
    record = read_provenance(root / "out/photo-beta.jpg")
    assert (record.style, record.recipe.style_weight, record.recipe.seed, record.threads) == ("beta", 2.0, 7, 1)
    assert read_provenance(root / "out/photo-ink.jpg").pictures[0].name == "builtin:ink"


@pytest.mark.slow
def test_a_film_is_written_beside_and_replaces_nothing_unasked(root: Path, photo: Path) -> None:
    arguments = ("paint", photo, "builtin:ink", "-o", root / "a.png", "--film", *QUICK)
    done = styled(*arguments)
    assert done.returncode == 0, done.stderr
    with Image.open(root / "a.film.webp") as film:
        assert (film.size, film.format) == ((48, 32), "WEBP")
        assert film.n_frames > 2  # type: ignore[attr-defined]
    (root / "a.png").unlink()
    done = styled(*arguments)
    assert done.returncode == 2
    assert "a.film.webp exists already" in done.stderr
    assert not (root / "a.png").exists()


@pytest.mark.slow
def test_every_setting_of_the_recipe_and_a_mask_are_options(root: Path, photo: Path) -> None:
    Image.linear_gradient("L").save(root / "mask.png")
    own = ("--style-scale", "1.5", "--content-weight", "3", "--smoothness", "0", "--start", "noise")
    done = styled("paint", photo, "builtin:ink", "-o", root / "a.webp", "--mask", root / "mask.png", *QUICK, *own)
    assert done.returncode == 0, done.stderr
    record = read_provenance(root / "a.webp")
    recipe = record.recipe
    assert (recipe.style_scale, recipe.content_weight, recipe.smoothness, recipe.start) == (1.5, 3.0, 0.0, "noise")
    assert record.mask_sha256
    assert record.seconds < 60


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("alpha.png", "-o", "out.gif"), "does not end in"),
        (("alpha.png", "-o", "out.png", "--preset", "finest"), "--preset: 'finest' cannot be used; write fine"),
        (("alpha.png", "-o", "nowhere/out.png"), "there is no folder nowhere; make it"),
        (("alpha.png", "-o", "nowhere/far/out"), "there is no folder nowhere/far; make it"),
        (("alpha.png", "-o", "photo.jpg", "--overwrite"), "photo.jpg is needed to paint, so no painting may replace"),
        (("alpha.png", "-o", "linked.jpg", "--overwrite"), "linked.jpg is photo.jpg, and is needed to paint"),
        (("alpha.png", "-o", "alpha.png", "--overwrite"), "alpha.png is needed to paint"),
        (("-s", "alpha,beta", "-o", "out.png"), "2 paintings need a folder"),
        (
            ("-s", "alpa", "-o", "out.png"),
            "there is no style and no file of this name; did you mean alpha?",
        ),
        (("gone.jpg", "-s", "ink", "-o", "out"), "there is no file gone.jpg"),
        (("sub/photo.jpg", "-s", "ink", "-o", "out"), "two paintings would be called out/photo-ink.jpg"),
        (("-o", "out.png"), "In which style? styled paint photo.jpg --style NAME"),
    ],
)
def test_it_refuses_before_painting_in_plain_words(
    root: Path, photo: Path, arguments: tuple[str, ...], said: str
) -> None:
    os.link(photo, root / "linked.jpg")
    (root / "sub").mkdir()
    (root / "sub/photo.jpg").write_bytes(jpeg(20, 20))
    before = sorted(root.rglob("*"))
    done = styled_here("paint", photo.name, *arguments, cwd=root)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(root.rglob("*")) == before


@pytest.mark.slow
def test_weights_that_do_not_reach_are_refused_before_the_first_painting(root: Path, photo: Path) -> None:
    done = styled("paint", photo, "ink", "-o", root / "out.png", "--preset", "gatys", "--weights", "embedded")
    assert done.returncode == 2
    assert "styled weights" in done.stderr


@pytest.mark.slow
def test_a_print_fits_its_paper_and_says_its_pixels_per_inch(root: Path, photo: Path) -> None:
    done = styled("paint", photo, "ink", "-o", root / "a.jpg", *QUICK, "--size", "2x1in@30dpi")
    assert done.returncode == 0, done.stderr
    with Image.open(root / "a.jpg") as painting:
        assert painting.size == (45, 30), "the paper is 60 x 30 px, the photograph 3 : 2"
        assert painting.info["dpi"] == (30, 30)
