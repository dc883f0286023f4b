import numpy as np
import pytest
import torch
import torch.nn.functional as nn_f
from torch import Tensor

from daemon.transfer.optimizers.lbfgs import LBFGS, Evaluate, Pairs, SpectralPreconditioner
from tests.support.quadratics import SHAPE, separable


def run(evaluate: Evaluate, x0: Tensor, steps: int, history: int = 20) -> LBFGS:
    optimizer = LBFGS(evaluate, x0, history)
    for _ in range(steps):
        optimizer.step()
    return optimizer


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("start", ["middle", "noise", "corner"])
def test_finds_the_solution_of_a_quadratic_in_a_box(scale: float, start: str) -> None:
    """From any start, whatever the loss's unit, and without ever asking for a picture outside [0, 1]."""
    plain, solution, calls = separable(0)
    x0 = {"middle": torch.full(SHAPE, 0.5), "noise": torch.rand(SHAPE), "corner": torch.zeros(SHAPE)}[start]

    def evaluate(x: Tensor) -> tuple[Tensor, Tensor]:
        f, g = plain(x)
        return f * scale, g * scale

    optimizer = run(evaluate, x0, 150)
    assert (optimizer.best - solution).abs().max() < 0.02
    assert optimizer.best_loss / scale - plain(solution)[0] < 1e-3 * plain(x0)[0]
    assert all(x.min() >= 0 and x.max() <= 1 for x in calls)


@pytest.mark.parametrize("seed", [1, 2])
def test_finds_the_solution_of_a_coupled_quadratic(seed: int) -> None:
    """½ |k * x - b|², half of whose pixels end at a bound, against plain projected gradient steps."""
    kernel = torch.tensor([[0.1, 0.2, 0.1], [0.2, 1.0, 0.2], [0.1, 0.2, 0.1]]).expand(3, 1, 3, 3)
    b = torch.rand(SHAPE, generator=torch.Generator().manual_seed(seed)) * 1.2 + 0.3

    def evaluate(x: Tensor) -> tuple[Tensor, Tensor]:
        residual = nn_f.conv2d(x, kernel, padding=1, groups=3) - b
        return residual.square().sum() / 2, nn_f.conv2d(residual, kernel, padding=1, groups=3)

    x = x0 = torch.full(SHAPE, 0.5)
    for _ in range(200):
        x = (x - 0.2 * evaluate(x)[1]).clamp(0, 1)
    assert 0.2 < ((x > 0) & (x < 1)).float().mean() < 0.8
    solved, start = evaluate(x)[0], evaluate(x0)[0]
    assert run(evaluate, x0, 200).best_loss - solved < 1e-3 * (start - solved)


def test_needs_few_evaluations_on_a_quadratic_stiff_in_frequency() -> None:
    """Where fine detail is a thousand times stiffer than the rest, as in pictures, the spectrum pays."""
    height, width = 32, 48
    radius = (torch.fft.fftfreq(height)[:, None] ** 2 + torch.fft.rfftfreq(width) ** 2).sqrt()
    stiffness = 1 + 1000 * (radius / radius.max()) ** 2
    target = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(2)) * 0.6 + 0.2

    def evaluate(x: Tensor) -> tuple[Tensor, Tensor]:
        g = torch.fft.irfft2(torch.fft.rfft2(x - target) * stiffness, s=(height, width))
        return ((x - target) * g).sum() / 2, g

    x0 = torch.full_like(target, 0.5)
    assert run(evaluate, x0, 30).best_loss < 1e-5 * evaluate(x0)[0]


def test_never_accepts_a_rise_and_keeps_the_best_point() -> None:
    """A gradient that lies: every step leads up. The result is the start."""
    x0 = torch.full(SHAPE, 0.5)

    def evaluate(x: Tensor) -> tuple[Tensor, Tensor]:
        return (x - 0.5).square().sum(), torch.ones_like(x)

    optimizer = run(evaluate, x0, 60)
    assert torch.equal(optimizer.best, x0)
    assert optimizer.best_loss == 0


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_walks_around_what_is_no_number(bad: float, where: str) -> None:
    """Beyond a wall there is no loss or no gradient: it gets to the wall, and says what is there finitely."""

    def evaluate(x: Tensor) -> tuple[Tensor, Tensor]:
        f, g = (x - 1).square().sum(), 2 * (x - 1)
        beyond = bool(x.mean() > 0.8)
        return f + bad if beyond and where == "loss" else f, g * bad if beyond and where == "gradient" else g

    optimizer = run(evaluate, torch.full(SHAPE, 0.1), 60)
    assert optimizer.best.isfinite().all()
    assert 0.7 < optimizer.best.mean() <= 0.8
    assert np.isclose(float(optimizer.best_loss), float((optimizer.best - 1).square().sum()), rtol=1e-4)


