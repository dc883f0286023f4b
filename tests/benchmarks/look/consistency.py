"""One look across sizes: what painting adds to a photo, octave by octave in cycles per picture, at two sizes."""

import argparse
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from daemon.transfer import Stylizer, targets
from daemon.transfer.recipe import recipe
from tests.benchmarks import machine
from tests.benchmarks.look import metrics
from tests.benchmarks.look.columns import pair_paths
from tests.benchmarks.look.sheets import sheet
from tests.benchmarks.seed import Picture, picture, tensor

WITHIN = 1.15  # of the amplitude, either way, beyond what two seeds differ by


def run(given: argparse.Namespace) -> dict[str, Any]:
    stylizer = Stylizer(device=given.device, weights=given.weights, threads=given.threads)
    how = recipe(given.preset)
    pairs: list[dict[str, Any]] = []
    for paths in pair_paths(given.pair):
        shown, spectra = [], []
        for size, seed in ((given.consistency[0], 0), (given.consistency[0], 1), (given.consistency[1], 0)):
            content, style = picture(paths[0], size), picture(paths[1], how.style_side(size))
            painting = stylizer.paint(dithered(content, seed), style, how)
            spectra.append(metrics.octaves(tensor(painting) - tensor(content)))
            shown.append((f"{size} px, seed {seed}", painting))
        names = {"content": paths[0].stem, "style": paths[1].stem}
        pairs.append(names | {"octaves": compared(*spectra)})
        if given.sheets:
            shape = shown[0][1].shape[:2]
            shown = [(label, at_size(painting, shape)) for label, painting in shown]
            sheet(shown, given.sheets / f"consistency-{paths[0].stem}-{paths[1].stem}.png")
        if not given.json:
            print_pair(pairs[-1])
    ratios = [octave for pair in pairs for octave in pair["octaves"]]
    return {
        "sizes": given.consistency,
        "preset": given.preset,
        "machine": machine.described(stylizer),
        "pairs": pairs,
        "octaves_within": sum(octave["within"] for octave in ratios),
        "octaves": len(ratios),
    }


def at_size(painting: Picture, shape: Sequence[int]) -> Picture:
    """As large on the sheet as the small ones: whether the strokes are in proportion is seen side by side."""
    return targets.at_size(tensor(painting), shape)[0].permute(1, 2, 0).numpy()


def dithered(content: Picture, seed: int) -> Picture:
    """What no eye sees and no file keeps: half a step of 8 bits. A start from the content has no other seed."""
    noise = np.random.default_rng(seed).uniform(-0.5, 0.5, content.shape) / 255
    return np.clip(content + noise, 0, 1).astype(np.float32)


def compared(
    small: Mapping[int, float], another: Mapping[int, float], large: Mapping[int, float]
) -> list[dict[str, Any]]:
    """Per octave that both sizes have: amplitude at the large size over that at the small, and over seeds."""
    found = []
    for n in small:
        ratio, seeds = large[n] / small[n], another[n] / small[n]
        within = abs(math.log(ratio)) <= math.log(WITHIN) + abs(math.log(seeds))
        found.append({"cycles": 2**n, "ratio": ratio, "ratio_of_seeds": seeds, "within": within})
    return found


def print_pair(pair: Mapping[str, Any]) -> None:
    print(f"{pair['content']} + {pair['style']}")
    for octave in pair["octaves"]:
        print(
            f"  {octave['cycles']:5} to {2 * octave['cycles']:5} cycles per picture: large over small "
            f"{octave['ratio']:.3f}, two seeds {octave['ratio_of_seeds']:.3f}{'' if octave['within'] else '  beyond'}",
            flush=True,
        )


def print_rest(result: Mapping[str, Any]) -> None:
    print(f"{result['octaves_within']} of {result['octaves']} octaves within {WITHIN - 1:.0%}")
    print(machine.caption(result["machine"]))
