"""The record of a painting, and the results of two jobs."""

import dataclasses
from pathlib import Path

from daemon.jobs.record import JobResult
from daemon.provenance import Provenance, StyleSource
from daemon.transfer.recipe import PRESETS
from daemon.transfer.steps import EvaluationRun


def a_record(**changes: object) -> Provenance:
    """A record with something in every field, and a file name that is hard to write down."""
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


DELIVERED = JobResult("1", "alpha/a; touch x $(y).jpg", "alpha", Path("/out/a; b.jpg"), "", 1.25, 3.5, a_record())
FAILED = JobResult("2", "alpha/b.jpg", "alpha", Path("/failed/b.jpg"), "It is\nblurred.")
