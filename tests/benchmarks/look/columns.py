"""The same pairs by the seed's loop, by two other programs' settings and by ours, with the same weights.

Where another keeps more of the content than ours, ours is painted once more with less style, to keep as much: it is
that painting which is compared with the other's.
"""

import argparse
import hashlib
import statistics
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
from tests.benchmarks.look.balance import matched
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
NO_WORSE = 0.02  # of gradient correlation: what counts as the same content
SHOWN = ("style_distance", "gradient_correlation", "ssim", "coherence", "noise", "border_tone", "border_contrast")
Row = dict[str, Any]
Painted = tuple[Picture, Row]


def run(given: argparse.Namespace) -> dict[str, Any]:
    stylizer = Stylizer(device=given.device, weights=given.weights, threads=given.threads)
    weights = Quick({name: tensor.to(stylizer.device) for name, tensor in load(given.weights)[1].items()})
    columns = [name for name in (*PEERS, OURS) if name in given.columns]
    pairs = []
    for content_path, style_path in pair_paths(given.pair):
        content, style = (picture(path, given.size) for path in (content_path, style_path))

        def paint(column: str, style_weight: float, c: Picture = content, s: Picture = style) -> Painted:
            return painted(column, stylizer, weights, c, s, given, style_weight)

        found = {column: paint(column, 1.0) for column in columns}
        beside = add_balanced(found, partial(paint, OURS))
        rows = {column: row for column, (_, row) in found.items()}
        shown = [("content", content), ("style", style)]
        shown += [(f"{column}  {label(row)}", painting) for column, (painting, row) in found.items()]
        pairs.append({"content": content_path.stem, "style": style_path.stem, "columns": rows, "beside": beside})
        if given.sheets:
            sheet(shown, given.sheets / f"{content_path.stem}-{style_path.stem}.png")
        if not given.json:
            print_pair(pairs[-1])
    clock = "cpu_seconds" if stylizer.device == "cpu" else "seconds"
    return {
        "size": given.size,
        "share_of_evaluations": given.share,
        "preset": given.preset,
        "style_weight": given.style_weight,
        "machine": machine.described(stylizer),
        "weights_sha256": stylizer.weights.sha256,
        "layers": layers(weights),
        "pairs": pairs,
        "verdict": {name: verdict(pairs, name, clock) for name in columns if name != OURS and OURS in columns},
    }


def pair_paths(given: Sequence[tuple[str, str]] | None) -> list[tuple[Path, Path]]:
    """Files, or names of pictures that ship."""
    return [(path_of("contents", content), path_of("styles", style)) for content, style in given or PAIRS]


def path_of(folder: str, name: str | Path) -> Path:
    shipped = ASSETS / folder / f"{name}.jpg"
    return shipped if shipped.is_file() else Path(name)


def add_balanced(found: dict[str, Painted], paint: Callable[[float], Painted]) -> dict[str, str]:
    """{another: the column of ours beside it}; adds those of ours that have to keep more content than ours does."""
    beside: dict[str, str] = {}
    if OURS not in found:
        return beside

    def kept(one: Painted) -> float:
        return float(one[1]["gradient_correlation"])

    for peer in [name for name in found if name in PEERS]:
        beside[peer] = OURS
        if kept(found[OURS]) < kept(found[peer]) - NO_WORSE:
            wanted, near = kept(found[peer]) - NO_WORSE / 2, NO_WORSE / 2
            weight, ours = matched(lambda w: found[OURS] if w == 1 else paint(w), kept, wanted, near)
            beside[peer] = f"{OURS}, style × {weight:.2g}"
            found[beside[peer]] = ours
    return beside


