"""Steps on a real GPU of CUDA or ROCm: captured, replayed, and looked at without a wait."""

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from daemon.transfer import Stylizer, devices, looks
from daemon.transfer.looks import Looks
from daemon.transfer.optimizers.capture import CapturedStep
from daemon.transfer.optimizers.lbfgs import LBFGS
from daemon.transfer.optimizers.projected_gradient import ProjectedGradient
from daemon.transfer.plan import FallbackObjective
from daemon.transfer.recipe import recipe
from daemon.transfer.steps import Step
from tests.support.device_losses import prepared, start
from tests.support.scenes import Picture, scene


@pytest.fixture(autouse=True)
def no_failure_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CapturedStep, "failure", "")
    monkeypatch.setattr(FallbackObjective, "half_failure", "")


def painted(by: Stylizer, preset: str) -> tuple[Picture, list[Step]]:
    steps: list[Step] = []
    how = replace(recipe(preset), scales=((1.0, 60),))
    return by.paint(scene(96, 128, 1), scene(96, 96, 2), how, steps.append), steps


@pytest.mark.parametrize("half", [False, True], ids=["full", "half"])
def test_no_step_waits_and_every_step_can_be_captured(cuda: torch.device, preset: str, half: bool) -> None:
    with devices.current(cuda), torch.no_grad():
        optimizer = LBFGS(prepared(preset, cuda, half and devices.computes_in_half(cuda)), start(cuda), 5)
        for _ in range(3):
            optimizer.step()
        torch.cuda.set_sync_debug_mode("error")
        optimizer.step()
        torch.cuda.set_sync_debug_mode("default")
        step = CapturedStep(optimizer.step, cuda)
        before = float(optimizer.best_loss)
        for _ in range(8):
            step()
    assert not CapturedStep.failure
    assert float(optimizer.best_loss) < before


def test_no_look_waits_and_each_has_the_loss_of_its_step(cuda: torch.device) -> None:
    """In a mode in which torch raises where the host waits, but for an event, which happens while the GPU goes on."""
    seen: list[tuple[int, float]] = []
    kept: list[Tensor] = []
    with devices.current(cuda), torch.no_grad():
        optimizer = LBFGS(prepared("fine", cuda), start(cuda), 5)
        step, reads = CapturedStep(optimizer.step, cuda), Looks(cuda, 60)
        for done in range(1, 61):
            step()
            torch.cuda.set_sync_debug_mode("error" if done > 2 else "default")
            kept.append(optimizer.best_loss.clone())
            seen += reads.after(done, optimizer.best_loss)
            torch.cuda.set_sync_debug_mode("default")
    assert [done for done, _ in seen] == [1, 10, 20, 30, 40, 50, 60]
    assert [loss for _, loss in seen] == [float(kept[done - 1]) for done, _ in seen]


