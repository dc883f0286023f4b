"""`python -m daemon.studio.train [--out FILE]`: train the embedded weights, VGG19's first layers, from random weights.

Contrastive (NT-Xent, Chen et al. 2020, arXiv:2002.05709): given a crop of a texture, find another crop of the same
texture among many crops and near misses. The comparison uses the statistics of the style transfer: heads on Gram matrix
and channel means. The same seed on the same kind of machine gives the same file, whatever the load.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as nn_f
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors.torch import save
from torch import Tensor, nn

from daemon.assets import EMBEDDED_WEIGHTS
from daemon.studio.lessons import Pool, drawn, lesson, photographed
from daemon.transfer.network.layers import LAYERS, WIDTHS
from daemon.transfer.network.vgg import IMAGENET_MEAN, IMAGENET_STD

HEADS = ("relu1_2", "relu2_2", "relu3_1", "relu4_1", "relu5_1")
KEYS, PRINT = 32, 128  # channels that a head compares, numbers that it says of a crop
TEMPERATURE = 0.1
RATE, WARM_UP, DECAY = 3e-3, 0.06, 0.02  # AdamW's; WARM_UP: share of the steps
SETTLING = 12  # batches over which the batch norms' statistics are taken at the end


class Head(nn.Module):
    """Features (B, N, H, W) → (B, PRINT) of length 1: what their Gram matrix and means say."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.keys = nn.Conv2d(width, KEYS, 1)
        size = KEYS * (KEYS + 1) // 2 + width
        self.norm, self.say = nn.LayerNorm(size), nn.Linear(size, PRINT)
        self.upper = torch.triu_indices(KEYS, KEYS)

    def forward(self, F: Tensor) -> Tensor:
        edge = max(1, F.shape[2] // 5) if F.shape[2] > 4 else 0  # what the padding has touched
        F = F[:, :, edge : F.shape[2] - edge, edge : F.shape[3] - edge]
        f = self.keys(F).flatten(2)
        G = (f @ f.transpose(1, 2) / f.shape[2])[:, self.upper[0], self.upper[1]]
        G = G.sign() * (G.abs() + 1e-4).sqrt()
        return nn_f.normalize(self.say(self.norm(torch.cat((G, F.mean((2, 3))), 1))), dim=1)


class Pupil(nn.Module):
    """VGG19 down to `deepest`, with batch norms and heads that only training needs."""

    def __init__(self, deepest: str) -> None:
        super().__init__()
        self.names = LAYERS[: LAYERS.index(deepest) + 1]
        self.convolutions: dict[str, nn.Conv2d] = {}
        self.norms: dict[str, nn.BatchNorm2d] = {}
        self.heads: dict[str, Head] = {}
        width = 3
        for name in self.names:
            if name.startswith("conv"):
                wide = WIDTHS[int(name[4]) - 1]
                convolution, norm = nn.Conv2d(width, wide, 3, padding=1), nn.BatchNorm2d(wide, momentum=0.05)
                nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
                nn.init.constant_(convolution.state_dict()["bias"], 0.0)
                nn.init.constant_(norm.bias, -0.2)
                self.convolutions[name], self.norms[name], width = convolution, norm, wide
            if name in HEADS:
                self.heads[name] = Head(width)
        self.parts = nn.ModuleList([*self.convolutions.values(), *self.norms.values(), *self.heads.values()])

    def forward(self, x: Tensor, largest: bool) -> list[Tensor]:
        """What each head says of the crops; `largest`: max pooling, or else average."""
        said = []
        for name in self.names:
            if name.startswith("conv"):
                x = self.norms[name](self.convolutions[name](x))
            elif name.startswith("relu"):
                x = nn_f.relu(x)
            else:
                x = nn_f.max_pool2d(x, 2) if largest else nn_f.avg_pool2d(x, 2)
            if name in self.heads:
                said.append(self.heads[name](x))
        return said

    @torch.no_grad()
    def folded(self) -> dict[str, Tensor]:
        """torchvision's `features.N.weight|bias`, float16, each batch norm folded into its convolution."""
        tensors = {}
        for name, convolution in self.convolutions.items():
            norm, n = self.norms[name].state_dict(), LAYERS.index(name)
            weight, bias = convolution.state_dict().values()
            gain = norm["weight"] / (norm["running_var"] + self.norms[name].eps).sqrt()
            tensors[f"features.{n}.weight"] = (weight * gain[:, None, None, None]).half().cpu().contiguous()
            tensors[f"features.{n}.bias"] = ((bias - norm["running_mean"]) * gain + norm["bias"]).half().cpu()
        return tensors


def contrast(said: Tensor) -> tuple[Tensor, Tensor]:
    """NT-Xent of neighbouring pairs (B, PRINT) → its loss, and the share of crops that found their mate."""
    likeness = (said @ said.T / TEMPERATURE).fill_diagonal_(-math.inf)
    mates = torch.arange(len(said), device=said.device) ^ 1
    return nn_f.cross_entropy(likeness, mates), (likeness.argmax(1) == mates).float().mean()


def rate(step: int, steps: int) -> float:
    """The learning rate's share of RATE: a short rise, then half a cosine."""
    done = step / steps
    return min((done + 1 / steps) / WARM_UP, 1) * (
        0.5 + 0.5 * math.cos(math.pi * max(done - WARM_UP, 0) / (1 - WARM_UP))
    )


class Course:
    """One training: pool of pictures, pupil and optimizer, all from one seed."""

    def __init__(self, pool: Pool, deepest: str, steps: int, instances: int, seed: int, device: str) -> None:
        torch.manual_seed(seed)
        self.rng, self.pool, self.steps, self.instances = np.random.default_rng(seed), pool, steps, instances
        self.pupil = Pupil(deepest).to(device).to(memory_format=torch.channels_last)
        self.mean, self.std = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
        parameters = self.pupil.parameters()
        self.optimizer = torch.optim.AdamW(parameters, lr=RATE, betas=(0.9, 0.98), weight_decay=DECAY)

    def batch(self) -> Tensor:
        x = lesson(self.pool, self.instances, self.rng).to(self.mean.device)
        return ((x - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    def learn(self) -> Iterator[tuple[float, list[float]]]:
        """Step by step: the loss, and each head's share of crops that found their mate."""
        for step in range(self.steps):
            for group in self.optimizer.param_groups:
                group["lr"] = RATE * rate(step, self.steps)
            told = [contrast(said) for said in self.pupil(self.batch(), bool(self.rng.random() < 0.5))]
            loss = torch.stack([loss for loss, _ in told]).sum()
            self.optimizer.zero_grad()
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(self.pupil.parameters(), 5.0)
            self.optimizer.step()
            yield float(loss.detach()), [float(found) for _, found in told]

    def weights(self) -> dict[str, Tensor]:
        """What was learnt; the norms' statistics are measured again with average pooling, as in painting."""
        for norm in self.pupil.norms.values():
            norm.reset_running_stats()
            norm.momentum = None
        with torch.no_grad():
            for _ in range(SETTLING):
                self.pupil(self.batch(), largest=False)
        return self.pupil.folded()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m daemon.studio.train", description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=EMBEDDED_WEIGHTS, help="the file to write; default: the one that ships"
    )
    parser.add_argument("--deepest", default="relu3_1", choices=HEADS, help="train down to this layer")
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--instances", type=int, default=32, help="pictures in a batch, of four crops each")
    parser.add_argument("--textures", type=int, default=2400, help="how many to draw")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1, help="another number gives other last bits")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True)
    begun, rng, told = time.perf_counter(), np.random.default_rng(options.seed), [0.0]
    said = TextColumn("{task.fields[said]}")
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), said
    ) as bar:
        drawing = bar.add_task("drawing", total=options.textures, said="")
        pictures = []
        for _ in range(options.textures):
            pictures.append(drawn(rng))
            bar.advance(drawing)
        pool = np.concatenate((np.stack(pictures), photographed(rng)))
        course = Course(pool, options.deepest, options.steps, options.instances, options.seed, options.device)
        training = bar.add_task("training", total=options.steps, said="")
        for loss, found in course.learn():
            told = found if len(told) != len(found) else [0.97 * a + 0.03 * b for a, b in zip(told, found, strict=True)]
            shares = " ".join(f"{share:.2f}" for share in told)
            bar.update(training, advance=1, said=f"loss {loss:.2f}, mates found {shares}")
    data = save(course.weights(), {"trained": f"seed {options.seed}, {options.steps} steps"})  # two keys have no order
    options.out.write_bytes(data)
    bar.console.print(f"{options.out}: {len(data):,} bytes after {time.perf_counter() - begun:.0f} s")
    bar.console.print(f"SHA-256 {hashlib.sha256(data).hexdigest()}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
