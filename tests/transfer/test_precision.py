"""A painting in half precision: how it begins, how it ends, and that it can be made again. bfloat16 is emulated here
where the CPU does not compute in it; only its time is then another."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from daemon.transfer import Stylizer, losses
from daemon.transfer import stylizer as module
from daemon.transfer.losses import Moments
from daemon.transfer.network.vgg import VGG
from daemon.transfer.objective import Objective
from daemon.transfer.plan import FallbackObjective, Plan
from daemon.transfer.recipe import PRESETS, Recipe, recipe
from daemon.transfer.steps import LEAST_FULL, EvaluationRun, Step, evaluations_in_half, levels
from tests.support.scenes import Picture, scene

SHORT = replace(PRESETS["fine"], scales=((0.7, 2), (1.0, 24)), finer=())


def on_a_machine(patch: pytest.MonkeyPatch, has_half: bool) -> None:
    patch.setattr(module, "computes_in_half", lambda device: has_half)


@pytest.fixture(autouse=True)
def has_half(monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_machine(monkeypatch, True)


def painted(
    stylizer: Stylizer,
    how: Recipe = SHORT,
    before: tuple[EvaluationRun, ...] = (),
    shape: tuple[int, int] = (32, 40),
    seed: int = 1,
) -> tuple[Picture, Step]:
    steps: list[Step] = []
    style = scene(shape[0], shape[0], seed + 1)
    painting = stylizer.paint(scene(*shape, seed), style, how, steps.append, before)
    return painting, steps[-1]


def ways(step: Step) -> list[tuple[int, bool, int]]:
    return [(run.scale, run.half, run.evaluations) for run in step.stretches]


def test_a_painting_begins_in_half_precision_and_ends_in_full_nearly_as_low(stylizer: Stylizer) -> None:
    half, last = painted(stylizer)
    assert ways(last) == [(1, True, 2), (2, True, 4), (2, False, LEAST_FULL)]
    full, exact = painted(stylizer, replace(SHORT, precision="full"))
    assert ways(exact) == [(1, False, 2), (2, False, 24)]
    assert not np.array_equal(half, full)
    assert last.loss == pytest.approx(exact.loss, rel=0.1), "few evaluations, and one of them measures again"
    assert sum(loss for _, loss in last.terms) == pytest.approx(last.loss, rel=1e-5), "a loss in full precision"


def test_it_is_in_full_precision_where_the_machine_has_no_half(
    stylizer: Stylizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_a_machine(monkeypatch, False)
    assert ways(painted(stylizer)[1]) == [(1, False, 2), (2, False, 24)]


def failing(real: type[Objective], error: type[Exception]) -> type[Objective]:
    class Failing(real):  # type: ignore[misc, valid-type]
        """Its evaluations in bfloat16 fail."""

        def __init__(self, vgg: VGG, *arguments: Any, **others: Any) -> None:
            super().__init__(vgg, *arguments, **others)
            self._half = vgg._convolutions["conv1_1"].weight.dtype == torch.bfloat16

        def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
            if self._half:
                raise error("CUBLAS_STATUS_NOT_SUPPORTED\nmore")
            found: tuple[Tensor, Tensor] = super().__call__(x)
            return found

    return Failing


def test_what_the_device_cannot_compute_in_half_it_computes_in_full_and_says_why(
    stylizer: Stylizer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(FallbackObjective, "half_failure", "")
    monkeypatch.setattr(module, "Objective", failing(Objective, RuntimeError))
    full = [(1, False, 2), (2, False, 24)]
    assert ways(painted(stylizer)[1]) == full
    assert ways(painted(stylizer)[1]) == full
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == ["CUBLAS_STATUS_NOT_SUPPORTED"]
    assert stylizer.device_name.endswith(", in full precision alone (CUBLAS_STATUS_NOT_SUPPORTED)")


def test_another_error_in_half_precision_is_not_hidden(stylizer: Stylizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FallbackObjective, "half_failure", "")
    monkeypatch.setattr(module, "Objective", failing(Objective, ValueError))
    with pytest.raises(ValueError, match="NOT_SUPPORTED"):
        painted(stylizer)
    assert not FallbackObjective.half_failure


@pytest.mark.slow
@pytest.mark.parametrize("again_on", [True, False])
def test_it_is_painted_again_as_it_was(stylizer: Stylizer, monkeypatch: pytest.MonkeyPatch, again_on: bool) -> None:
    first, last = painted(stylizer)
    on_a_machine(monkeypatch, again_on)
    again, step = painted(stylizer, SHORT, last.stretches)
    assert step.stretches == last.stretches
    assert np.array_equal(again, first)


def test_a_painting_that_was_made_in_full_is_made_again_in_full(
    stylizer: Stylizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_a_machine(monkeypatch, False)
    first, last = painted(stylizer)
    on_a_machine(monkeypatch, True)
    assert np.array_equal(painted(stylizer, SHORT, last.stretches)[0], first)


@pytest.mark.slow
@pytest.mark.parametrize("plan", [Plan(None, True, 0), Plan(32, False, 4)], ids=["without pairs", "in tiles"])
def test_so_it_does_where_memory_is_short(stylizer: Stylizer, monkeypatch: pytest.MonkeyPatch, plan: Plan) -> None:
    monkeypatch.setattr(module, "fitting", lambda *_: iter([plan]))
    how = replace(SHORT, scales=((1.0, LEAST_FULL + 1),))
    painting, last = painted(stylizer, how)
    assert ways(last) == [(1, True, 1), (1, False, LEAST_FULL)]
    assert np.isfinite(painting).all()
    assert np.array_equal(painted(stylizer, how, last.stretches)[0], painting)


def test_the_eased_scale_of_many_evaluations_is_in_half_precision_as_a_whole_and_little_of_the_last() -> None:
    found = levels(recipe("tutorial"), 64, 64)
    assert [evaluations_in_half(found, scale) for scale in range(2)] == [60, 24]


@pytest.mark.parametrize("of", [losses.gram, losses.covariance])
def test_statistics_of_features_in_bfloat16_are_summed_in_float32(of: Callable[[Tensor], Moments]) -> None:
    F = torch.rand(1, 64, 40, 40, generator=torch.Generator().manual_seed(0)).bfloat16()
    found, expected = of(F), of(F.float())
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)


def test_a_painting_whose_last_scale_is_too_short_to_mend_it_has_no_half_precision() -> None:
    found = levels(recipe("draft"), 400, 512)
    assert [evaluations_in_half(found, scale) for scale in range(len(found))] == [0, 0, 0]


@pytest.mark.slow
def test_the_losses_of_six_pairs_end_within_one_per_cent_on_average(stylizer: Stylizer) -> None:
    """Each alone may end lower or higher: a last bit leads to another minimum."""
    ratios = []
    for seed in range(1, 7):
        (_, half), (_, full) = (
            painted(stylizer, recipe("fine", precision=precision), shape=(72, 90), seed=seed)
            for precision in ("auto", "full")
        )
        ratios.append(half.loss / full.loss)
    assert sum(ratios) / 6 == pytest.approx(1, abs=0.01)
    assert max(ratios) < 1.05
