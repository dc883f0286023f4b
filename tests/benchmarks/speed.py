"""How much faster: the loop that `preset: tutorial` comes from, and ours, on the same pictures and weights.

`python -m tests.benchmarks.speed [--json] [--size 256] [--device cpu] [--pair CONTENT STYLE …]` runs for each pair,
alternately and in one process: `literal`, the seed's loop as it is written; `lean`, as today's tutorial has it; and
`preset: tutorial`. What looks at a loss that the loop itself has no need of is not timed.
"""

import argparse
import json
import math
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from daemon.transfer import Stylizer
from daemon.transfer.network.weights import load
from daemon.transfer.recipe import recipe
from daemon.transfer.steps import Step
from tests.benchmarks import machine, seed
from tests.benchmarks.seed import Picture, picture, tensor

ASSETS = Path(seed.__file__).parents[2] / "daemon" / "assets"
PAIRS = tuple(
    (ASSETS / "contents" / f"{content}.jpg", ASSETS / "styles" / f"{style}.jpg")
    for content, style in (
        ("landscape", "starry"),
        ("face", "ink"),
        ("street", "mosaic"),
        ("stilllife", "waves"),
        ("landscape", "woodcut"),
        ("face", "glass"),
    )
)
NEAR = 1.01  # of the seed's best loss: what counts as having reached it
EVALUATIONS = 300
LEAST = 32  # px, what all five of the seed's poolings take
Scales = tuple[tuple[float, int], ...]


def measured(stylizer: Stylizer, features: nn.Sequential, c: Picture, s: Picture, count: int) -> dict[str, Any]:
    """One pair: seconds of each loop, and until each is within 1 % of the lowest loss that the seed's loop saw."""
    device = torch.device(stylizer.device)
    content, style = tensor(c).to(device), tensor(s).to(device)
    how = recipe("tutorial")
    stylizer.paint(c, s[::-1], replace(how, scales=((1.0, 2),)))  # every loop with its kernels chosen beforehand
    for loop in (seed.literal, seed.lean):
        loop(features, content, style, 1)
    literal, lean = (loop(features, content, style, count) for loop in (seed.literal, seed.lean))
    best = min(filter(math.isfinite, literal.losses))
    goal = best * NEAR
    # The same loop in exact arithmetic; rounded otherwise, it may end elsewhere, and then all of its time counts.
    close = (t for t, loss in zip(lean.seconds, lean.losses, strict=True) if loss <= goal)
    reached: list[tuple[float, int]] = []
    start = time.perf_counter()

    def look(step: Step) -> None:  # the loss is that of the best picture, in [0, 1]
        if step.scale == step.scales and step.loss <= goal and not reached:
            reached.append((time.perf_counter() - start, step.step))

    painting = stylizer.paint(c, s, replace(how, scales=shortened(how.scales, count)), look)
    seconds = time.perf_counter() - start
    final = seed.loss_of(features, content, style, tensor(painting).to(device))
    return {
        "literal_seconds": literal.seconds[-1],
        "lean_seconds": lean.seconds[-1],
        "seed_best": best,
        "lean_best": min(filter(math.isfinite, lean.losses)),
        "lean_seconds_to_1pct": next(close, lean.seconds[-1]),
        "ours_seconds_to_1pct": reached[0][0] if reached else None,
        "ours_evaluations_to_1pct": reached[0][1] if reached else None,
        "ours_seconds": seconds,
        "ours_final": final,
        "ours_final_ratio": final / best,
    }


def shortened(scales: Scales, count: int) -> Scales:
    """The preset's own scales, or for a trial their share of so few evaluations."""
    return tuple((fraction, max(1, evaluations * count // EVALUATIONS)) for fraction, evaluations in scales)


def ratio(pairs: Sequence[Mapping[str, Any]], theirs: str) -> float:
    """The median of their seconds over ours to within 1 %; a pair that never gets there counts as 0."""
    return statistics.median(
        pair[theirs] / pair["ours_seconds_to_1pct"] if pair["ours_seconds_to_1pct"] else 0.0 for pair in pairs
    )


def run(given: argparse.Namespace) -> dict[str, Any]:
    stylizer = Stylizer(device=given.device, weights=given.weights, threads=given.threads)
    features = seed.network(load(given.weights)[1]).to(stylizer.device)
    pairs = []
    for content_path, style_path in given.pair or PAIRS:
        height, width = picture(Path(content_path), given.size).shape[:2]
        shape = (max(width, LEAST), max(height, LEAST))  # the seed wants both alike
        content, style = (picture(Path(path), given.size, shape) for path in (content_path, style_path))
        found = measured(stylizer, features, content, style, given.evaluations)
        pairs.append({"content": Path(content_path).name, "style": Path(style_path).name} | found)
        if not given.json:
            print_pair(pairs[-1])
    return {
        "size": given.size,
        "evaluations": given.evaluations,
        "machine": machine.described(stylizer),
        "pairs": pairs,
        "median_run_ratio": ratio(pairs, "literal_seconds"),
        "median_lean_run_ratio": ratio(pairs, "lean_seconds"),
        "median_reach_ratio": ratio(pairs, "lean_seconds_to_1pct"),
    }


def print_pair(pair: Mapping[str, Any]) -> None:
    reached = pair["ours_seconds_to_1pct"]
    print(
        f"{pair['content']:>16} + {pair['style']:<14} literal {pair['literal_seconds']:7.1f} s  "
        f"lean {pair['lean_seconds']:6.1f} s, to 1 % {pair['lean_seconds_to_1pct']:6.1f} s  "
        f"ours {pair['ours_seconds']:6.1f} s, to 1 % {f'{reached:6.1f} s' if reached else 'never'}  "
        f"loss {pair['ours_final_ratio']:.3f} of its best",
        flush=True,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = machine.asked("speed", __doc__, 256)
    parser.add_argument("--evaluations", type=int, default=EVALUATIONS, help="of the seed's loop")
    given = parser.parse_args(arguments)
    result = run(given)
    if given.json:
        print(json.dumps(result, indent=2))
        return
    for name in ("median_run_ratio", "median_lean_run_ratio", "median_reach_ratio"):
        print(f"{name:22} {result[name]:6.1f}")
    print(machine.caption(result["machine"]))


if __name__ == "__main__":
    main()
