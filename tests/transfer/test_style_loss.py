import pytest
import torch
from torch import Tensor

from daemon.transfer import losses
from daemon.transfer.losses import Moments
from daemon.transfer.style_loss import Ease, Statistics, StyleLoss

WEIGHTS = {"relu1_1": 2.0, "relu2_1": 0.5}


def statistics(mean: bool, seed: int) -> Statistics:
    random = torch.Generator().manual_seed(seed)
    F = [torch.rand(1, n, 9, 11, generator=random, dtype=torch.float64) for n in (4, 6)]
    of = losses.covariance if mean else losses.gram
    return dict(zip(WEIGHTS, map(of, F), strict=True))


@pytest.mark.parametrize("mean", [True, False], ids=["covariance", "gram"])
@pytest.mark.parametrize("normalized", [True, False], ids=["relative", "absolute"])
def test_loss_and_derivative_are_those_of_the_formulas(mean: bool, normalized: bool) -> None:
    if mean and not normalized:
        pytest.skip("the paper's style loss knows Gram matrices only")
    G, A = statistics(mean, 1), statistics(mean, 2)
    L, dG = StyleLoss(A, WEIGHTS, normalized)(G)
    parts = [v.requires_grad_(True) for pair in G.values() for v in pair if v is not None]
    error = losses.relative_style if normalized else losses.style
    terms = {name: w * error(G[name], A[name]) for name, w in WEIGHTS.items()}
    expected = sum(terms.values(), torch.zeros((), dtype=torch.float64))
    torch.testing.assert_close(L, expected.detach())
    found = [v for second, of_mean in dG.values() for v in (second / 2, of_mean) if v is not None]
    for ours, theirs in zip(found, torch.autograd.grad(expected, parts), strict=True):
        torch.testing.assert_close(ours, theirs)
    with torch.no_grad():
        for name, term in StyleLoss(A, WEIGHTS, normalized).terms(G).items():
            torch.testing.assert_close(term, terms[name])


def test_an_eased_loss_has_its_own_derivative() -> None:
    G, A = statistics(False, 1), statistics(False, 2)
    loss = StyleLoss(A, {name: 1e6 * w for name, w in WEIGHTS.items()}, False, eased=True)
    _, dG = loss(G)
    for name, moments in G.items():
        d = torch.rand(moments.second.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64) * 1e-6

        def at(step: Tensor, name: str = name) -> Tensor:
            return loss(G | {name: Moments(G[name].second + step, None)})[0]

        torch.testing.assert_close(at(d) - at(-d), (dG[name].second * d).sum(), rtol=1e-5, atol=0)


def test_an_eased_style_loss_is_nowhere_much_steeper_than_one() -> None:
    """And where the other is not, it is that."""
    N, beta = 8, 1e6
    f = torch.randn(200, N, dtype=torch.float64) * torch.tensor([30.0, 3, 1, 0.1, 0.1, 0.01, 0.01, 0.01])
    A = Moments(f.T @ f / 200, None)
    values, axes = torch.linalg.eigh(A.second)

    def ratio(weight: float, off: Tensor) -> float:
        return float(Ease(A, weight).turned(off).square().sum() / off.square().sum())

    for i in range(N):
        off = torch.outer(axes[:, i], axes[:, i])
        steep = float(2 * values[i] * beta / N**4)
        assert ratio(beta, off) == pytest.approx(1 / (1 + steep), rel=1e-6)
        assert ratio(beta, off) * steep < 1
    assert ratio(1e-9, torch.eye(N, dtype=torch.float64)) == pytest.approx(1, rel=1e-6)
