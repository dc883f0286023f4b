"""These weights against calibrated random ones of the same depth, at the same content kept.

One draw of random weights may be a quarter nearer to a style than the next: there are several, and each is shown.
"""

import argparse
import math
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as nn_f
from safetensors.torch import save_file
from torch import Tensor

from daemon.transfer import Stylizer
from daemon.transfer.network.layers import LAYERS
from daemon.transfer.network.vgg import IMAGENET_MEAN, IMAGENET_STD
from daemon.transfer.network.weights import load
from daemon.transfer.recipe import recipe
from tests.benchmarks import machine
from tests.benchmarks.look import metrics
from tests.benchmarks.look.balance import matched
from tests.benchmarks.look.columns import pair_paths
from tests.benchmarks.look.network import Weights
from tests.benchmarks.look.sheets import sheet
from tests.benchmarks.seed import Picture, picture, tensor
from tests.benchmarks.speed import ASSETS

NEAR = 0.003  # of gradient correlation: the same content
CALIBRATED_ON = 192  # px, the shipped pictures


def run(given: argparse.Namespace) -> dict[str, Any]:
    stylizer = Stylizer(device=given.device, weights=given.weights, threads=given.threads)
    pairs = []
    with tempfile.TemporaryDirectory() as folder:
        draws = []
        for seed in range(given.draws):
            path = Path(folder) / f"random-{seed}.safetensors"
            save_file(random_weights(load(given.weights)[1], seed), path)
            draws.append(Stylizer(device=given.device, weights=path, threads=given.threads))
        for content_path, style_path in pair_paths(given.pair):
            c, s = (picture(path, given.size) for path in (content_path, style_path))
            ours = stylizer.paint(c, s, recipe(given.preset))
            paintings = [like(ours, random, c, s, given.preset) for random in draws]
            row = metrics.all_of(tensor(ours), tensor(c), tensor(s))
            rows = [metrics.all_of(tensor(p), tensor(c), tensor(s)) | {"style_weight": w} for w, p in paintings]
            names = {"content": content_path.stem, "style": style_path.stem}
            pairs.append(names | {"ours": row, "random": rows} | judged(row, rows))
            if given.sheets:
                shown = [("content", c), ("style", s), (stylizer.weights.kind, ours)]
                shown += [(f"calibrated random, draw {seed}", p) for seed, (_, p) in enumerate(paintings)]
                sheet(shown, given.sheets / f"random-{content_path.stem}-{style_path.stem}.png")
            if not given.json:
                print_pair(pairs[-1])
    return {
        "size": given.size,
        "preset": given.preset,
        "machine": machine.described(stylizer),
        "weights_sha256": stylizer.weights.sha256,
        "pairs": pairs,
        "won": sum(pair["won"] for pair in pairs),
        "of": len(pairs),
        "draws_won": sum(pair["draws_won"] for pair in pairs),
        "of_draws": len(pairs) * given.draws,
    }


def like(ours: Picture, random: Stylizer, c: Picture, s: Picture, preset: str) -> tuple[float, Picture]:
    """What these random weights paint that keeps as much of the content as ours, and at which style weight."""

    def kept(painting: Picture) -> float:
        return metrics.gradient_correlation(tensor(painting), tensor(c))

    def paint(style_weight: float) -> Picture:
        return random.paint(c, s, recipe(preset, style_weight=style_weight))

    return matched(paint, kept, kept(ours), NEAR)


def judged(ours: Mapping[str, float], draws: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """How many of the draws ours beats; and whether it beats what is usual among them: luck is no merit of theirs."""
    usual = {name: statistics.median(draw[name] for draw in draws) for name in ("style_distance", "coherence")}
    return {"won": better(ours, usual), "draws_won": sum(better(ours, draw) for draw in draws)}


def better(ours: Mapping[str, float], random: Mapping[str, float]) -> bool:
    """Nearer to the style, and the strokes' coherence nearer to the style's own, which is 1: more is none of it."""
    nearer = abs(ours["coherence"] - 1) < abs(random["coherence"] - 1)
    return ours["style_distance"] < random["style_distance"] and nearer


@torch.no_grad()
def random_weights(like: Weights, seed: int = 0) -> dict[str, Tensor]:
    """He et al. 2015, then, channel by channel: centred, and scaled to a mean activation of 1 on what ships."""
    generator = torch.Generator().manual_seed(seed)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    paths = sorted((ASSETS / "contents").glob("*.jpg")) + sorted((ASSETS / "styles").glob("*.jpg"))
    xs = [(tensor(picture(path, CALIBRATED_ON)) - mean) / std for path in paths]
    found: dict[str, Tensor] = {}
    for n, name in enumerate(LAYERS):
        if name.startswith("relu"):
            xs = [nn_f.relu(x) for x in xs]
        elif name.startswith("pool"):
            xs = [nn_f.avg_pool2d(x, 2) for x in xs]
        elif f"features.{n}.weight" not in like:
            break
        else:
            shape = like[f"features.{n}.weight"].shape
            weight = torch.randn(shape, generator=generator) * math.sqrt(2 / math.prod(shape[1:]))
            xs = [nn_f.conv2d(x, weight, padding=1) for x in xs]
            pixels = torch.cat([x.flatten(2)[0] for x in xs], 1)
            centre = pixels.mean(1)
            scale = (pixels - centre[:, None]).relu().mean(1)
            xs = [(x - centre.view(1, -1, 1, 1)) / scale.view(1, -1, 1, 1) for x in xs]
            found |= {f"features.{n}.weight": weight / scale.view(-1, 1, 1, 1), f"features.{n}.bias": -centre / scale}
    return found


def print_pair(pair: Mapping[str, Any]) -> None:
    outcome = "won" if pair["won"] else "not won"
    print(f"{pair['content']} + {pair['style']}: {outcome}; {pair['draws_won']} of {len(pair['random'])} draws")
    rows = {"ours": pair["ours"]} | {f"draw {seed}": row for seed, row in enumerate(pair["random"])}
    for name, row in rows.items():
        weight = f", style weight {row['style_weight']:.3g}" if "style_weight" in row else ""
        print(
            f"  {name:8} style distance {row['style_distance']:.3f}  coherence {row['coherence']:.3f}  "
            f"gradient correlation {row['gradient_correlation']:.3f}{weight}",
            flush=True,
        )


def print_rest(result: Mapping[str, Any]) -> None:
    print(
        f"these weights win {result['won']} of {result['of']} in style distance and coherence, "
        f"and {result['draws_won']} of {result['of_draws']} single draws"
    )
    print(machine.caption(result["machine"]))
