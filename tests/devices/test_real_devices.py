"""What only a real GPU can say, in under a minute: CUDA, ROCm or Apple's. Skipped where there is none.

tests/transfer/test_device*.py check the rest on a device that is not there; `python -m tests.benchmarks.gpu` measures.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from daemon.transfer import Stylizer, TooLargeError, devices, losses
from daemon.transfer import stylizer as module
from daemon.transfer.network.vgg import VGG
from daemon.transfer.network.weights import load
from daemon.transfer.objective import Objective
from daemon.transfer.optimizers.capture import CapturedStep
from daemon.transfer.optimizers.lbfgs import LBFGS
from daemon.transfer.plan import Plan
from daemon.transfer.recipe import PRESETS, Recipe, recipe
from daemon.transfer.steps import Step
from tests.support.objectives import targets
from tests.support.scenes import Picture, scene, tensor

NEAR = 0.05  # of a gradient: convolutions are in TF32, and a ReLU on its knee may fall to the other side


def prepared(preset: str, device: torch.device, half: bool = False, dtype: torch.dtype = torch.float32) -> Objective:
    vgg = VGG({name: weight.to(dtype) for name, weight in load("embedded")[1].items()}, device)
    c, s = (tensor(scene(96, 128, seed)).to(device, dtype) for seed in (1, 2))
    with torch.no_grad():
        return Objective(vgg.half if half else vgg, PRESETS[preset], c, targets(vgg, s, PRESETS[preset], c))


def start(device: torch.device) -> Tensor:
    return tensor(scene(96, 128, 3)).to(device)


def painted(by: Stylizer, how: Recipe) -> tuple[Picture, Step]:
    steps: list[Step] = []
    return by.paint(scene(96, 128, 1), scene(96, 96, 2), how, steps.append), steps[-1]


@pytest.fixture(params=["fine", "tutorial"])
def preset(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_loss_and_gradient_are_those_of_float64(device: torch.device, preset: str) -> None:
    exact, g64 = prepared(preset, torch.device("cpu"), dtype=torch.float64)(start(torch.device("cpu")).double())
    loss, g = prepared(preset, device)(start(device))
    assert float(loss) == pytest.approx(float(exact), rel=NEAR)
    assert (g.cpu().double() - g64).norm() < NEAR * g64.norm()


def test_half_precision_leads_the_same_way(device: torch.device, preset: str) -> None:
    if not devices.computes_in_half(device):
        pytest.skip("this device does not compute in bfloat16")
    g, h = (prepared(preset, device, half)(start(device))[1].flatten() for half in (False, True))
    assert torch.cosine_similarity(g, h, dim=0) > 0.98


def test_statistics_of_bfloat16_are_summed_in_float32(device: torch.device) -> None:
    if not devices.computes_in_half(device):
        pytest.skip("this device does not compute in bfloat16")
    F = torch.rand(1, 64, 128, 128, generator=torch.Generator().manual_seed(0)).bfloat16()
    found, exact = losses.covariance(F.to(device)).second.cpu(), losses.covariance(F.double()).second.float()
    assert found.dtype == torch.float32
    assert (found - exact).norm() < 1e-3 * exact.norm()


def test_a_painting_ends_as_low_as_the_cpus(stylizer: Stylizer, reference: Stylizer, preset: str) -> None:
    how = recipe(preset)
    how = how if preset == "fine" else replace(how, scales=((1.0, 60),))
    (painting, here), (_, there) = (painted(by, how) for by in (stylizer, reference))
    assert np.isfinite(painting).all()
    assert here.loss <= 1.03 * there.loss


@pytest.mark.parametrize("plan", [Plan(64, False, 4), Plan(None, True, 0)], ids=["in tiles", "without pairs"])
def test_so_it_does_by_other_plans(
    monkeypatch: pytest.MonkeyPatch, stylizer: Stylizer, reference: Stylizer, plan: Plan
) -> None:
    monkeypatch.setattr(module, "fitting", lambda *_: iter([plan]))
    ends = [painted(by, replace(recipe("fine"), scales=((1.0, 12),)))[1].loss for by in (stylizer, reference)]
    assert ends[0] <= 1.05 * ends[1]


@pytest.fixture
def cuda(device: torch.device) -> Iterator[torch.device]:
    """The device, if torch calls it CUDA; afterwards with all of its memory again, and free to wait."""
    if device.type != "cuda":
        pytest.skip("not a GPU of CUDA or ROCm")
    yield device
    torch.cuda.set_sync_debug_mode("default")
    torch.cuda.set_per_process_memory_fraction(1.0, device)


@pytest.mark.parametrize("half", [False, True], ids=["full", "half"])
def test_no_step_waits_and_every_step_can_be_captured(
    cuda: torch.device, preset: str, half: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CapturedStep, "failure", "")
    with torch.no_grad():
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


def test_too_little_memory_is_an_error_of_the_picture_and_the_next_is_painted(
    cuda: torch.device, stylizer: Stylizer
) -> None:
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(1e-3, cuda)
    with pytest.raises(TooLargeError):
        stylizer.paint(scene(1500, 2000), scene(96, 96, 2), replace(recipe("fine"), scales=((1.0, 2),), finer=()))
    torch.cuda.set_per_process_memory_fraction(1.0, cuda)
    assert np.isfinite(painted(stylizer, recipe("draft"))[0]).all()


def test_memory_is_given_back_after_a_painting(cuda: torch.device, stylizer: Stylizer) -> None:
    painted(stylizer, recipe("fine"))
    unused = torch.cuda.memory_reserved(cuda) - torch.cuda.memory_allocated(cuda)
    assert unused <= 0.25 * torch.cuda.get_device_properties(cuda).total_memory
