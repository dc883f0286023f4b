"""The same pairs by the seed's loop, by two other programs' settings and by ours, with the same weights, side by side.

The sheets are for the eye; the figures are a guard.
"""

import argparse
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from daemon.transfer import Stylizer
from daemon.transfer.network.weights import load
from daemon.transfer.recipe import recipe
from tests.benchmarks import machine
from tests.benchmarks.look import metrics, peers
from tests.benchmarks.look.judge import Judge
from tests.benchmarks.look.network import Quick, Weights
from tests.benchmarks.look.sheets import sheet
from tests.benchmarks.seed import Picture, picture, tensor
from tests.benchmarks.speed import ASSETS, PAIRS

PEERS: Mapping[str, Callable[[Weights, Tensor, Tensor, float], Tensor]] = {
    "seed": peers.seeds_loop,
    "neural-style-pt": peers.neural_style_pt,
    "style-transfer-pytorch": peers.style_transfer_pytorch,
}
OURS = "ours"
SHOWN = ("tone", "specks", "border_tone", "border_contrast", "smooth", "content")
Row = dict[str, Any]
Painted = tuple[Picture, Row]


def run(given: argparse.Namespace) -> dict[str, Any]:
    stylizer = Stylizer(device=given.device, weights=given.weights, threads=given.threads)
    weights = Quick({name: tensor.to(stylizer.device) for name, tensor in load(given.weights)[1].items()})
    judge = Judge(given.judge) if given.judge else None
    pairs = []
    for content_path, style_path in pair_paths(given.pair):
        content, style = (picture(path, given.size) for path in (content_path, style_path))
        how = recipe(given.preset, style_weight=given.style_weight)
        ours = partial(stylizer.paint, content, picture(style_path, how.style_side(given.size)), how)
        shown, rows = [("content", content), ("style", style)], {}
        for column in (name for name in (*PEERS, OURS) if name in given.columns):
            painting, rows[column] = painted(column, ours, stylizer, weights, content, style, given)
            rows[column] |= figures(painting, content, style, judge)
            shown.append((f"{column}  {label(rows[column])}", painting))
        pairs.append({"content": content_path.stem, "style": style_path.stem, "columns": rows})
        if given.sheets:
            sheet(shown, given.sheets / f"{content_path.stem}-{style_path.stem}.png")
        if not given.json:
            print_pair(pairs[-1])
    return {
        "size": given.size,
        "share_of_evaluations": given.share,
        "preset": given.preset,
        "style_weight": given.style_weight,
        "machine": machine.described(stylizer),
        "weights_sha256": stylizer.weights.sha256,
        "layers": layers(weights),
        "pairs": pairs,
    }


def figures(painting: Picture, content: Picture, style: Picture, judge: Judge | None) -> dict[str, float]:
    """All that are known of one painting: those of the judge only with a judge."""
    pictures = tensor(np.nan_to_num(painting)), tensor(content), tensor(style)
    return metrics.all_of(*pictures) | (judge.figures(*pictures) if judge else {})


def pair_paths(given: Sequence[tuple[str, str]] | None) -> list[tuple[Path, Path]]:
    """Files, or names of pictures that ship."""
    return [(path_of("contents", content), path_of("styles", style)) for content, style in given or PAIRS]


def path_of(folder: str, name: str | Path) -> Path:
    shipped = ASSETS / folder / f"{name}.jpg"
    return shipped if shipped.is_file() else Path(name)


def painted(
    column: str,
    ours: Callable[[], Picture],
    stylizer: Stylizer,
    weights: Weights,
    content: Picture,
    style: Picture,
    given: argparse.Namespace,
) -> Painted:
    """The painting, and its seconds. `ours` paints the column OURS. `--keep`: what others painted before is taken from
    there, with its seconds."""
    key = f"{column} {given.share} {stylizer.weights.sha256} {stylizer.threads} {stylizer.device_name}".encode()
    digest = hashlib.sha256(key + content.tobytes() + style.tobytes()).hexdigest()[:20]
    kept = given.keep / f"{column}-{digest}.npz" if given.keep and column != OURS else None
    again = kept is not None and kept.is_file()
    if kept is not None and again:
        with np.load(kept) as file:
            painting, seconds, work = file["painting"], float(file["seconds"]), float(file["cpu_seconds"])
    elif column == OURS:
        painting, seconds, work = timed(ours, stylizer)
    else:
        c, s = (tensor(p).to(stylizer.device) for p in (content, style))
        result, seconds, work = timed(lambda share=given.share: PEERS[column](weights, c, s, share), stylizer)
        painting = result[0].permute(1, 2, 0).cpu().numpy()
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(kept, painting=painting, seconds=seconds, cpu_seconds=work)
    finite = bool(np.isfinite(painting).all())
    return painting, {"seconds": seconds, "cpu_seconds": work, "finite": finite, "kept_from_before": again}


def timed(paint: Callable[..., Any], stylizer: Stylizer) -> tuple[Any, float, float]:
    """A painting, its seconds and the CPU's; on a GPU after a first one that chooses the kernels."""
    gpu = stylizer.device.startswith("cuda")
    if gpu:
        paint()
        torch.cuda.synchronize()
    start, work = time.perf_counter(), time.process_time()
    painting = paint()
    if gpu:
        torch.cuda.synchronize()
    return painting, time.perf_counter() - start, time.process_time() - work


def layers(weights: Weights) -> dict[str, str]:
    """Which layers each of the others looks at, and which take the place of those that these weights lack."""
    theirs = f"style {peers.substitutes(peers.PEERS_STYLE, weights)}; content "
    theirs += peers.substitutes(peers.PEERS_CONTENT, weights)
    seeds = f"style {', '.join(peers.SEEDS_STYLE)}; content {', '.join(peers.SEEDS_CONTENT)}"
    return {"seed": seeds, "neural-style-pt": theirs, "style-transfer-pytorch": theirs}


def label(row: Row) -> str:
    return f"{row['seconds']:.1f} s\n" + "\n".join(f"{name} {row[name]:.3f}" for name in SHOWN if name in row)


def print_pair(pair: Mapping[str, Any]) -> None:
    print(f"{pair['content']} + {pair['style']}")
    print(" " * 24, *(f"{name:>15}" for name in SHOWN), f"{'seconds':>9} {'CPU':>9}")
    for column, row in pair["columns"].items():
        kept = " kept" if row["kept_from_before"] else ""
        broken = "" if row["finite"] else " not finite"
        values = (f"{row[name]:15.3f}" if name in row else f"{'':15}" for name in SHOWN)
        print(
            f"  {column:22}", *values, f"{row['seconds']:9.1f}", f"{row['cpu_seconds']:9.1f}{kept}{broken}", flush=True
        )


def print_rest(result: Mapping[str, Any]) -> None:
    for name, used in result["layers"].items():
        print(f"{name}: {used}")
    print(machine.caption(result["machine"]))
