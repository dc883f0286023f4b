import logging
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from daemon.transfer import Stylizer, TooLargeError
from daemon.transfer import stylizer as module
from daemon.transfer.network.vgg import VGG
from daemon.transfer.objective import Objective
from daemon.transfer.optimizers.lbfgs import LBFGS, Evaluate
from daemon.transfer.optimizers.projected_gradient import ProjectedGradient
from daemon.transfer.plan import FallbackObjective, Plan, activations, fitting, needed, plans, vectors
from daemon.transfer.recipe import PRESETS, Recipe, Start
from daemon.transfer.steps import Level, Step
from daemon.transfer.style_loss import Statistics
from tests.support.live_transfer import Live
from tests.support.objectives import objective
from tests.support.scenes import scene, tensor

GB = 1 << 30
SHORT: Recipe = replace(PRESETS["fine"], scales=((1.0, 8),))


def level(height: int, width: int) -> Level:
    return Level(1.0, height, width, 100)


def test_a_small_picture_is_computed_whole_with_every_pair() -> None:
    assert next(fitting(PRESETS["fine"], level(512, 512), 8 * GB)) == Plan(None, True, 20)
    assert next(fitting(PRESETS["tutorial"], level(512, 512), 8 * GB)) == Plan(None, True, 50)


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
def test_what_fits_is_planned_and_every_step_down_needs_less(preset: str) -> None:
    recipe = PRESETS[preset]
    for megapixels in (1, 16, 100):
        place = level(1000 * megapixels, 1000)
        for gigabytes in (2, 8, 32, 1000):
            steps = list(fitting(recipe, place, gigabytes * GB))
            needs = [needed(plan, recipe, place) for plan in steps]
            assert needs == sorted(set(needs), reverse=True)
            assert needs[0] <= gigabytes * GB or len(steps) == 1
            assert min(needs) == min(needed(plan, recipe, place) for plan in plans(recipe, place))


def test_tiles_come_before_fewer_pairs_and_both_before_giving_pairs_up() -> None:
    recipe, place = PRESETS["fine"], level(4000, 4000)
    roomy, tiled, few, none = (next(fitting(recipe, place, g * GB)) for g in (100, 16, 8, 4))
    assert roomy == Plan(None, True, 20)
    assert tiled.side is not None
    assert tiled.history == 20
    assert 2 <= few.history < 20
    assert none.history == 0


def test_a_100_megapixel_picture_is_planned_for_in_10_gigabytes() -> None:
    """The photo, its canvas, the style's picture as large, the start, and what an evaluation needs beside them."""
    place, pictures = level(10_000, 10_000), 4 * 12 * 10**8
    plan = next(fitting(PRESETS["fine"], place, 10**10 - pictures))
    assert pictures + needed(plan, PRESETS["fine"], place) < 1.05 * 10**10


@pytest.mark.parametrize("preset", ["fine", "tutorial", "gatys"])
def test_the_count_of_an_evaluation_is_what_torch_holds_and_little_more(preset: str) -> None:
    recipe, side = PRESETS[preset], 96
    evaluate, x = objective(recipe, tensor(scene(side, side)), None), tensor(scene(side, side, 3))
    evaluate(x)  # the network makes its turned weights once, whatever the picture's size
    with Live() as held:
        evaluate(x)
    matrices = 6 << 20  # Gram matrices and such, which do not grow with the picture
    assert 0.6 * activations(recipe) < held.peak / side**2 < activations(recipe) + matrices / side**2


@pytest.mark.parametrize("history", [0, 2, 6])
def test_the_count_of_an_optimizer_is_what_torch_holds_and_little_more(
    history: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.transfer.optimizers.projected_gradient.CHUNK", 1024)
    x0 = torch.rand(1, 3, 128, 128)

    def evaluate(x: Tensor) -> tuple[Tensor, Tensor]:
        g = x - 0.3
        return g.flatten() @ g.flatten(), g

    with Live() as held:
        optimizer = LBFGS(evaluate, x0, history) if history else ProjectedGradient(evaluate, x0)
        for _ in range(history + 3):
            optimizer.step()
    start = 0 if history else x0.nbytes  # which is moved
    assert 0.66 * vectors(history) < (held.peak - start) / x0.nbytes <= vectors(history)


class Cramped:
    """Stands in for torch's allocator: evaluations of more than `most` px of a tile fail as it would."""

    def __init__(self, most: int, error: type[Exception]) -> None:
        self.most, self.error, self.failures = most, error, 0

    def objective(
        self,
        vgg: VGG,
        recipe: Recipe,
        c: Tensor,
        A: list[Statistics],
        side: int | None,
        keep: bool,
        eased: bool,
        grey: bool,
    ) -> Evaluate:
        inner = Objective(vgg, recipe, c, A, side, keep, eased, grey)

        def evaluate(x: Tensor) -> tuple[Tensor, Tensor]:
            if (side or max(x.shape)) > self.most:
                self.failures += 1
                raise self.error("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes")
            return inner(x)

        return evaluate


@pytest.mark.slow
@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError, MemoryError])
def test_when_memory_runs_out_it_goes_on_in_tiles_and_paints_the_same(
    stylizer: Stylizer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: type[Exception]
) -> None:
    content, style = scene(40, 150, 1), scene(40, 40, 2)
    expected, steps = stylizer.paint(content, style, SHORT), list[Step]()
    cramped = Cramped(128, error)
    monkeypatch.setattr(module, "Objective", cramped.objective)
    with caplog.at_level(logging.INFO, "styled"):
        painting = stylizer.paint(content, style, SHORT, steps.append)
    assert cramped.failures == 1
    assert "in tiles of 128 px" in caplog.text
    assert [step.step for step in steps] == list(range(1, 9))
    assert np.abs(painting - expected).max() < 0.02


