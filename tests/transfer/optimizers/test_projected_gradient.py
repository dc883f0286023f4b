import pytest
import torch
from torch import Tensor

from daemon.transfer.optimizers.projected_gradient import ProjectedGradient
from tests.support.quadratics import SHAPE, separable


def run(optimizer: ProjectedGradient, steps: int) -> ProjectedGradient:
    for _ in range(steps):
        optimizer.step()
    return optimizer


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_finds_the_solution_of_a_quadratic_in_a_box(scale: float) -> None:
    """Whatever the loss's unit, and without ever asking for a picture outside [0, 1]."""
    plain, solution, calls = separable(0)

    def evaluate(x: Tensor) -> tuple[Tensor, Tensor]:
        f, g = plain(x)
        return f * scale, g * scale

    optimizer = run(ProjectedGradient(evaluate, torch.full(SHAPE, 0.5)), 300)
    assert (optimizer.best - solution).abs().max() < 0.02
    assert all(x.min() >= 0 and x.max() <= 1 for x in calls)


def test_best_is_the_best_point_to_a_256th_of_an_eight_bit_step() -> None:
    plain, _, calls = separable(1)
    optimizer = run(ProjectedGradient(plain, torch.rand(SHAPE)), 40)
    losses = [float(plain(x)[0]) for x in list(calls)]
    assert float(optimizer.best_loss) == pytest.approx(min(losses))
    assert (optimizer.best - calls[losses.index(min(losses))]).abs().max() < 1 / 65000


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_walks_around_what_is_no_number(bad: float) -> None:
    def evaluate(x: Tensor) -> tuple[Tensor, Tensor]:
        f, g = (x - 1).square().sum(), 2 * (x - 1)
        return (f + bad, g * bad) if bool(x.mean() > 0.8) else (f, g)

    optimizer = run(ProjectedGradient(evaluate, torch.full(SHAPE, 0.1)), 60)
    assert optimizer.best.isfinite().all()
    assert 0.7 < optimizer.best.mean() <= 0.8 + 1 / 65535