def test_a_start_without_a_loss_stays_a_finite_picture() -> None:
    def evaluate(x: Tensor) -> tuple[Tensor, Tensor]:
        return x.sum() * torch.nan, x * torch.nan

    assert torch.equal(run(evaluate, torch.full(SHAPE, 0.3), 5).best, torch.full(SHAPE, 0.3))


@pytest.mark.parametrize("rubbish", [float("nan"), 1e12])
def test_survives_a_spell_of_rubbish_and_goes_on_from_the_best_point(rubbish: float) -> None:
    """Long enough to exhaust the step: it starts again without the old curvature, and still gets there."""
    plain, solution, calls = separable(3)

    def evaluate(x: Tensor) -> tuple[Tensor, Tensor]:
        f, g = plain(x)
        return (f + rubbish, g * rubbish) if 15 <= len(calls) < 30 else (f, g)

    assert (run(evaluate, torch.full(SHAPE, 0.5), 180).best - solution).abs().max() < 0.02


def test_the_triangular_systems_are_the_two_loop_recursion() -> None:
    """Nocedal's two loops, written out, give the same direction; also once the oldest pairs are replaced."""
    torch.manual_seed(0)
    x = torch.rand(3 * 8 * 8)
    pairs, H0 = Pairs(4, x), SpectralPreconditioner(8, 8, x.device)
    root = torch.randn(len(x), len(x)) / len(x) ** 0.5
    hessian = root @ root.T + torch.eye(len(x))
    kept: list[tuple[Tensor, Tensor]] = []
    for wanted in (True, True, False, True, True, True, False, True):
        s = torch.randn(len(x))
        y = hessian @ s
        pairs.store(torch.stack((s, y)), torch.tensor(wanted))
        H0.update(torch.stack((s, y)), s.norm() * y.norm(), torch.tensor(wanted))
        kept = [*kept, (s, y)][-4:] if wanted else kept
        q, taken = x.clone(), []
        for s, y in reversed(kept):
            taken.append((s @ q) / (s @ y))
            q = q - taken[-1] * y
        r = H0.product(q)
        for (s, y), a in zip(kept, reversed(taken), strict=True):
            r = r + s * (a - (y @ r) / (s @ y))
        torch.testing.assert_close(pairs.product(x, H0), r, rtol=1e-3, atol=1e-3)


def test_the_measured_hessian_is_symmetric_and_positive() -> None:
    torch.manual_seed(0)
    H0 = SpectralPreconditioner(9, 14, torch.device("cpu"))
    for _ in range(3):
        s = torch.randn(3 * 9 * 14)
        y = s * torch.rand_like(s)
        H0.update(torch.stack((s, y)), s.norm() * y.norm(), torch.tensor(True))
    a, b = torch.randn(3 * 9 * 14), torch.randn(3 * 9 * 14)
    torch.testing.assert_close(a @ H0.product(b), b @ H0.product(a), rtol=1e-3, atol=1e-3)
    assert a @ H0.product(a) > 0


def test_it_goes_on_with_another_loss_and_what_it_has_learnt() -> None:
    """From the best point, with its curvature pairs: of nearly the same loss, in fewer evaluations than from the
    start."""
    scale = torch.logspace(0, 4, 3 * 8 * 8)[torch.randperm(192, generator=torch.Generator().manual_seed(0))]

    def evaluate(target: float) -> Evaluate:
        def loss(x: Tensor) -> tuple[Tensor, Tensor]:
            off = x - target
            slope = scale.view(x.shape) * off
            return (slope * off).sum() / 2, slope

        return loss

    def after(optimizer: LBFGS, steps: int) -> float:
        for _ in range(steps):
            optimizer.step()
        return float(optimizer.best_loss)

    learnt = LBFGS(evaluate(0.4), torch.full((1, 3, 8, 8), 0.2), 60)
    after(learnt, 50)
    where = learnt.best.clone()
    learnt.go_on(evaluate(0.5))
    assert torch.equal(learnt.best, where)
    assert float(learnt.best_loss) == pytest.approx(float(evaluate(0.5)(where)[0]))
    fresh = LBFGS(evaluate(0.5), where, 60)
    assert after(learnt, 10) < 0.5 * after(fresh, 10)
