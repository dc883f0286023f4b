"""Peak memory and time of one evaluation against megapixels, whole and in tiles.

`python -m tests.benchmarks.memory [--json] [--megapixels 0.25 1 4 16] [--whole 1]`. Each measurement has a process of
its own, because a process's peak never falls. `--whole`: the largest picture, in megapixels, to compute untiled.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from daemon.transfer import PRESETS, Stylizer, tiles
from daemon.transfer.objective import Objective
from daemon.transfer.vgg import VGG
from daemon.transfer.weights import load


def once(preset: str, megapixels: float, side: int | None, keep: bool, device: str) -> dict[str, Any]:
    """One evaluation in this process."""
    how = PRESETS[preset]
    where = torch.device(Stylizer(device=device, weights="embedded").device)
    vgg = VGG(load("embedded")[1], where)
    width = round((megapixels * 1e6 * 1.5) ** 0.5)
    height = round(megapixels * 1e6 / width)
    random = np.random.default_rng(0)
    c = torch.from_numpy(random.random((1, 3, height, width), np.float32)).to(where)
    with torch.no_grad():
        A = tiles.statistics(vgg, torch.rand(1, 3, 256, 256, device=where), how, None)
        evaluate = Objective(vgg, how, c, A, side, keep)
        start = time.perf_counter()
        _, gradient = evaluate(torch.rand_like(c))
    assert gradient.isfinite().all()
    seconds = time.perf_counter() - start
    peak = torch.cuda.max_memory_allocated(where) if where.type == "cuda" else resident()
    return {
        "megapixels": height * width / 1e6,
        "tile": side,
        "content_kept": keep,
        "peak_gigabytes": peak / 1e9,
        "seconds": seconds,
        "microseconds_per_pixel": seconds / (height * width) * 1e6,
    }


def resident() -> int:
    """Bytes of main memory that this process had at most."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def run(given: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    for megapixels in given.megapixels:
        ways = [(given.tile, True), (given.tile, False)]
        for side, keep in ([(None, True)] if megapixels <= given.whole else []) + ways:
            task = json.dumps([given.preset, megapixels, side, keep, given.device])
            command = [sys.executable, "-m", "tests.benchmarks.memory", "--task", task]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            rows.append(json.loads(done.stdout))
            if not given.json:
                print_row(rows[-1])
    return rows


def print_row(row: dict[str, Any]) -> None:
    how = "whole" if row["tile"] is None else f"tiles of {row['tile']} px"
    kept = "content kept" if row["content_kept"] else "content anew"
    print(
        f"{row['megapixels']:7.2f} MP  {how:16} {kept}  {row['peak_gigabytes']:6.2f} GB  "
        f"{row['microseconds_per_pixel']:6.2f} µs per pixel",
        flush=True,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.memory", description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--megapixels", type=float, nargs="+", default=[0.25, 1.0, 4.0, 16.0])
    parser.add_argument("--whole", type=float, default=1.0)
    parser.add_argument("--tile", type=int, default=512)
    parser.add_argument("--preset", default="fine")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.task:
        print(json.dumps(once(*json.loads(given.task))))
        return
    rows = run(given)
    if given.json:
        print(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