def test_a_painting_is_the_same_whether_its_loss_is_read_later_or_at_once(
    cuda: torch.device, stylizer: Stylizer, preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    later, steps = painted(stylizer, preset)
    monkeypatch.setattr(looks, "reads_later", lambda device: False)
    at_once, others = painted(stylizer, preset)
    np.testing.assert_array_equal(later, at_once)
    assert [(step.step, step.loss) for step in steps] == [(step.step, step.loss) for step in others]


def test_all_steps_of_a_painting_are_captured_and_its_half_precision_works(
    cuda: torch.device, stylizer: Stylizer, preset: str
) -> None:
    _, steps = painted(stylizer, preset)
    assert not CapturedStep.failure
    assert not FallbackObjective.half_failure
    assert any(run.half for run in steps[-1].stretches) == devices.computes_in_half(cuda)
    assert steps[-1].terms


def test_a_painting_is_captured_while_another_thread_uses_the_gpu(cuda: torch.device, stylizer: Stylizer) -> None:
    ended, counted = threading.Event(), [0]

    def use() -> None:
        with torch.cuda.stream(torch.cuda.Stream(cuda)):  # type: ignore[no-untyped-call]
            while not ended.wait(0.001):
                counted[0] += int(torch.ones(1 << 16, device=cuda).sum().item() == 1 << 16)

    other = threading.Thread(target=use)
    other.start()
    try:
        painting, _ = painted(stylizer, "fine")
    finally:
        ended.set()
        other.join()
    assert counted[0] > 5
    assert not CapturedStep.failure
    np.testing.assert_array_equal(painting, painted(stylizer, "fine")[0])


def test_a_stylizer_paints_in_another_thread_and_on_another_gpu_than_the_current_one(cuda: torch.device) -> None:
    last = torch.device("cuda", torch.cuda.device_count() - 1)  # the same one, if there is only one
    by, found = Stylizer(device=str(last), weights="embedded"), list[Picture]()
    torch.cuda.set_device(0)
    thread = threading.Thread(target=lambda: found.append(painted(by, "fine")[0]))
    thread.start()
    thread.join()
    assert np.isfinite(found[0]).all()
    assert not CapturedStep.failure
    assert torch.cuda.current_device() == 0


def stripes(c: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda x: (x - c).diff(dim=3).square().mean()


def test_a_term_of_the_callers_is_captured_with_its_derivative(cuda: torch.device) -> None:
    by = Stylizer(device=str(cuda), weights="embedded", terms={"stripes": stripes})
    _, steps = painted(by, "fine")
    assert not CapturedStep.failure
    assert steps[-1].loss < steps[0].loss
    assert "stripes" in dict(steps[-1].terms)


def evaluation(x: Tensor) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    random = torch.Generator().manual_seed(0)
    a = (10 ** (3 * torch.rand(x.shape, generator=random))).to(x.device)
    b = (torch.rand(x.shape, generator=random) * 2 - 0.5).to(x.device)
    return lambda x: ((a * (x - b).square()).sum() / 2, a * (x - b))


@pytest.mark.parametrize("of", ["LBFGS", "ProjectedGradient"])
def test_replays_get_where_ordinary_steps_get(cuda: torch.device, of: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = []
    with devices.current(cuda), torch.no_grad():
        for captured in (False, True):
            monkeypatch.setattr(CapturedStep, "enabled", captured)
            x = torch.full((1, 3, 96, 128), 0.5, device=cuda)
            optimizer = LBFGS(evaluation(x), x, 10) if of == "LBFGS" else ProjectedGradient(evaluation(x), x)
            step = CapturedStep(optimizer.step, cuda)
            for _ in range(40):
                step()
            assert (step._graph is not None) == captured
            ends.append(float(optimizer.best_loss))
    assert ends[1] == pytest.approx(ends[0], rel=1e-3)


def test_an_optimizer_goes_on_where_its_loss_cannot_be_captured(cuda: torch.device) -> None:
    """It waits for the device, which no capture permits; the stream and the memory are in order afterwards, and the
    next step is captured again."""
    stream = torch.cuda.current_stream()
    with devices.current(cuda), torch.no_grad():
        x = torch.full((1, 3, 96, 128), 0.5, device=cuda)
        plain = evaluation(x)

        def waiting(x: Tensor) -> tuple[Tensor, Tensor]:
            f, g = plain(x)
            return f + 0 * float(f), g

        optimizer = LBFGS(waiting, x, 10)
        before, step = float(optimizer.best_loss), CapturedStep(optimizer.step, cuda)
        for _ in range(20):
            step()
        assert step._graph is None
        assert CapturedStep.failure
        assert torch.cuda.current_stream() == stream
        assert float(optimizer.best_loss) < 0.5 * before
        torch.cuda.empty_cache()
        assert torch.ones(8, device=cuda).sum().item() == 8
        optimizer.go_on(plain)
        step = CapturedStep(optimizer.step, cuda)
        for _ in range(3):
            step()
        assert step._graph is not None
