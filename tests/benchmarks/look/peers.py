"""What other programs would paint: their settings and their losses, with the weights that ours paints with.

Read in neural-style-pt (7251405, 2022) and style-transfer-pytorch (e7e2c71, 2023), with the defaults of their command
lines. A layer that the weights lack is replaced by the deepest ReLU that they have. `share`: of the evaluations, for
a trial. With `Quick` weights on a CPU they have our kernels for their convolutions, pooling and Gram matrices, because
six pairs take hours: the seconds that they are said to take are fewer than their own.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as nn_f
from torch import Tensor

from daemon.transfer.network.layers import LAYERS
from daemon.transfer.network.vgg import IMAGENET_MEAN, IMAGENET_STD
from tests.benchmarks import seed
from tests.benchmarks.look.network import Features, Weights, features, gram, products

PEERS_STYLE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
PEERS_CONTENT = ("relu4_2",)
SEEDS_STYLE = ("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1")
SEEDS_CONTENT = ("conv2_2",)
LARGE = 255 * sum(IMAGENET_STD) / 3  # neural-style-pt's features to ours


def deepest(weights: Weights) -> str:
    """The last layer with an activation."""
    return next(name for n, name in reversed([*enumerate(LAYERS)]) if f"features.{n - 1}.weight" in weights)


def replaced(layers: tuple[str, ...], weights: Weights) -> dict[str, str]:
    """{wanted: the layer that takes its place}, the same one where it is there."""
    last = deepest(weights)
    return {name: name if LAYERS.index(name) <= LAYERS.index(last) else last for name in layers}


def substitutes(layers: tuple[str, ...], weights: Weights) -> str:
    """What a table has to say of the layers."""
    pairs = replaced(layers, weights).items()
    return ", ".join(wanted if wanted == used else f"{wanted} → {used}" for wanted, used in pairs)


def seeds_loop(weights: Weights, content: Tensor, style: Tensor, share: float = 1.0) -> Tensor:
    """The tutorial: torch's L-BFGS with the clamp in its closure, 300 evaluations; lean, that is in its best time."""
    layers = frozenset(SEEDS_STYLE + SEEDS_CONTENT)
    with torch.no_grad():
        A = {name: gram(F) for name, F in features(weights, style, layers).items()}
        P = features(weights, content, layers)

    def score(x: Tensor) -> Tensor:
        F = features(weights, x, layers)
        L_style = sum(seed.STYLE_WEIGHT**2 * nn_f.mse_loss(gram(F[name]), A[name]) for name in SEEDS_STYLE)
        loss = L_style + sum(nn_f.mse_loss(F[name], P[name]) for name in SEEDS_CONTENT)
        assert isinstance(loss, Tensor)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    painting = seed.loop(score, content.clone(), max(1, round(300 * share))).painting
    assert painting is not None
    return painting


def neural_style_loss(weights: Weights, content: Tensor, style: Tensor) -> Callable[[Tensor], Tensor]:
    """Of x in [0, 1]: Gram matrices / (C·H·W), 100 each; content 5; L1 total variation 1e-3.

    Its pixels are in 0 … 255, and its weights' features as large; ours are made so, for the network is homogeneous
    but for its biases: F(k x, k b) = k F(x, b).
    """
    styles = Counter(replaced(PEERS_STYLE, weights).values())
    contents = Counter(replaced(PEERS_CONTENT, weights).values())

    with torch.no_grad():
        A = {name: gram(F) for name, F in features(weights, style, frozenset(styles)).items()}
        P = features(weights, content, frozenset(contents))

    def loss(x: Tensor) -> Tensor:
        F = features(weights, x, frozenset(styles | contents))
        L_content = sum(n * nn_f.mse_loss(F[name], P[name]) for name, n in contents.items())
        L_style = sum(n * nn_f.mse_loss(gram(F[name]), A[name]) for name, n in styles.items())
        tv = 255 * (x.diff(dim=2).abs().sum() + x.diff(dim=3).abs().sum())
        L = 5 * LARGE**2 * L_content + 100 * LARGE**4 * L_style + 1e-3 * tv
        assert isinstance(L, Tensor)
        return L

    return loss


