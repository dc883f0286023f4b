"""neural-style-pt's loss, by its own loop and by ours: `python -m tests.benchmarks.race [--json] [--size 512]`.

Its layers, weights, total variation and start, 500 evaluations of torch's L-BFGS; against them our network and our
L-BFGS on the same loss, until it is as low. The deep layers that the weights lack are He-random, seed 0, for both.
Its loop does not keep to [0, 1] and what it saves does, so both losses are a goal. Looking at a loss is not timed.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from daemon.transfer import Stylizer, losses
from daemon.transfer.memory import trim_memory
from daemon.transfer.network.vgg import VGG
from daemon.transfer.network.weights import load
from daemon.transfer.objective import add_product
from daemon.transfer.optimizers.lbfgs import LBFGS, Evaluate
from daemon.transfer.spectrum_start import start_from_style_spectrum
from tests.benchmarks import machine, seed
from tests.benchmarks.look import peers
from tests.benchmarks.seed import picture, tensor
from tests.benchmarks.speed import PAIRS

EVALUATIONS, HISTORY = 500, 50


def ours(vgg: VGG, content: Tensor, style: Tensor) -> Evaluate:
    """Its loss and gradient as our network computes them: peers.neural_style_loss, in the paper's letters."""
    styles, contents, k = peers.PEERS_STYLE, peers.PEERS_CONTENT, peers.LARGE

    def gram(F: Tensor) -> Tensor:
        return losses.products(F) * (k**2 / F.shape[1])

    A = {name: gram(F) for name, F in vgg.features(style, styles, "max").items()}
    P = vgg.features(content, contents, "max")

    def evaluate(x: Tensor) -> tuple[Tensor, Tensor]:
        F, back = vgg.forward(x, (*styles, *contents), "max")
        down, right = x.diff(dim=2), x.diff(dim=3)
        L = 255e-3 * (down.abs().sum() + right.abs().sum())
        dG = {}
        for name in styles:
            off = gram(F[name]) - A[name]
            L = L + 100 * off.square().mean()
            dG[name] = off * (200 / off.numel() * 2 * k**2 / F[name].numel())
        for name in contents:
            L = L + 5 * k**2 * (F[name] - P[name]).square().mean()

        def add(name: str, g: Tensor | None) -> Tensor | None:
            if name not in F:
                return g
            whole = F.pop(name)
            g = torch.zeros_like(whole) if g is None else g
            if name in dG:
                add_product(g, whole, dG[name], None)
            if name in P:
                g.add_(whole - P[name], alpha=10 * k**2 / whole.numel())
            return g

        gradient = back(add)
        for dim, sign in ((2, down.sign_()), (3, right.sign_())):
            length = x.shape[dim] - 1
            gradient.narrow(dim, 1, length).add_(sign, alpha=255e-3)
            gradient.narrow(dim, 0, length).sub_(sign, alpha=255e-3)
        return L, gradient

    return evaluate


def raced(device: torch.device, content: Tensor, style: Tensor, weights: str, count: int) -> dict[str, Any]:
    """One pair."""
    state = seed.network(load(weights)[1]).state_dict()
    tensors = {f"features.{name}": value.to(device) for name, value in state.items()}
    theirs: list[float] = []
    start = time.perf_counter()
    saved = peers.neural_style_pt(tensors, content, style, count / 1000, theirs.append)
    seconds = time.perf_counter() - start
    with torch.no_grad():
        loss = peers.neural_style_loss(tensors, content, style)
        goals = {"as_saved": float(loss(saved)), "at_the_end": theirs[-1]}
        del loss
        trim_memory(device)
        vgg = VGG(tensors, device)
        start = time.perf_counter()
        optimizer = LBFGS(ours(vgg, content, style), start_from_style_spectrum(content, [(style, 1.0)]), HISTORY)
        reached: dict[str, tuple[float, int]] = {}
        for done in range(1, count + 1):
            best = float(optimizer.best_loss)
            for name, goal in goals.items():
                if best <= goal and name not in reached:
                    reached[name] = (time.perf_counter() - start, done)
            if len(reached) == len(goals):
                break
            optimizer.step()
        check = float(peers.neural_style_loss(tensors, content, style)(optimizer.best))
    found: dict[str, Any] = {"theirs_seconds": seconds, "theirs_evaluations": len(theirs), "ours_loss": check}
    for name, goal in goals.items():
        found[f"theirs_{name}"] = goal
        found[f"ours_seconds_{name}"], found[f"ours_evaluations_{name}"] = reached.get(name, (None, None))
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = machine.asked("race", __doc__, 512)
    parser.add_argument("--evaluations", type=int, default=EVALUATIONS)
    given = parser.parse_args(arguments)
    stylizer = Stylizer(device=given.device, weights=given.weights, threads=given.threads)
    device = torch.device(stylizer.device)
    pairs = []
    for paths in given.pair or PAIRS[:1]:
        content, style = (tensor(picture(Path(path), given.size)).to(device) for path in paths)
        names = {"content": Path(paths[0]).name, "style": Path(paths[1]).name}
        pairs.append(names | raced(device, content, style, given.weights, given.evaluations))
        if not given.json:
            print(told(pairs[-1]), flush=True)
    result = {"size": given.size, "machine": machine.described(stylizer), "pairs": pairs}
    print(json.dumps(result, indent=2) if given.json else machine.caption(machine.described(stylizer)))


def told(pair: dict[str, Any]) -> str:
    """A pair in one line."""
    line = f"{pair['content']:>16} + {pair['style']:<14} theirs {pair['theirs_seconds']:7.1f} s"
    for name in ("as_saved", "at_the_end"):
        seconds = pair[f"ours_seconds_{name}"]
        share = f"{seconds:6.1f} s, {seconds / pair['theirs_seconds']:.2f}" if seconds else "  never"
        line += f"; its loss {name.replace('_', ' ')}, {pair[f'theirs_{name}']:.4g}: ours {share}"
    return line


if __name__ == "__main__":
    main()
