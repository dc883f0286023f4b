"""`styled info` and `styled repaint`: a painting says how it was made, and is made again from its record."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from daemon.cli.output import read_provenance
from daemon.cli.paint import paint, read_photo, stylizer_for, write
from daemon.cli.repaint import repaint
from daemon.config.checks import style_picture
from daemon.transfer.plan import Plan
from daemon.transfer.recipe import PRESETS
from daemon.transfer.steps import EvaluationRun
from tests.support.commands import styled
from tests.support.daemon import Daemon
from tests.support.samples import jpeg


def test_a_delivered_painting_is_painted_again_bit_for_bit(root: Path, start: Callable[..., Daemon]) -> None:
    """Through the daemon's own way, with a sidecar and a colour transfer, as JPEG."""
    inbox = root / "inbox/alpha"
    inbox.mkdir(parents=True)
    (inbox / "photo.jpg.yaml").write_text("{size: 40, keep_colors: luminance, style_scale: 1.5, start: noise, seed: 5}")
    Image.linear_gradient("L").resize((9, 6)).save(inbox / "photo.jpg.mask.png")
    (inbox / "photo.jpg").write_bytes(jpeg(90, 60))
    assert start("--once").process.wait(60) == 0
    painting, source = root / "outbox/alpha/photo.jpg", root / "done/alpha/photo.jpg"

    record = json.loads(styled("info", painting, "--json").stdout)
    assert record["source_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert record["pictures"][0]["sha256"] == hashlib.sha256((root / "alpha.png").read_bytes()).hexdigest()
    assert (record["size"], record["threads"], record["device"]) == ([40, 27], 1, "cpu")
    assert record["steps"] == 7  # draft has 2; its 24 and 14 at smaller sizes, too small to paint, go to these, by area
    assert record["curve"][-1] == pytest.approx(record["loss"], rel=1e-3)
    assert str(root) not in json.dumps(record), "a painting says nothing of its maker's folders"
    assert "keep_colors luminance" in styled("info", painting).stdout

    os.rename(root / "alpha.png", root / "moved.png")
    refused = styled("repaint", painting, root / "beta.png", "-o", root / "b.jpg")
    assert refused.returncode == 1
    assert "is not the photo it was painted from, photo.jpg" in refused.stderr
    assert "--style FILE" in styled("repaint", painting, source, "-o", root / "b.jpg").stderr
    moved = styled("repaint", painting, source, "-o", root / "b.jpg", "--style", root / "moved.png")
    assert "the same painting, bit for bit" in moved.stdout, moved.stderr
    with Image.open(painting) as first, Image.open(root / "b.jpg") as second:
        assert first.tobytes() == second.tobytes()
    assert "carries no record" in styled("info", source).stderr

    again = ("repaint", painting, source, "--style", root / "moved.png", "-o")
    refused = styled(*again, root / "b.jpg")
    assert refused.returncode == 2
    assert "b.jpg exists already; choose another name, or add --overwrite" in refused.stderr
    assert styled(*again, root / "b.jpg", "--overwrite").returncode == 0
    assert "is needed to paint" in styled(*again, painting, "--overwrite").stderr, (
        "a painting that is compared with itself"
    )


@pytest.mark.slow
def test_a_painting_with_layers_and_scales_of_its_own_is_painted_again_bit_for_bit(root: Path) -> None:
    """They stand in config.yaml, the painting's record keeps them, and `styled info` says them."""
    own = "style_layers: {relu1_1: .5, relu2_1: 1}, content_layers: {relu1_2: 1}, scales: [[.5, 3], [1, 2]]"
    text = (root / "config.yaml").read_text()
    (root / "config.yaml").write_text(text.replace("alpha.png}", f"alpha.png, {own}}}"))
    (root / "photo.jpg").write_bytes(jpeg(96, 64))
    done = styled("paint", "photo.jpg", "-s", "alpha", "-o", "first.png", "--size", "96", cwd=root)
    assert done.returncode == 0, done.stderr
    record = read_provenance(root / "first.png")
    assert (record.recipe.style_layers, record.recipe.finer) == ((("relu1_1", 0.5), ("relu2_1", 1.0)), ())
    assert set(record.terms) == {"style relu1_1", "style relu2_1", "content relu1_2", "total variation"}
    assert [(run.scale, run.evaluations) for run in record.stretches] == [(1, 3), (2, 2)]
    said = styled("info", root / "first.png").stdout
    assert "style_layers relu1_1 × 0.5 + relu2_1 × 1" in said
    assert "scales 0.5 × 3 + 1 × 2" in said
    (root / "config.yaml").write_text(text)
    again = styled("repaint", "first.png", "photo.jpg", "-o", "again.png", cwd=root)
    assert "the same painting, bit for bit" in again.stdout, again.stderr


@pytest.mark.slow
def test_a_painting_made_in_tiles_is_made_again_in_tiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where memory is short when it is painted, and not when it is painted again."""
    (tmp_path / "photo.jpg").write_bytes(jpeg(150, 60))
    recipe = dataclasses.replace(PRESETS["draft"], scales=((1.0, 5),))
    content, digest = read_photo(tmp_path / "photo.jpg", 150)
    style = [(style_picture("builtin:ink", tmp_path), 1.0)]
    with monkeypatch.context() as patch:
        patch.setattr("daemon.transfer.stylizer.fitting", lambda *level: iter([Plan(64, True, 4)]))
        result = paint(stylizer_for("cpu", "embedded", 1), content, style, recipe, lambda step: None)
    record = result.provenance(
        source="photo.jpg", source_sha256=digest, style="ink", size=(150, 60), kind="png", quality=95
    )
    write(tmp_path / "first.png", result.painting, content, record)
    assert record.stretches == (EvaluationRun(1, 64, True, 4, 5),)
    assert record.steps == 5
    assert sum(record.terms.values()) == pytest.approx(record.loss, rel=1e-4)
    found = repaint(tmp_path / "first.png", tmp_path / "photo.jpg", tmp_path / "again.png", [], None, overwrite=False)
    assert (found.same, found.differing) == (True, ())
    assert read_provenance(tmp_path / "again.png").stretches == record.stretches


@pytest.mark.slow
def test_a_print_is_repainted_with_its_pixels_per_inch(root: Path) -> None:
    (root / "photo.jpg").write_bytes(jpeg(96, 64))
    done = styled("paint", "photo.jpg", "-s", "alpha", "-o", "a.jpg", "--size", "2x1cm@100dpi", cwd=root)
    assert done.returncode == 0, done.stderr
    done = styled("repaint", "a.jpg", "photo.jpg", "-o", "b.jpg", cwd=root)
    assert "bit for bit" in done.stdout, done.stderr
    ours, again = ((root / name).read_bytes().partition(b"http://ns.adobe.com")[0][:-4] for name in ("a.jpg", "b.jpg"))
    assert ours == again, "the same head, density and EXIF; the record after them has other seconds"
    with Image.open(root / "b.jpg") as picture:
        assert picture.info["dpi"] == (100, 100)
    assert "100 dpi" in styled("info", root / "b.jpg").stdout
