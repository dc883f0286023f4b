"""Peak memory and time of one evaluation against megapixels, whole and in tiles.

`python -m tests.benchmarks.memory [--json] [--megapixels 0.25 1 4 16] [--whole 1]`. Each measurement has a process of
its own, because a process's peak never falls. `--whole`: the largest picture, in megapixels, to compute untiled.
`--paint`: instead, paint pictures of those megapixels beside a style as large, in a few evaluations and as the free
memory allows, which a control group may limit: `systemd-run --scope -p MemoryMax=8G …`.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from daemon.transfer import PRESETS, Step, Stylizer
from daemon.transfer.network.vgg import VGG
from daemon.transfer.network.weights import load
from daemon.transfer.objective import Objective
from daemon.transfer.pyramid import level_weights
from daemon.transfer.targets import by_level

FEW = ((0.5, 1), (1.0, 2))  # scales and evaluations of a picture that is painted for its memory's sake


def once(preset: str, megapixels: float, side: int | None, keep: bool, device: str) -> dict[str, Any]:
    """One evaluation in this process."""
    how = PRESETS[preset]
    where = torch.device(Stylizer(device=device, weights="embedded").device)
    vgg = VGG(load("embedded")[1], where)
    c = torch.from_numpy(noise(megapixels, 0)).permute(2, 0, 1)[None].to(where)
    height, width = c.shape[2:]
    with torch.no_grad():
        levels = len(level_weights(how, (height, width)))
        A = by_level(vgg, torch.rand(1, 3, 256, 256, device=where), how, levels)
        evaluate = Objective(vgg, how, c, A, side, keep)
        start = time.perf_counter()
        _, gradient = evaluate(torch.rand_like(c))
    assert gradient.isfinite().all()
    seconds = time.perf_counter() - start
    return {
        "megapixels": height * width / 1e6,
        "tile": side,
        "content_kept": keep,
        "peak_gigabytes": peak(where) / 1e9,
        "seconds": seconds,
        "microseconds_per_pixel": seconds / (height * width) * 1e6,
    }


def painted(preset: str, megapixels: float, device: str) -> dict[str, Any]:
    """A picture in this process, whole path and all; how long it is painted for changes nothing of what is held."""
    stylizer = Stylizer(device=device, weights="embedded")
    content, style = noise(megapixels, 0), noise(megapixels, 1)
    how, steps, start = replace(PRESETS[preset], scales=FEW), list[Step](), time.perf_counter()
    painting = stylizer.paint(content, style, how, steps.append)
    assert painting.shape == content.shape
    assert np.isfinite(painting.sum(dtype=np.float64))
    last = steps[-1].stretches[-1]
    return {
        "megapixels": content.size / 3e6,
        "tile": last.side,
        "content_kept": last.keep,
        "pairs": last.history,
        "evaluations": steps[-1].step,
        "losses": [step.loss for step in steps if step.scale == step.scales],
        "peak_gigabytes": peak(torch.device(stylizer.device)) / 1e9,
        "seconds": time.perf_counter() - start,
    }


def noise(megapixels: float, seed: int) -> NDArray[np.float32]:
    """A picture (H, W, 3) of 3 : 2."""
    width = round((megapixels * 1e6 * 1.5) ** 0.5)
    return np.random.default_rng(seed).random((round(megapixels * 1e6 / width), width, 3), np.float32)


def peak(device: torch.device) -> int:
    """Bytes of the device's memory that this process had at most; of a CPU's, all that it is resident with."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def run(given: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    for megapixels in given.megapixels:
        ways = [(None, True)] if megapixels <= given.whole else []
        ways += [(given.tile, True), (given.tile, False)]
        tasks = [[given.preset, megapixels, side, keep, given.device] for side, keep in ways]
        for task in [[given.preset, megapixels, given.device]] if given.paint else tasks:
            command = [sys.executable, "-m", "tests.benchmarks.memory", "--task", json.dumps(task)]
            done = subprocess.run([*command, *(["--paint"] if given.paint else [])], stdout=subprocess.PIPE, check=True)
            rows.append(json.loads(done.stdout))
            if not given.json:
                print_row(rows[-1])
    return rows


def print_row(row: dict[str, Any]) -> None:
    how = "whole" if row["tile"] is None else f"tiles of {row['tile']} px"
    kept = "content kept" if row["content_kept"] else "content computed again"
    took = (
        f"{row['microseconds_per_pixel']:6.2f} µs per pixel"
        if "pairs" not in row
        else (f"{row['pairs']} pairs, {row['evaluations']} evaluations in {row['seconds']:.0f} s")
    )
    print(f"{row['megapixels']:7.2f} MP  {how:16} {kept}  {row['peak_gigabytes']:6.2f} GB  {took}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.memory", description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--megapixels", type=float, nargs="+", default=[0.25, 1.0, 4.0, 16.0])
    parser.add_argument("--whole", type=float, default=1.0)
    parser.add_argument("--tile", type=int, default=512)
    parser.add_argument("--preset", default="fine")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--paint", action="store_true", help="paint them")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.task:
        print(json.dumps((painted if given.paint else once)(*json.loads(given.task))))
        return
    rows = run(given)
    if given.json:
        print(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
