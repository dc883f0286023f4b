"""What a painting's record says about how it was computed."""

import math

from daemon.jobs.trace import StepLog
from daemon.processes.painters import PainterInfo
from daemon.provenance import StyleSource
from daemon.transfer.recipe import PRESETS
from daemon.transfer.steps import EvaluationRun, Step

PAINTER = PainterInfo("cuda:0", "a card", "/home/user/vgg.pth", "a" * 64, "relu5_1")
SOURCES = [StyleSource("own.png", "b" * 64, 1.0)]


def test_the_record_says_what_was_really_used() -> None:
    steps = StepLog()
    runs = (EvaluationRun(1, None, True, 20, 2), EvaluationRun(2, 64, False, 4, 1))
    for loss in (3.0, 2.0, 1.0):
        steps.add(Step(1, 3, loss, 1, 1, 0.5, terms=(("content relu2_2", loss), ("palette", math.nan)), stretches=runs))
    result = steps.result("pixels", PRESETS["draft"], PAINTER, 2, SOURCES)
    record = result.provenance(
        source="a.jpg", source_sha256="c" * 64, style="ink", size=(40, 30), kind="png", quality=90
    )
    assert (record.source, record.style, record.size, record.format) == ("a.jpg", "ink", (40, 30), "png")
    assert (record.weights, record.device, record.threads) == ("vgg.pth", "cuda:0", 2), "paths stay at home"
    assert (record.steps, record.loss, record.curve) == (3, 1.0, (3.0, 2.0, 1.0))
    assert (record.terms, record.stretches) == ({"content relu2_2": 1.0}, runs)
    assert (record.pictures, record.recipe, record.mask_sha256) == (tuple(SOURCES), PRESETS["draft"], "")


def test_a_painting_without_a_step_has_a_record_too() -> None:
    result = StepLog().result("pixels", PRESETS["draft"], PAINTER, 1, SOURCES)
    record = result.provenance(source="a.jpg", source_sha256="", style="ink", size=(4, 3), kind="png", quality=90)
    assert (record.steps, record.loss, record.curve, record.seconds) == (0, 0.0, (), 0.0)
