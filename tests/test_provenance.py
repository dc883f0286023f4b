"""A painting's record: written, read back, and refused where somebody changed it."""

import dataclasses
import io
import json
from typing import Any

import numpy as np
import pytest

from daemon.errors import JobError
from daemon.pictures.writing import write
from daemon.pictures.xmp import read_record
from daemon.provenance import Provenance, libraries, thinned, ways
from daemon.transfer.steps import EvaluationRun
from tests.support.records import a_record
from tests.support.samples import jpeg

KINDS = ("png", "jpeg", "webp")


def test_a_record_comes_back_as_it_was() -> None:
    record = a_record()
    assert Provenance.from_json(record.to_json()) == record
    assert record.to_json().isascii()
    assert set(libraries()) >= {"torch", "numpy", "pillow"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_carries_its_record(kind: str) -> None:
    record, file = a_record(format=kind), io.BytesIO()
    pixels = np.full((32, 48, 3), 0.5, np.float32)
    write(file, pixels, None, format=kind, quality=90, record=record.to_json())  # type: ignore[arg-type]
    assert Provenance.from_json(read_record(file)) == record
    assert b"<x:xmpmeta" in file.getvalue(), "as other programs look for it"


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_without_a_record_has_none(kind: str) -> None:
    assert read_record(io.BytesIO(jpeg(kind=kind.upper()))) == ""


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
                {"recipe": {**a_record().as_dict()["recipe"], "recolor": -0.1}},
                {"recipe": {**a_record().as_dict()["recipe"], "matched": "yes"}},
                {"recipe": {**a_record().as_dict()["recipe"], "history": -1}},
                {"recipe": {**a_record().as_dict()["recipe"], "seed": float("inf")}},
                {"recipe": {**a_record().as_dict()["recipe"], "pooling": "none"}},
                {"size": [0, 10]},
                {"dpi": 0},
                {"dpi": 10**6},
                {"format": "gif"},
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


@pytest.mark.parametrize(
    ("name", "nothing"), [("pyramid", 1), ("recolor", None), ("margin", 0), ("finer", ()), ("precision", "full")]
)
def test_a_record_from_before_there_was_a_setting_is_read_as_without(name: str, nothing: Any) -> None:
    said = a_record().as_dict()
    assert said["recipe"].pop(name) != nothing
    assert Provenance.from_json(json.dumps(said)).recipe == dataclasses.replace(a_record().recipe, **{name: nothing})


def test_a_run_from_before_there_was_half_precision_was_in_full_and_people_read_which_was_which() -> None:
    half = EvaluationRun(2, None, True, 20, 7, half=True)
    record = dataclasses.replace(a_record(), stretches=(half, dataclasses.replace(half, half=False)))
    assert ways(record.stretches) == "scale 2: 7 whole, 20 pairs, in bfloat16, then 7 whole, 20 pairs"
    said = record.as_dict()
    assert Provenance.from_json(json.dumps(said)) == record
    for run in said["stretches"]:
        del run["half"]
    assert [run.half for run in Provenance.from_json(json.dumps(said)).stretches] == [False, False]


def test_a_record_with_settings_that_are_gone_is_read_and_names_them() -> None:
    """Paintings of older versions: `tutorial` had the settings, too, at values at which they did nothing."""
    said = a_record().as_dict()
    unused = {**said["recipe"], "palette": 0.0, "contours": 0.0, "chroma": 1.0}
    assert Provenance.from_json(json.dumps(said | {"recipe": unused})) == a_record()
    old = Provenance.from_json(json.dumps(said | {"recipe": unused | {"palette": 0.5, "contours": 0.75}}))
    assert old.gone == ("palette", "contours")
    assert old.recipe == a_record().recipe


def test_a_curve_keeps_its_ends() -> None:
    curve = thinned([float(n) for n in range(1000, 0, -1)])
    assert (len(curve), curve[0], curve[-1]) == (60, 1000.0, 1.0)
    assert thinned([1.0, 0.123456]) == (1.0, 0.1235)


def test_a_record_from_before_prints_has_no_pixels_per_inch() -> None:
    old = {name: value for name, value in a_record().as_dict().items() if name != "dpi"}
    assert Provenance.from_json(json.dumps(old)) == a_record()
    assert Provenance.from_json(a_record(dpi=300).to_json()).dpi == 300
