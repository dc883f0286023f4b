"""`styled preview` and the sheets of `styled styles`."""

from pathlib import Path

import pytest
from PIL import Image

from daemon.cli.output import read_provenance
from daemon.cli.paint_plan import choose_styles
from daemon.cli.preview import looks
from daemon.config.load import load
from daemon.config.models import RecipeSettings
from tests.support.commands import styled, styled_here
from tests.support.samples import CONFIG, jpeg

QUICK = ("--size", "48", "--device", "cpu", "--threads", "1")


@pytest.mark.slow
def test_a_photograph_in_every_style_on_one_sheet_each_with_the_line_that_makes_it_large(root: Path) -> None:
    (root / "photo.jpg").write_bytes(jpeg(60, 40))
    done = styled("preview", "photo.jpg", "--strengths", "1,2", *QUICK, cwd=root)
    assert done.returncode == 0, done.stderr
    with Image.open(root / "photo-preview.png") as sheet:
        assert sheet.format == "PNG"
        assert sheet.width > 400
    lines = [line.strip() for line in done.stdout.splitlines()[2:]]
    assert [line.partition(":")[0] for line in lines] == ["alpha", "alpha-2", "beta", "beta-2"]
    again = styled("preview", "photo.jpg", cwd=root)
    assert again.returncode == 2
    assert "exists already" in again.stderr


@pytest.mark.slow
def test_the_line_makes_the_same_look(root: Path) -> None:
    """A style in config.yaml by that line paints with the recipe of the preview."""
    (root / "photo.jpg").write_bytes(jpeg(60, 40))
    config = load(root / "config.yaml")
    given = RecipeSettings.model_validate({"preset": "fine", "keep_colors": "no", "seed": 3})
    look = looks(choose_styles(["ink"], config, given), [2.0], config)[0]
    assert look.line == "ink-2: {picture: builtin:ink, preset: fine, style_weight: 2, seed: 3}"
    (root / "config.yaml").write_text(f"{CONFIG}  {look.line}\n")
    assert load(root / "config.yaml").settings("ink-2").recipe == look.style.settings.recipe
    done = styled("paint", "photo.jpg", "-s", "ink-2", "-o", "out.png", "--size", "32", cwd=root)
    assert done.returncode == 0, done.stderr
    assert read_provenance(root / "out.png").recipe == look.style.settings.recipe


def test_the_line_holds_layers_and_scales_that_are_the_styles_own_and_not_those_of_its_preset(root: Path) -> None:
    own = "content_layers: {relu1_2: 1}, scales: [[.5, 3], [1, 2]]"
    text = (root / "config.yaml").read_text()
    (root / "config.yaml").write_text(
        f"{text}  gamma: {{picture: alpha.png, {own}}}\n  fine: {{picture: beta.png, preset: fine}}\n"
    )
    config = load(root / "config.yaml")
    given = RecipeSettings()
    gamma, fine = looks(choose_styles(["gamma", "fine"], config, given), [2.0], config)
    assert fine.line.endswith("beta.png, preset: fine, style_weight: 2}")
    assert gamma.line.endswith("content_layers: {relu1_2: 1.0}, scales: [[0.5, 3], [1.0, 2]]}")
    (root / "config.yaml").write_text(f"{text}  {gamma.line}\n")
    assert load(root / "config.yaml").settings("gamma-2").recipe == gamma.style.settings.recipe


@pytest.mark.parametrize("strengths", ["", "a", "1,,2", "-1", "nan"])
def test_strengths_are_numbers(root: Path, strengths: str) -> None:
    (root / "photo.jpg").write_bytes(jpeg(60, 40))
    done = styled_here("preview", "photo.jpg", "--strengths", strengths, "-s", "ink", cwd=root)
    assert done.returncode == 2
    assert "such as 0.5,1,2" in done.stderr


@pytest.mark.slow
def test_the_pictures_of_the_styles_are_a_png_with_names_and_replace_nothing_unasked(root: Path) -> None:
    arguments = ("styles", "--config", root / "config.yaml", "--sheet")
    done = styled(*arguments, root / "sheet.png")
    assert done.returncode == 0, done.stderr
    assert f"Their pictures: {root}/sheet.png" in done.stdout
    with Image.open(root / "sheet.png") as sheet:
        assert sheet.format == "PNG"
    for name, said in (
        ("sheet.png", "exists already"),
        ("sheet.jpg", "does not end in .png"),
        ("no/s.png", "no folder"),
    ):
        refused = styled(*arguments, root / name)
        assert refused.returncode == 2, name
        assert said in refused.stderr
        assert "Traceback" not in refused.stderr
    assert styled(*arguments, root / "sheet.png", "--overwrite").returncode == 0


def test_a_sheet_never_replaces_a_style_picture(root: Path) -> None:
    (root / "photo.jpg").write_bytes(jpeg(60, 40))
    done = styled("preview", "photo.jpg", "-s", "alpha.png", "-o", "alpha.png", "--overwrite", cwd=root)
    assert done.returncode == 2
    assert "alpha.png is needed to paint" in done.stderr


@pytest.mark.slow
def test_a_photograph_in_each_style(root: Path) -> None:
    (root / "photo.jpg").write_bytes(jpeg(60, 40))
    done = styled("styles", "--sheet", "sheet.png", "--photo", "photo.jpg", cwd=root)
    assert done.returncode == 0, done.stderr
    assert "beta: {picture: " in done.stdout
    assert (root / "sheet.png").exists()