def neural_style_pt(
    weights: Weights,
    content: Tensor,
    style: Tensor,
    share: float = 1.0,
    seen: Callable[[float], object] = lambda loss: None,
) -> Tensor:
    """Its loss by torch's L-BFGS of 1000 evaluations from noise, no clamp until the end; `seen`: each one's loss."""
    loss = neural_style_loss(weights, content, style)
    mean = torch.tensor(IMAGENET_MEAN, device=content.device).view(1, 3, 1, 1)
    random = torch.Generator().manual_seed(0)
    z = (torch.randn(content.shape, generator=random) * 0.001).to(content.device).requires_grad_(True)
    most = max(1, round(1000 * share))
    optimizer = torch.optim.LBFGS(
        [z], max_iter=most, max_eval=most, tolerance_grad=-1, tolerance_change=-1, history_size=100
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        L = loss(z / 255 + mean)
        L.backward()  # type: ignore[no-untyped-call]
        seen(float(L.detach()))
        return L

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return (z.detach() / 255 + mean).clamp(0, 1)


def style_transfer_pytorch(weights: Weights, content: Tensor, style: Tensor, share: float = 1.0) -> Tensor:
    """Wasserstein-2 distance of mean and covariance, 256:64:16:4:1; content 0.015; total variation 2; Adam.

    From 128 px by √2, 1000 steps and then 500 a scale, Adam's moments carried over; replicate padding in the first
    convolution; what it shows and goes on from is an exponential moving average.
    """
    styles = Counter[str]()
    for name, w in zip(replaced(PEERS_STYLE, weights).values(), (256, 64, 16, 4, 1), strict=True):
        styles[name] += w
    contents = frozenset(replaced(PEERS_CONTENT, weights).values())
    long_side = max(content.shape[2:])
    scales = _scales(min(128, long_side), long_side)
    x, state = _resized(content, scales[0]), dict[str, Tensor]()
    for scale in scales:
        c, s = _resized(content, scale), _resized(style, min(scale, max(style.shape[2:])))
        shape = list(c.shape[2:])
        x = nn_f.interpolate(x, shape, mode="bicubic").clamp(0, 1)
        with torch.no_grad():
            P = features(weights, c, contents, "replicate")
            A = {name: _moments(F) for name, F in features(weights, s, frozenset(styles), "replicate").items()}
            roots = {name: _roots(cov)[0] for name, (_, cov) in A.items()}

        def loss(x: Tensor, P: Features = P, A: Any = A, roots: Features = roots) -> Tensor:
            F = features(weights, x, frozenset(styles) | contents, "replicate")
            L = 0.015 * sum(nn_f.mse_loss(F[name], P[name]) for name in contents) + 2.0 * _nine_points(x)
            for name, w in styles.items():
                (mean, cov), (target, target_cov) = _moments(F[name]), A[name]
                root: Any = _TraceOfRoot.apply(roots[name] @ cov @ roots[name])
                apart = (mean - target).square().mean() + (cov.trace() + target_cov.trace() - 2 * root) / len(cov)
                L = L + w / sum(styles.values()) * apart
            assert isinstance(L, Tensor)
            return L

        x, state = _adam(loss, x, _carried(state, shape), round((1000 if scale == scales[0] else 500) * share))
    return x.clamp(0, 1)


def _adam(loss: Callable[[Tensor], Tensor], x: Tensor, state: dict[str, Tensor], steps: int) -> Any:
    """The iterates' average, corrected for its start, and Adam's state."""
    x = x.detach().clone().requires_grad_(True)
    optimizer = torch.optim.Adam([x], lr=0.02, betas=(0.9, 0.99))
    if state:
        optimizer.load_state_dict(optimizer.state_dict() | {"state": {0: state}})
    average, unseen = 0.01 * x.detach(), 0.99
    for _ in range(max(1, steps)):
        optimizer.zero_grad()
        loss(x).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        with torch.no_grad():
            x.clamp_(0, 1)
        average, unseen = 0.99 * average + 0.01 * x.detach(), unseen * 0.99
    return average / (1 - unseen), optimizer.state_dict()["state"][0]


def _carried(state: dict[str, Tensor], shape: list[int]) -> dict[str, Tensor]:
    """Adam's moments at the next scale."""
    if not state:
        return {}
    first = nn_f.interpolate(state["exp_avg"], shape, mode="bicubic")
    second = nn_f.interpolate(state["exp_avg_sq"], shape, mode="bilinear").relu()
    return {"step": state["step"], "exp_avg": first, "exp_avg_sq": second}


def _scales(start: int, end: int) -> list[int]:
    """Long sides, coarse to fine: end / √2ⁱ."""
    found = [end]
    while (below := round(end / 2 ** (len(found) / 2))) >= start:
        found.append(below)
    return found[::-1]


def _resized(x: Tensor, long_side: int) -> Tensor:
    shape = [max(16, round(length * long_side / max(x.shape[2:]))) for length in x.shape[2:]]
    return nn_f.interpolate(x, shape, mode="bicubic", antialias=True).clamp(0, 1)


def _moments(F: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (N,) and covariance (N, N), with its 1e-4 on the diagonal."""
    mean, M = F.mean(dim=(0, 2, 3)), F[0, 0].numel()
    return mean, products(F) / M - mean[:, None] * mean + 1e-4 * torch.eye(len(mean), device=F.device)


def _roots(a: Tensor) -> tuple[Tensor, Tensor]:
    """a^½ and a^-½ of a symmetric positive matrix, by 12 steps of Newton–Schulz, as there."""
    size = a.norm()
    y, z, three = a / size, torch.eye(len(a), device=a.device), 3 * torch.eye(len(a), device=a.device)
    for _ in range(12):
        t = (three - z @ y) / 2
        y, z = y @ t, t @ z
    return y * size.sqrt(), z / size.sqrt()


class _TraceOfRoot(torch.autograd.Function):
    """tr a^½, whose derivative is ½ a^-½; there, by a Lyapunov equation."""

    @staticmethod
    def forward(ctx: Any, a: Tensor) -> Tensor:
        root, inverse = _roots(a)
        ctx.save_for_backward(inverse)
        return root.trace()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (inverse,) = ctx.saved_tensors
        result: Tensor = gradients[0] * inverse.T / 2
        return result


def _nine_points(x: Tensor) -> Tensor:
    """Its total variation: squares, of straight neighbours a third, of diagonal ones a twelfth, doubled."""
    x = nn_f.pad(x, (1, 1, 1, 1), mode="replicate")
    right = (x[..., 1:-1, 2:] - x[..., 1:-1, 1:-1]).square().mean()
    down = (x[..., 2:, 1:-1] - x[..., 1:-1, 1:-1]).square().mean()
    falling = (x[..., 1:, 1:] - x[..., :-1, :-1]).square().mean()
    rising = (x[..., 1:, :-1] - x[..., :-1, 1:]).square().mean()
    return 2 * ((right + down) / 3 + (falling + rising) / 12)
