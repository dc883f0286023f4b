"""A painting can be computed once more as it was: whole or in tiles, and where memory ran out on the way."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from daemon.transfer import Stylizer
from daemon.transfer import stylizer as module
from daemon.transfer.memory import memory
from daemon.transfer.objective import Objective
from daemon.transfer.optimizers.lbfgs import LBFGS, Evaluate
from daemon.transfer.plan import Plan
from daemon.transfer.recipe import PRESETS, Recipe
from daemon.transfer.steps import EvaluationRun, Step
from tests.support.objectives import objective
from tests.support.scenes import Picture, scene, tensor

SHORT = replace(PRESETS["draft"], scales=((0.5, 3), (1.0, 5)))
CONTENT, STYLE = scene(64, 150, 1), scene(64, 150, 2)
Patch = Callable[[pytest.MonkeyPatch], None]


def painted(recipe: Recipe = SHORT, before: tuple[EvaluationRun, ...] = ()) -> tuple[Picture, Step]:
    """By a stylizer that has painted nothing yet, as `styled repaint` has one."""
    steps = list[Step]()
    made = Stylizer(device="cpu", weights="embedded").paint(CONTENT, STYLE, recipe, steps.append, before)
    return made, steps[-1]


def little_memory(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(module, "fitting", lambda *level: iter([Plan(64, False, 4), Plan(64, False, 0)]))


def memory_that_runs_out(patch: pytest.MonkeyPatch) -> None:
    """After two evaluations of the whole full picture; tiles fit."""
    count = 0

    class Cramped(Objective):
        def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
            nonlocal count
            if self._levels[0].is_whole and x.shape[-1] > 100:
                count += 1
                if count > 2:
                    raise torch.OutOfMemoryError("CUDA out of memory")
            return super().__call__(x)

    patch.setattr(module, "Objective", Cramped)


def an_optimizer_that_runs_out(patch: pytest.MonkeyPatch) -> None:
    """In the middle of the finer scale, of memory for its pairs."""

    class Hungry(LBFGS):
        def __init__(self, evaluate: Evaluate, x0: Tensor, history: int) -> None:
            super().__init__(evaluate, x0, history)
            self.full, self.steps = history > 4, 0

        def step(self) -> None:
            self.steps += 1
            if self.full and self.steps > 2:
                raise torch.OutOfMemoryError("CUDA out of memory")
            super().step()

    patch.setattr("daemon.transfer.search.LBFGS", Hungry)


@pytest.mark.slow
@pytest.mark.parametrize("shortage", [little_memory, memory_that_runs_out, an_optimizer_that_runs_out])
def test_what_was_computed_otherwise_for_want_of_memory_is_computed_so_again_bit_for_bit(
    monkeypatch: pytest.MonkeyPatch, shortage: Patch
) -> None:
    with monkeypatch.context() as patch:
        shortage(patch)
        first, step = painted()
    assert sum(each.evaluations for each in step.stretches) == 8
    again, same = painted(before=step.stretches)
    assert np.array_equal(first, again)
    assert same.stretches == step.stretches
    now, other = painted()
    assert other.stretches != step.stretches
    assert not np.array_equal(first, now), "or this test would tell nothing"


@pytest.mark.slow
def test_a_painting_does_not_depend_on_those_before_it() -> None:
    """Neither on style targets that were kept from one that was computed otherwise."""
    used, steps = Stylizer(device="cpu", weights="embedded"), list[Step]()
    in_tiles = (EvaluationRun(1, 64, True, 3, 3), EvaluationRun(2, 64, True, 5, 5))
    used.paint(CONTENT, STYLE, SHORT, before=in_tiles)
    assert np.array_equal(used.paint(CONTENT, STYLE, SHORT, steps.append), painted()[0])


@pytest.mark.parametrize("side", [None, 48])
@pytest.mark.parametrize("preset", ["fine", "tutorial"])
def test_the_terms_add_up_to_the_loss(preset: str, side: int | None) -> None:
    c, s = tensor(CONTENT), tensor(scene(64, 150, 3))
    judge = objective(PRESETS[preset], c, side)
    terms = judge.terms(s)
    assert sum(terms.values()) == pytest.approx(float(judge(s)[0]), rel=1e-4)
    kinds = {name.split(" ")[0] for name in terms}
    assert kinds == ({"style", "content", "total"} if preset == "fine" else {"style", "content"})


def test_the_last_step_alone_says_what_the_loss_is_made_of() -> None:
    steps = list[Step]()
    Stylizer(device="cpu", weights="embedded").paint(scene(40, 48, 1), scene(40, 40, 2), SHORT, steps.append)
    assert [bool(step.terms) for step in steps] == [False] * (len(steps) - 1) + [True]
    assert sum(loss for _, loss in steps[-1].terms) == pytest.approx(steps[-1].loss, rel=1e-4)


def test_a_step_says_how_much_memory_its_process_holds() -> None:
    found = memory(torch.device("cpu"))
    assert found.device == "cpu"
    assert 50 << 20 < found.used < 50 << 30
    held = torch.ones(64 << 18)  # 64 MiB, written to
    assert memory(torch.device("cpu")).used > found.used + (48 << 20), held.shape
