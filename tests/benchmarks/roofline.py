"""How near an evaluation comes to the machine's own rate: `python -m tests.benchmarks.roofline [--json]`.

The rate is that of a single 64 → 64 convolution of 3 × 3 at 256², forward and backward, channels_last, in bfloat16
where the processor has it and float32 elsewhere, the best of 25.
"""

import argparse
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as nn_f

from daemon.transfer import Stylizer
from daemon.transfer.network.layers import LAYERS, VGG19
from daemon.transfer.network.vgg import VGG
from daemon.transfer.network.weights import load
from daemon.transfer.objective import Objective
from daemon.transfer.pyramid import level_weights
from daemon.transfer.recipe import Recipe, deepest_layer, recipe
from daemon.transfer.targets import by_level
from tests.benchmarks import machine

RATE_SIDE, RATE_RUNS = 256, 25


def flops(how: Recipe, height: int, width: int) -> float:
    """Of one evaluation: convolutions and Gram matrices, forward and backward by the picture, not the weights."""
    total, before = 0.0, 3
    for name in LAYERS[: LAYERS.index(deepest_layer(how)) + 1]:
        pixels, channels = height * width / VGG19[name].stride ** 2, VGG19[name].maps
        if name.startswith("conv"):
            total += 2 * 2 * 9 * before * channels * pixels
            before = channels
        if name in dict(how.style_layers):
            total += 2 * 2 * channels**2 * pixels
    return total


def least_bytes(how: Recipe, height: int, width: int, size: int) -> float:
    """That must move: each layer's features written and read once forward, and their gradients backward."""
    total = 0.0
    for name in LAYERS[: LAYERS.index(deepest_layer(how)) + 1]:
        if not name.startswith("relu"):  # which costs nothing where it is done with the convolution
            total += 4 * size * VGG19[name].maps * height * width / VGG19[name].stride ** 2
    return total


def rate(device: torch.device, side: int, runs: int) -> float:
    """FLOP/s of the single convolution."""
    dtype = machine.fastest_type(device)
    x = torch.randn(1, 64, side, side, device=device, dtype=dtype).contiguous(memory_format=torch.channels_last)
    w = torch.randn(64, 64, 3, 3, device=device, dtype=dtype).contiguous(memory_format=torch.channels_last)
    x.requires_grad_(True)
    g = torch.randn_like(x)

    def once() -> None:
        torch.autograd.grad(nn_f.conv2d(x, w, padding=1), x, g)

    return 2 * 2 * 9 * 64 * 64 * side**2 / machine.best_seconds(once, runs, device)


def run(stylizer: Stylizer, preset: str, size: int, working: torch.dtype, runs: int) -> dict[str, Any]:
    """One evaluation of a square picture; its FLOP/s as a fraction of the single convolution's, in the same run."""
    device, how, random = torch.device(stylizer.device), recipe(preset), np.random.default_rng(0)
    content, style = (random.random((size, size, 3), np.float32) for _ in range(2))
    vgg, x = VGG(load("embedded")[1], device), torch.rand(1, 3, size, size, device=device)
    with torch.no_grad():
        c, s = (torch.from_numpy(picture.transpose(2, 0, 1))[None].to(device) for picture in (content, style))
        used = vgg.half if working == torch.bfloat16 else vgg
        evaluate = Objective(used, how, c, by_level(vgg, s, how, len(level_weights(how, c.shape[2:]))))
    rate_side = min(RATE_SIDE, size)
    before = rate(device, rate_side, runs)
    seconds = machine.best_seconds(lambda: evaluate(x), max(3, runs // 3), device)
    fastest = max(before, rate(device, rate_side, runs))
    return {
        "preset": preset,
        "size": size,
        "machine": machine.described(stylizer),
        "flop_per_evaluation": flops(how, size, size),
        "type": str(working).removeprefix("torch."),
        "bytes_per_evaluation": least_bytes(how, size, size, working.itemsize),
        "seconds_per_evaluation": seconds,
        "flop_per_second": flops(how, size, size) / seconds,
        "convolution_flop_per_second": fastest,
        "convolution_type": str(machine.fastest_type(device)).removeprefix("torch."),
        "fraction": flops(how, size, size) / seconds / fastest,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.roofline", description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--preset", default="tutorial")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--type", choices=["float32", "bfloat16"], default="float32", help="of the features")
    parser.add_argument("--runs", type=int, default=RATE_RUNS)
    given = parser.parse_args(arguments)
    stylizer = Stylizer(device=given.device, weights="embedded", threads=given.threads)
    result = run(stylizer, given.preset, given.size, getattr(torch, given.type), given.runs)
    if given.json:
        print(json.dumps(result, indent=2))
        return
    print(
        f"{result['flop_per_evaluation'] / 1e9:.1f} GFLOP and {result['bytes_per_evaluation'] / 1e9:.2f} GB in "
        f"{result['seconds_per_evaluation']:.3f} s: {result['flop_per_second'] / 1e9:.0f} GFLOP/s, "
        f"{result['fraction']:.2f} of a convolution's {result['convolution_flop_per_second'] / 1e9:.0f} "
        f"({result['convolution_type']})"
    )
    print(machine.caption(result["machine"]))


if __name__ == "__main__":
    main()
