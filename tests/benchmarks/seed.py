"""The loop that `preset: tutorial` comes from, as PyTorch's tutorial had it and as it has it today.

`python -m tests.benchmarks.seed CONTENT STYLE [STYLE …]` compares where it ends with where ours does.
"""

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as nn_f
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torchvision.models import vgg19

from daemon.transfer import Stylizer
from daemon.transfer.network.vgg import IMAGENET_MEAN, IMAGENET_STD
from daemon.transfer.network.weights import load
from daemon.transfer.recipe import recipe
from daemon.transfer.steps import Step

Picture = NDArray[np.float32]
STYLE = ("conv_1", "conv_2", "conv_3", "conv_4", "conv_5")
CONTENT = ("conv_4",)
STYLE_WEIGHT = 1000.0  # of both Gram matrices, hence 1e6 of the loss


@dataclass
class Run:
    """What a loop did: loss and seconds since its start at each evaluation, of the clamped picture."""

    losses: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    painting: Tensor | None = None

    @property
    def best(self) -> float:
        return min(self.losses)


class Normalization(nn.Module):
    """Today's tutorial has it, the seed has not: the weights want it."""

    def forward(self, x: Tensor) -> Tensor:
        mean, std = (torch.tensor(v, device=x.device).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
        return (x - mean) / std


class Loss(nn.Module):
    """A layer that changes nothing and notes how far what passes is from its target."""

    def __init__(self, target: Tensor, of: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.target, self.of = of(target).detach(), of
        self.value = self.target.new_zeros(())

    def forward(self, x: Tensor) -> Tensor:
        self.value = nn_f.mse_loss(self.of(x), self.target)
        return x.clone()  # the next layer may work in place


def gram(x: Tensor) -> Tensor:
    a, b, c, d = x.shape
    rows = x.reshape(a * b, c * d)
    return rows @ rows.T / (a * b * c * d) * STYLE_WEIGHT


def network(tensors: Mapping[str, Tensor]) -> nn.Sequential:
    """All of VGG19's features; the deep layers that these weights lack are He-random, seed 0."""
    torch.manual_seed(0)
    features: nn.Sequential = vgg19(weights=None).features
    for layer in features:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.constant_(layer.bias, 0) if layer.bias is not None else None
    names = {name.removeprefix("features."): tensor for name, tensor in tensors.items()}
    features.load_state_dict(names, strict=False)
    return features.eval()


def with_losses(features: nn.Sequential, content: Tensor, style: Tensor, cut: bool) -> tuple[nn.Sequential, list[Loss]]:
    """The network with the losses between its layers; cut after the last one, as today's tutorial does."""
    model, found = nn.Sequential(Normalization()), list[Loss]()
    c, s = model(content), model(style)
    i = 0
    for layer in features:
        i += isinstance(layer, nn.Conv2d)
        name = f"conv_{i}" if isinstance(layer, nn.Conv2d) else ""
        model.append(nn.ReLU(inplace=not cut) if isinstance(layer, nn.ReLU) else layer)
        with torch.no_grad():
            c, s = model[-1](c.clone()), model[-1](s.clone())
        if name in CONTENT:
            found.append(Loss(c, lambda x: x * 1.0))
            model.append(found[-1])
        if name in STYLE:
            found.append(Loss(s, gram))
            model.append(found[-1])
        if cut and name == STYLE[-1]:
            break
    return model, found


def literal(features: nn.Sequential, content: Tensor, style: Tensor, evaluations: int = 300) -> Run:
    """The seed: all 16 convolutions, weights that require gradients, a backward pass for each loss."""
    features.requires_grad_(True)
    model, found = with_losses(features, content, style, cut=False)

    def score(x: Tensor) -> Tensor:
        model(x)
        for part in found:
            part.value.backward(retain_graph=True)  # type: ignore[no-untyped-call]
        return torch.stack([part.value.detach() for part in found]).sum()

    return loop(score, content.clone(), evaluations)


def lean(features: nn.Sequential, content: Tensor, style: Tensor, evaluations: int = 300) -> Run:
    """Today's tutorial: frozen weights, the network cut after the last loss, one backward pass."""
    features.requires_grad_(False)
    model, found = with_losses(features, content, style, cut=True)

    def score(x: Tensor) -> Tensor:
        model(x)
        loss = torch.stack([part.value for part in found]).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    return loop(score, content.clone(), evaluations)


def loss_of(features: nn.Sequential, content: Tensor, style: Tensor, x: Tensor) -> float:
    """The loss of a picture as the loop would compute it."""
    model, found = with_losses(features, content, style, cut=True)
    with torch.no_grad():
        model(x)
    return float(sum(float(part.value) for part in found))


def loop(score: Callable[[Tensor], Tensor], x: Tensor, evaluations: int) -> Run:
    """torch's L-BFGS with its defaults until its counter passes `evaluations`; clamped in the closure."""
    run, start = Run(), time.perf_counter()
    x.requires_grad_(True)
    optimizer = torch.optim.LBFGS([x])

    def closure() -> float:
        x.data.clamp_(0, 1)
        optimizer.zero_grad()
        loss = float(score(x))
        run.losses.append(loss)
        run.seconds.append(time.perf_counter() - start)
        return loss

    while len(run.losses) <= evaluations:
        before = len(run.losses)
        optimizer.step(closure)  # type: ignore[no-untyped-call]
        if len(run.losses) - before < 2:
            break  # torch's L-BFGS has converged by its own rule: it would turn in place from here on
    run.painting = x.detach().clamp(0, 1)
    return run


def picture(path: Path, size: int, shape: tuple[int, int] | None = None) -> Picture:
    """(H, W, 3) in [0, 1]; its long side `size` pixels, or (width, height) `shape`."""
    with Image.open(path) as image:
        scale = size / max(image.size)
        target = shape or (round(image.width * scale), round(image.height * scale))
        resized = image.convert("RGB").resize(target, Image.Resampling.LANCZOS)
    return np.asarray(resized, np.float32) / np.float32(255)


def tensor(array: Picture) -> Tensor:
    return torch.from_numpy(array.transpose(2, 0, 1).copy())[None]


def compared(stylizer: Stylizer, features: nn.Sequential, content: Picture, style: Picture) -> str:
    """One line: where lean ends and where ours does, from the same pictures."""
    theirs = lean(features, tensor(content), tensor(style))
    steps: list[Step] = []
    start = time.perf_counter()
    stylizer.paint(content, style, recipe("tutorial"), steps.append)
    seconds, ours = time.perf_counter() - start, steps[-1].loss
    close = (f"{s.step} of {s.steps}" for s in steps if s.scale == s.scales and s.loss <= theirs.best * 1.01)
    return (
        f"seed {theirs.best:.4f} (last {theirs.losses[-1]:.4f}, {len(theirs.losses)} evaluations, "
        f"{theirs.seconds[-1]:.1f} s)  ours {ours:.4f} ({seconds:.1f} s)  ratio {ours / theirs.best:.3f}, "
        f"within 1 % at step {next(close, 'never')}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("content", type=Path)
    parser.add_argument("styles", type=Path, nargs="+")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--weights", default="embedded")
    given = parser.parse_args(arguments)
    stylizer = Stylizer(device="cpu", weights=given.weights)
    features = network(load(given.weights)[1])
    content = picture(given.content, given.size)
    shape = (content.shape[1], content.shape[0])  # the seed wants both pictures alike
    for path in given.styles:
        print(f"{path.stem:16}", compared(stylizer, features, content, picture(path, given.size, shape)), flush=True)


if __name__ == "__main__":
    main()
