"""A painting says how it came to be, and can be made again from what it says."""

import dataclasses
import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from daemon import pictures
from daemon.cli.output import read_provenance
from daemon.cli.paint import paint, read_photo, stylizer_for, write
from daemon.cli.repaint import repaint
from daemon.config.load import builtin_picture
from daemon.errors import JobError
from daemon.provenance import Provenance, StyleSource, libraries, thinned
from daemon.transfer.plan import Plan
from daemon.transfer.recipe import PRESETS
from daemon.transfer.steps import EvaluationRun
from tests.support.daemon import Daemon
from tests.support.samples import jpeg

KINDS = ("png", "jpeg", "webp")


def a_record(**changes: object) -> Provenance:
    record = Provenance(
        source="Tübingen <&\"'>\udcff\n.jpg",
        source_sha256="a" * 64,
        style="alpha",
        pictures=(StyleSource("builtin:starry", "b" * 64, 2.0), StyleSource("own.png", "c" * 64, 0.5)),
        recipe=dataclasses.replace(PRESETS["fine"], style_weight=1.1, seed=7, keep_colors="luminance"),
        size=(48, 32),
        format="png",
        quality=95,
        weights="embedded",
        weights_sha256="d" * 64,
        device="cpu",
        device_name="a processor",
        threads=2,
        steps=140,
        loss=0.1234567890123,
        terms={"style relu1_1": 0.05, "style relu2_1": 0.04, "palette": 0.01, "content relu2_2": 0.02},
        stretches=(
            EvaluationRun(1, None, True, 20, 80),
            EvaluationRun(2, 128, False, 20, 50),
            EvaluationRun(2, 128, False, 0, 10),
        ),
        curve=(3.5, 0.25),
        seconds=12.345,
    )
    return dataclasses.replace(record, **changes)  # type: ignore[arg-type]


def styled(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "daemon", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=400)


def test_a_record_comes_back_as_it_was() -> None:
    record = a_record()
    assert Provenance.from_json(record.to_json()) == record
    assert record.to_json().isascii()
    assert set(libraries()) >= {"torch", "numpy", "pillow"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_carries_its_record(kind: str) -> None:
    record, file = a_record(format=kind), io.BytesIO()
    pixels = np.full((32, 48, 3), 0.5, np.float32)
    pictures.write(file, pixels, None, format=kind, quality=90, record=record.to_json())  # type: ignore[arg-type]
    assert Provenance.from_json(pictures.read_record(file)) == record
    assert b"<x:xmpmeta" in file.getvalue(), "as other programs look for it"


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_without_a_record_has_none(kind: str) -> None:
    assert pictures.read_record(io.BytesIO(jpeg(kind=kind.upper()))) == ""


@pytest.mark.parametrize(
    "spoilt",
    [
        "",
        "[]",
        "[" * 100_000,
        '{"version": "9"}',
        *(
            json.dumps({**a_record().as_dict(), **change})
            for change in (
                {"recipe": {"preset": "fine"}},
                {"recipe": {**a_record().as_dict()["recipe"], "scales": [[1.0, 10**9]]}},
                {"recipe": {**a_record().as_dict()["recipe"], "style_layers": [["relu9_9", 1]]}},
                {"recipe": {**a_record().as_dict()["recipe"], "alpha": "nan"}},
                {"recipe": {**a_record().as_dict()["recipe"], "eased": "much"}},
                {"recipe": {**a_record().as_dict()["recipe"], "eased": 2}},
                {"recipe": {**a_record().as_dict()["recipe"], "chroma": 0.5}},
                {"recipe": {**a_record().as_dict()["recipe"], "matched": "yes"}},
                {"recipe": {**a_record().as_dict()["recipe"], "history": -1}},
                {"recipe": {**a_record().as_dict()["recipe"], "seed": float("inf")}},
                {"recipe": {**a_record().as_dict()["recipe"], "pooling": "none"}},
                {"size": [0, 10]},
                {"steps": float("inf")},
                {"recipe": {**a_record().as_dict()["recipe"], "style_scale": 0}},
                {"pictures": [{"file": "x"}]},
                {"pictures": [{"name": "x", "sha256": "0", "weight": "most"}]},
                {"libraries": 3},
                {"terms": {"palette": float("nan")}},
                {"stretches": [{"scale": 1, "side": 0, "keep": True, "history": 1, "evaluations": 1}]},
                {"stretches": [{"scale": 1, "side": 64, "keep": True, "history": 1, "evaluations": 10**9}]},
            )
        ),
    ],
)
def test_a_record_that_anyone_wrote_is_refused_in_plain_words(spoilt: str) -> None:
    with pytest.raises(JobError, match="cannot be understood"):
        Provenance.from_json(spoilt)


@pytest.mark.parametrize(("name", "none"), [("contours", 0.0), ("chroma", 1.0)])
def test_a_record_from_before_there_was_a_setting_is_one_without(name: str, none: Any) -> None:
    said = a_record().as_dict()
    assert said["recipe"].pop(name) != none
    assert Provenance.from_json(json.dumps(said)).recipe == dataclasses.replace(a_record().recipe, **{name: none})


def test_a_curve_keeps_its_ends() -> None:
    curve = thinned([float(n) for n in range(1000, 0, -1)])
    assert (len(curve), curve[0], curve[-1]) == (60, 1000.0, 1.0)
    assert thinned([1.0, 0.123456]) == (1.0, 0.1235)


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
    assert record["steps"] > 10
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


def test_a_painting_made_in_tiles_is_made_again_in_tiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where memory is short when it is painted, and not when it is painted again."""
    (tmp_path / "photo.jpg").write_bytes(jpeg(150, 60))
    recipe = dataclasses.replace(PRESETS["draft"], scales=((1.0, 5),))
    content, story = read_photo(tmp_path / "photo.jpg", 150)
    style = [(builtin_picture("builtin:ink"), 1.0)]
    with monkeypatch.context() as patch:
        patch.setattr("daemon.transfer.stylizer.fitting", lambda *level: iter([Plan(64, True, 4)]))
        painting = paint(stylizer_for("cpu", "embedded", 1), content, style, recipe, story)
    record = story.told("ink", (150, 60), "png", 95)
    write(tmp_path / "first.png", painting, content, "png", 95, record.to_json())
    assert record.stretches == (EvaluationRun(1, 64, True, 4, 5),)
    assert record.steps == 5
    assert sum(record.terms.values()) == pytest.approx(record.loss, rel=1e-4)
    found = repaint(tmp_path / "first.png", tmp_path / "photo.jpg", tmp_path / "again.png", [], None)
    assert (found.same, found.differing) == (True, ())
    assert read_provenance(tmp_path / "again.png").stretches == record.stretches
