"""What a GPU would refuse, wait for or launch, found on a machine without a GPU (tests/support/pretend_device.py)."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from daemon.transfer import devices
from daemon.transfer.network import kernels, operations
from daemon.transfer.network.vgg import VGG
from daemon.transfer.network.weights import load
from daemon.transfer.optimizers.lbfgs import LBFGS
from daemon.transfer.optimizers.projected_gradient import ProjectedGradient
from tests.support import pretend_device
from tests.support.pretend_device import Pretend
from tests.support.scenes import scene

pretend_device.skip_unless_possible()

CPU, DEVICE = torch.device("cpu"), pretend_device.device()
LAYERS = ["relu1_1", "conv1_2", "relu2_2", "conv3_1"]
Optimizer = LBFGS | ProjectedGradient


@pytest.fixture(autouse=True)
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU that the device is compared with takes the same way: none of our kernels, no product onto the picture."""
    monkeypatch.setattr(kernels, "loaded", lambda: None)
    monkeypatch.setattr(operations, "by_products", lambda device: False)


def tensor(seed: int, height: int = 36, width: int = 44) -> Tensor:
    return torch.from_numpy(scene(height, width, seed)).permute(2, 0, 1)[None].contiguous()


def there_and_back(where: torch.device, pooling: Literal["max", "average"], border: Literal["zeros", "edge"]) -> Any:
    """Features and a gradient of all of them."""
    vgg = VGG(load("embedded")[1], where)
    found, back = vgg.forward(tensor(1).to(where), LAYERS, pooling, border)
    features = {name: F.clone() for name, F in found.items()}

    def add(name: str, g: Tensor | None) -> Tensor | None:
        if name not in features:
            return g
        return features[name].clone() if g is None else g.add_(features[name])

    return {name: F.cpu() for name, F in (features | {"gradient": back(add)}).items()}


@pytest.mark.parametrize("pooling", ["max", "average"])
@pytest.mark.parametrize("border", ["zeros", "edge"])
def test_the_network_computes_the_same_bits_there_and_back(
    pooling: Literal["max", "average"], border: Literal["zeros", "edge"]
) -> None:
    with torch.no_grad(), Pretend():
        here, there = (there_and_back(where, pooling, border) for where in (CPU, DEVICE))
    assert here.keys() == there.keys() == {*LAYERS, "gradient"}
    for name in here:
        assert torch.equal(here[name], there[name]), name


def test_the_network_and_its_chroma_gain_need_no_float64() -> None:
    with torch.no_grad(), Pretend(float64=False):
        there_and_back(DEVICE, "max", "edge")


def test_a_gradient_by_a_convolution_is_the_one_by_products(monkeypatch: pytest.MonkeyPatch) -> None:
    with torch.no_grad():
        by_convolution = there_and_back(CPU, "max", "edge")["gradient"]
        monkeypatch.setattr(operations, "by_products", lambda device: True)
        by_products = there_and_back(CPU, "max", "edge")["gradient"]
    assert (by_products - by_convolution).norm() < 1e-5 * by_products.norm()


def evaluation(where: torch.device) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """½ Σ a (x - b)², as a loss that knows nothing of the host, with a rise that is not accepted now and then."""
    a, b = (10 ** (2 * tensor(2))).to(where), tensor(3).to(where) * 1.4 - 0.2

    def evaluate(x: Tensor) -> tuple[Tensor, Tensor]:
        off = x - b
        return (a * off * off).sum() / 2 + (off * 40).sin().sum(), a * off + 40 * (off * 40).cos()

    return evaluate


def optimizer(of: type[Optimizer], where: torch.device) -> Optimizer:
    x = tensor(4).to(where)
    return LBFGS(evaluation(where), x, 5) if of is LBFGS else ProjectedGradient(evaluation(where), x)


@pytest.fixture
def every_row(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The sums of a CPU that, as a device, never leaves out the rows of pairs that are not there yet."""
    with monkeypatch.context() as patch:
        patch.setattr("daemon.transfer.optimizers.lbfgs.on_host", lambda v: False)
        yield


@pytest.mark.usefixtures("every_row")
@pytest.mark.parametrize("of", [LBFGS, ProjectedGradient])
def test_an_optimizer_takes_the_same_steps(of: type[Optimizer]) -> None:
    found = []
    with torch.no_grad(), Pretend():
        for where in (CPU, DEVICE):
            optimizes = optimizer(of, where)
            for _ in range(12):
                optimizes.step()
            found.append((optimizes.best.cpu(), optimizes.best_loss.cpu()))
    assert torch.equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]


def stepped(of: type[Optimizer], pretend: Pretend, steps: int = 3) -> Optimizer:
    """After some steps, with the counts of one more."""
    optimizes = optimizer(of, DEVICE)
    for _ in range(steps):
        optimizes.step()
    pretend.clear()
    optimizes.step()
    return optimizes


@pytest.mark.parametrize("of", [LBFGS, ProjectedGradient])
def test_no_step_waits_for_the_device(of: type[Optimizer]) -> None:
    with torch.no_grad(), Pretend() as pretend:
        stepped(of, pretend)
        assert not pretend.waits


def state(optimizes: Optimizer) -> dict[str, int]:
    """Where everything lies that an optimizer holds from one step to the next."""
    found: dict[str, int] = {}
    parts = [("", optimizes), *((name, part) for name, part in vars(optimizes).items() if hasattr(part, "__dict__"))]
    for owner, part in parts:
        if not isinstance(part, Tensor) and not callable(part):
            for name, v in vars(part).items():
                if isinstance(v, Tensor):
                    found[f"{owner}.{name}"] = id(v)
    return found


@pytest.mark.parametrize("of", [LBFGS, ProjectedGradient])
def test_a_step_writes_into_the_same_tensors_so_that_it_can_be_captured(of: type[Optimizer]) -> None:
    with torch.no_grad():
        optimizes = optimizer(of, CPU)
        optimizes.step()
        before = state(optimizes)
        optimizes.step()
    assert len(before) >= 6
    assert state(optimizes) == before


MOST = {LBFGS: 157, ProjectedGradient: 68}  # launches of a step beside its evaluation


@pytest.mark.parametrize("of", list(MOST))
def test_a_step_launches_no_more_than_it_did(of: type[Optimizer], record_property: Callable[..., None]) -> None:
    with torch.no_grad(), Pretend() as pretend:
        optimizes = stepped(of, pretend)
        whole = sum(pretend.launches.values())
        pretend.clear()
        evaluation(DEVICE)  # its constants are no part of a step
        pretend.clear()
        (optimizes.evaluate if isinstance(optimizes, LBFGS) else optimizes._evaluate)(optimizes.best)
        step = whole - sum(pretend.launches.values())
    record_property("launches", step)
    assert step <= MOST[of]


@pytest.mark.parametrize("of", [LBFGS, ProjectedGradient])
def test_an_optimizer_needs_float64_only_where_the_device_has_it(
    monkeypatch: pytest.MonkeyPatch, of: type[Optimizer]
) -> None:
    for home in ("lbfgs", "projected_gradient"):
        monkeypatch.setattr(f"daemon.transfer.optimizers.{home}.precision", lambda device: torch.float32)
    with torch.no_grad(), Pretend(float64=False) as pretend:
        stepped(of, pretend)


def test_warming_up_computes_on_the_device() -> None:
    with Pretend() as pretend:
        devices.warm_up(DEVICE)
    assert {"convolution", "linalg_solve_triangular", "_fft_r2c"} <= set(pretend.launches)