def painted(
    column: str,
    stylizer: Stylizer,
    weights: Weights,
    content: Picture,
    style: Picture,
    given: argparse.Namespace,
    style_weight: float,
) -> Painted:
    """The painting and its figures. `--keep`: what others painted before is taken from there, with its seconds."""
    key = f"{column} {given.share} {stylizer.weights.sha256} {stylizer.threads} {stylizer.device_name}".encode()
    digest = hashlib.sha256(key + content.tobytes() + style.tobytes()).hexdigest()[:20]
    kept = given.keep / f"{column}-{digest}.npz" if given.keep and column != OURS else None
    again = kept is not None and kept.is_file()
    if kept is not None and again:
        with np.load(kept) as file:
            painting, seconds, work = file["painting"], float(file["seconds"]), float(file["cpu_seconds"])
    elif column == OURS:
        how = recipe(given.preset, style_weight=given.style_weight * style_weight)
        painting, seconds, work = timed(lambda: stylizer.paint(content, style, how), stylizer)
    else:
        c, s = (tensor(p).to(stylizer.device) for p in (content, style))
        result, seconds, work = timed(lambda share=given.share: PEERS[column](weights, c, s, share), stylizer)
        painting = result[0].permute(1, 2, 0).cpu().numpy()
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(kept, painting=painting, seconds=seconds, cpu_seconds=work)
    finite = bool(np.isfinite(painting).all())
    figures = metrics.all_of(tensor(np.nan_to_num(painting)), tensor(content), tensor(style))
    told = {"seconds": seconds, "cpu_seconds": work, "finite": finite, "kept_from_before": again}
    return painting, told | figures


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


def verdict(pairs: Sequence[Mapping[str, Any]], peer: str, clock: str = "seconds") -> dict[str, Any]:
    """Ours against one other: on which pairs it is nearer to the style, at no worse content, in no more time.

    Of time, a CPU's own seconds count, which others that want it do not lengthen; on a GPU, the clock's.
    """
    found = []
    for pair in pairs:
        ours, theirs = pair["columns"][pair["beside"][peer]], pair["columns"][peer]
        found.append(
            {
                "pair": f"{pair['content']} + {pair['style']}",
                "ours": pair["beside"][peer],
                "nearer": ours["style_distance"] < theirs["style_distance"],
                "content_kept": ours["gradient_correlation"] >= theirs["gradient_correlation"] - NO_WORSE,
                "no_slower": ours[clock] <= theirs[clock],
                "style_distance_ratio": ours["style_distance"] / theirs["style_distance"],
                "gradient_correlation_more": ours["gradient_correlation"] - theirs["gradient_correlation"],
                "seconds_ratio": ours[clock] / theirs[clock],
            }
        )
    medians = {
        name: statistics.median(pair[name] for pair in found)
        for name in ("style_distance_ratio", "gradient_correlation_more", "seconds_ratio")
    }
    won = sum(pair["nearer"] and pair["content_kept"] and pair["no_slower"] for pair in found)
    return {"won": won, "of": len(found), "median": medians, "pairs": found}


def label(row: Row) -> str:
    return (
        f"{row['seconds']:.1f} s\nstyle distance {row['style_distance']:.3f}\n"
        f"gradients {row['gradient_correlation']:.3f}  noise {row['noise']:.2f}"
    )


def print_pair(pair: Mapping[str, Any]) -> None:
    print(f"{pair['content']} + {pair['style']}")
    print(" " * 24, *(f"{name.removesuffix('_correlation'):>15}" for name in SHOWN), f"{'seconds':>9} {'CPU':>9}")
    for column, row in pair["columns"].items():
        kept = " kept" if row["kept_from_before"] else ""
        broken = "" if row["finite"] else " not finite"
        figures = (f"{row[name]:15.3f}" for name in SHOWN)
        print(
            f"  {column:22}", *figures, f"{row['seconds']:9.1f}", f"{row['cpu_seconds']:9.1f}{kept}{broken}", flush=True
        )


def print_rest(result: Mapping[str, Any]) -> None:
    for name, used in result["layers"].items():
        print(f"{name}: {used}")
    for peer, found in result["verdict"].items():
        median = found["median"]
        print(
            f"ours against {peer}: wins {found['won']} of {found['of']}; medians: style distance × "
            f"{median['style_distance_ratio']:.3f}, gradient correlation {median['gradient_correlation_more']:+.3f}, "
            f"time × {median['seconds_ratio']:.3f}"
        )
        for pair in found["pairs"]:
            lost = [name for name in ("nearer", "content_kept", "no_slower") if not pair[name]]
            as_it_is = "" if pair["ours"] == OURS else f" ({pair['ours']})"
            print(f"  {pair['pair']:24} {'won' if not lost else 'not ' + ', not '.join(lost)}{as_it_is}")
    print(machine.caption(result["machine"]))