def test_an_optimizer_without_memory_goes_on_with_fewer_pairs_from_its_best_point(
    stylizer: Stylizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here in the middle of a painting; its losses go on falling and every evaluation is counted once."""
    made = list[tuple[int, float]]()

    class Hungry(LBFGS):
        def __init__(self, evaluate: Evaluate, x0: Tensor, history: int) -> None:
            super().__init__(evaluate, x0, history)
            self.most, self.steps = history, 0
            made.append((history, float(self.best_loss)))

        def step(self) -> None:
            self.steps += 1
            if self.most > 4 and self.steps > 2:
                raise torch.OutOfMemoryError("CUDA out of memory")
            super().step()

    monkeypatch.setattr("daemon.transfer.search.LBFGS", Hungry)
    steps: list[Step] = []
    stylizer.paint(scene(32, 40, 1), scene(32, 32, 2), replace(SHORT, scales=((1.0, 12),)), steps.append)
    assert [history for history, _ in made][:2] == [12, 6]
    assert made[-1][0] <= 4
    assert [step.step for step in steps] == list(range(1, 13))
    losses = [step.loss for step in steps]
    assert losses == sorted(losses, reverse=True)
    assert made[1][1] == pytest.approx(losses[2])


def test_where_nothing_fits_it_says_so_in_plain_words(stylizer: Stylizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Objective", Cramped(0, torch.OutOfMemoryError).objective)
    with pytest.raises(TooLargeError, match=r"40 × 32 pixels need more memory than .* has free"):
        stylizer.paint(scene(32, 40, 1), scene(32, 32, 2), SHORT)


@pytest.mark.slow
@pytest.mark.parametrize("megabytes", [560, 450])
def test_little_free_memory_means_tiles_or_a_lean_optimizer_and_a_painting_all_the_same(
    stylizer: Stylizer, monkeypatch: pytest.MonkeyPatch, megabytes: int
) -> None:
    content, style = scene(140, 300, 1), scene(40, 40, 2)
    planned, real = list[Plan](), FallbackObjective

    def noted(make: Callable[[Plan], Evaluate], options: Iterator[Plan]) -> FallbackObjective:
        made = real(make, options)
        planned.append(made.plan)
        return made

    monkeypatch.setattr(module, "FallbackObjective", noted)
    monkeypatch.setattr(module, "free_memory", lambda device: megabytes << 20)
    short, steps = replace(SHORT, scales=((1.0, 3),)), list[Step]()
    assert stylizer.paint(content, style, short, steps.append).shape == content.shape
    assert planned[0].side is not None
    assert steps[-1].loss < steps[0].loss


@pytest.mark.parametrize("start", ["content", "style"])
def test_an_optimizer_that_moves_its_start_moves_nobody_elses_picture(
    stylizer: Stylizer, monkeypatch: pytest.MonkeyPatch, start: Start
) -> None:
    monkeypatch.setattr(module, "fitting", lambda *arguments: iter([Plan(None, True, 0)]))
    content, style = scene(40, 56, 1), scene(40, 56, 2)
    before = content.copy(), style.copy()
    # from the style itself only the content moves it, which is to be felt
    painting = stylizer.paint(content, style, replace(SHORT, start=start, content_weight=8.0))
    assert np.abs(painting - before[start == "style"]).max() > 1e-3
    assert np.array_equal(content, before[0])
    assert np.array_equal(style, before[1])


def test_other_errors_pass(stylizer: Stylizer, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(x: Tensor) -> tuple[Tensor, Tensor]:
        raise RuntimeError("a bug")

    monkeypatch.setattr(module, "Objective", lambda *arguments: broken)
    with pytest.raises(RuntimeError, match="a bug"):
        stylizer.paint(scene(32, 40, 1), scene(32, 32, 2), SHORT)
