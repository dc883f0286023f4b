"""What only a real GPU can say, in under a minute: CUDA, ROCm or Apple's. Skipped where there is none.

tests/transfer/test_device*.py check the rest on a device that is not there; `python -m tests.benchmarks.gpu` measures.
"""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from daemon.transfer import Layer, Stylizer, TooLargeError, devices, losses
from daemon.transfer import stylizer as module
from daemon.transfer.memory import free_memory, is_shortage
from daemon.transfer.plan import Plan
from daemon.transfer.recipe import Recipe, recipe
from daemon.transfer.steps import Step
from tests.support.device_losses import prepared, start
from tests.support.scenes import Picture, scene

NEAR = 0.05  # of a gradient: convolutions are in TF32, and a ReLU on its knee may fall to the other side


def painted(by: Stylizer, how: Recipe) -> tuple[Picture, Step]:
    steps: list[Step] = []
    return by.paint(scene(96, 128, 1), scene(96, 96, 2), how, steps.append), steps[-1]


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


class Edges(torch.nn.Module):
    """A network of the caller's."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = {"edges": Layer(maps=8, stride=1, halo=2)}
        torch.manual_seed(0)
        self.first = torch.nn.Conv2d(3, 8, 5, padding=2, padding_mode="replicate")

    def features(self, x: Tensor, names: Collection[str]) -> dict[str, Tensor]:
        return {"edges": self.first(x - 0.5).relu()}


def test_a_network_of_the_callers_paints_there(device: torch.device) -> None:
    own = (("edges", 1.0),)
    how = replace(recipe("fine"), style_layers=own, content_layers=own, scales=((1.0, 12),))
    steps: list[Step] = []
    by = Stylizer(device=str(device), network=Edges())
    assert np.isfinite(by.paint(scene(96, 128, 1), scene(96, 96, 2), how, steps.append)).all()
    assert steps[-1].loss < steps[0].loss


def test_the_same_painting_has_the_same_bits_each_time(stylizer: Stylizer, preset: str) -> None:
    how = replace(recipe(preset), scales=((1.0, 20),))
    first, again = (painted(stylizer, how)[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("plan", [Plan(64, False, 4), Plan(None, True, 0)], ids=["in tiles", "without pairs"])
def test_so_it_does_by_other_plans(
    monkeypatch: pytest.MonkeyPatch, stylizer: Stylizer, reference: Stylizer, plan: Plan
) -> None:
    monkeypatch.setattr(module, "fitting", lambda *_: iter([plan]))
    ends = [painted(by, replace(recipe("fine"), scales=((1.0, 12),)))[1].loss for by in (stylizer, reference)]
    assert ends[0] <= 1.05 * ends[1]


def test_a_shortage_is_known_as_one(cuda: torch.device) -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 50, device=cuda)
    assert is_shortage(caught.value)
    assert 0 < free_memory(cuda) <= torch.cuda.get_device_properties(cuda).total_memory


def test_too_little_memory_is_an_error_of_the_picture_and_the_next_is_painted(
    cuda: torch.device, stylizer: Stylizer
) -> None:
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(1e-3, cuda)
    with pytest.raises(TooLargeError):
        stylizer.paint(scene(1500, 2000), scene(96, 96, 2), replace(recipe("fine"), scales=((1.0, 2),), finer=()))
    torch.cuda.set_per_process_memory_fraction(1.0, cuda)
    assert np.isfinite(painted(stylizer, recipe("draft"))[0]).all()


@pytest.mark.usefixtures("stylizer")
def test_few_plans_for_other_sizes_are_kept(cuda: torch.device) -> None:
    plans = torch.backends.cuda.cufft_plan_cache[cuda]
    for side in range(16, 16 + 2 * devices.FFT_PLANS):
        torch.fft.rfft2(torch.ones(side, 20, device=cuda))
    assert 0 < plans.size <= devices.FFT_PLANS


def test_memory_is_given_back_after_a_painting(cuda: torch.device, stylizer: Stylizer) -> None:
    painted(stylizer, recipe("fine"))
    unused = torch.cuda.memory_reserved(cuda) - torch.cuda.memory_allocated(cuda)
    assert unused <= 0.25 * torch.cuda.get_device_properties(cuda).total_memory
