"""Awkward photos in every style: `python -m tests.benchmarks.robustness [--json] [--size 512] [--keep FOLDER]`.

Fifty combinations of a photo and a style, read from files as the daemon reads them, painted whole and in small
tiles. Looked for: values that are no numbers, black, one colour, a border along the frame, a seam along the tiles.
Blobs, halos and specks are for the eye: `--keep FOLDER` writes the paintings there.
"""

import argparse
import dataclasses
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from daemon.errors import DegeneratePainting
from daemon.pictures.reading import read
from daemon.processes.painting_check import check
from daemon.transfer import Stylizer, stylizer
from daemon.transfer.network.layers import VGG19, cut
from daemon.transfer.plan import Plan
from daemon.transfer.recipe import Recipe, compared, recipe
from daemon.transfer.steps import Level
from daemon.transfer.tiles import grid
from tests.benchmarks import machine
from tests.benchmarks.look import metrics
from tests.benchmarks.seed import Picture, tensor
from tests.benchmarks.speed import ASSETS

STYLES = ("starry", "mosaic", "ink", "glass", "one colour")
BLACK = 0.1  # of the darker one's mean luminance, photo or style: below it a painting is black
TONE, CONTRAST = 0.1, 1.0  # by which a frame must differ more than frames within the picture do, to be a border
SEAM = 1.2  # of the jumps between pixels elsewhere: what an eye may see along a line
TILED_STEPS = 4  # evaluations: rounding grows from step to step until two good paintings differ


def photos() -> dict[str, Image.Image]:
    """Ten that are awkward, or plain."""
    plain = {name: Image.open(ASSETS / "contents" / f"{name}.jpg").convert("RGB") for name in ("landscape", "face")}
    street = Image.open(ASSETS / "contents" / "street.jpg").convert("RGB")
    fading = Image.linear_gradient("L").resize(street.size)
    clear = street.copy()
    clear.putalpha(fading)
    return plain | {
        "16 x 16": street.resize((16, 16)),
        "3000 x 200": street.resize((3000, 2250)).crop((0, 1000, 3000, 1200)),
        "grey": street.convert("L"),
        "transparent": clear,
        "very dark": street.point(lambda value: value * 0.04),
        "very bright": street.point(lambda value: 245 + value * 0.04),
        "one colour": Image.new("RGB", (320, 240), (90, 120, 60)),
        "black and white": street.convert("1"),
    }


def decoded(image: Image.Image, size: int, enlarge: bool = False) -> Picture:
    """As the daemon decodes its file, at most `size` pixels long."""
    file = io.BytesIO()
    image.save(file, "PNG")
    file.seek(0)
    return read(file, max_megapixels=100, size=size, enlarge=enlarge).pixels


def style_picture(name: str, size: int) -> Picture:
    if name == "one colour":
        return np.full((size, size, 3), (0.2, 0.5, 0.7), np.float32)
    with Image.open(ASSETS / "styles" / f"{name}.jpg") as image:
        return decoded(image, size, enlarge=True)


def looked_at(painting: Picture, photo: Picture, style: Picture, how: Recipe) -> dict[str, Any]:
    """Figures of one painting, and what is wrong with it."""
    wrong = []
    try:
        check(painting, photo, [(style, 1.0)], how)
    except DegeneratePainting as flaw:
        wrong.append(flaw.reason)
    if is_black(painting, photo, style):
        wrong.append("It is black.")
    frame = beyond_inner_frames(painting, photo)
    if frame is not None and (frame[0] > TONE or frame[1] > CONTRAST):
        wrong.append("It has a border.")
    return {"border": frame, "wrong": wrong}


def is_black(painting: Picture, photo: Picture, style: Picture) -> bool:
    return float(painting.mean()) < BLACK * min(float(photo.mean()), float(style.mean()))


def beyond_inner_frames(painting: Picture, photo: Picture) -> tuple[float, float] | None:
    """How much more the painting's frame stands out, (tone, contrast), than the same frame some way within; None: the
    picture is too small to have one there, and nothing is known of its border."""
    away = 3 * metrics.FRAME
    if min(painting.shape[:2]) < 4 * away:
        return None
    outer = metrics.border(tensor(painting), tensor(photo))
    inner = metrics.border(*(tensor(p[away:-away, away:-away]) for p in (painting, photo)))
    return outer[0] - inner[0], outer[1] - inner[1]


def in_tiles(side: int) -> AbstractContextManager[Any]:
    """However much memory there is."""

    def fitting(how: Recipe, level: Level, free: int, layers: object) -> Iterator[Plan]:
        yield Plan(side, True, max(2, min(how.history, level.evaluations)))

    return mock.patch.object(stylizer, "fitting", fitting)


def seam(tiled: Picture, whole: Picture, cuts: tuple[Sequence[int], Sequence[int]]) -> float:
    """Jumps across the tiles' cuts over those between other neighbours, against the untiled painting's own; 1: none."""
    found = [_jumps(painting, cuts) for painting in (tiled, whole)]
    return found[0] / found[1]


def _jumps(painting: Picture, cuts: tuple[Sequence[int], Sequence[int]]) -> float:
    """Mean jump across the cuts (rows, columns), over the mean of all."""
    across: list[NDArray[np.float32]] = []
    every: list[NDArray[np.float32]] = []
    for axis, places in enumerate(cuts):
        jumps = np.abs(np.diff(painting, axis=axis)).mean(axis=(1 - axis, 2))
        across.append(jumps[[place - 1 for place in places]])
        every.append(jumps)
    least = metrics.LEAST / 255
    return float((np.concatenate(across).mean() + least) / (np.concatenate(every).mean() + least))


def cuts_of(shape: Sequence[int], side: int, how: Recipe) -> tuple[list[int], list[int]]:
    """Rows and columns at which a tile begins, but for the first."""
    tiles = grid(shape[0], shape[1], side, cut(VGG19, compared(how)))
    rows, columns = {tile.rows.start for tile in tiles}, {tile.columns.start for tile in tiles}
    return sorted(rows - {0}), sorted(columns - {0})


def tiled(painter: Stylizer, photo: Picture, style: Picture, how: Recipe, side: int) -> dict[str, Any]:
    """A short painting whole and in tiles: the largest difference of a pixel, and the seam; None: it is one tile."""
    short = dataclasses.replace(how, scales=((1.0, TILED_STEPS),))
    cuts = cuts_of(photo.shape, side, how)
    if not any(cuts):
        return {"tiles_differ": None, "seam": None, "wrong": []}
    whole = painter.paint(photo, style, short)
    with in_tiles(side):
        parts = painter.paint(photo, style, short)
    found = seam(parts, whole, cuts)
    difference = float(np.abs(parts - whole).max())
    return {"tiles_differ": difference, "seam": found, "wrong": ["It has a seam."] if found > SEAM else []}


def run(given: argparse.Namespace) -> dict[str, Any]:
    painter = Stylizer(device=given.device, weights=given.weights, threads=given.threads)
    how = recipe(given.preset)
    rows = []
    for name, image in photos().items():
        if given.photo and name not in given.photo:
            continue
        photo = decoded(image, given.size)
        for style_name in given.style or STYLES:
            style = style_picture(style_name, how.style_side(max(photo.shape[:2])))
            painting = painter.paint(photo, style, how)
            if given.keep:
                keep(painting, given.keep / f"{name}, {style_name}.png")
            found = looked_at(painting, photo, style, how)
            parts = tiled(painter, photo, style, how, given.tile)
            found["wrong"] += parts.pop("wrong")
            rows.append({"photo": name, "style": style_name} | found | parts)
            if not given.json:
                print_row(rows[-1])
    bad = sum(bool(row["wrong"]) for row in rows)
    too_small = sum(row["border"] is None for row in rows)
    counts = {"bad": bad, "border_unknown": too_small, "of": len(rows)}
    return {"size": given.size, "machine": machine.described(painter), "rows": rows} | counts


def keep(painting: Picture, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((painting * 255).round().astype(np.uint8)).save(path)


def print_row(row: dict[str, Any]) -> None:
    border = "{:+.3f} {:+.2f}".format(*row["border"]) if row["border"] else "too small"
    seam = "one tile" if row["seam"] is None else f"tiles differ {row['tiles_differ']:.4f}, seam {row['seam']:.3f}"
    print(
        f"{row['photo']:16} {row['style']:11} border beyond inner frames {border:12}  "
        f"{seam:33}  {' '.join(row['wrong']) or 'fine'}",
        flush=True,
    )


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m tests.benchmarks.robustness", description=__doc__)
    options.add_argument("--json", action="store_true")
    options.add_argument("--size", type=int, default=512, help="long side in pixels, at most")
    options.add_argument("--tile", type=int, default=128, help="side of a tile in pixels")
    options.add_argument("--preset", default="fine")
    options.add_argument("--device", default="auto")
    options.add_argument("--weights", default="embedded")
    options.add_argument("--threads", type=int)
    options.add_argument("--keep", type=Path, metavar="FOLDER", help="write the paintings there")
    options.add_argument("--photo", action="append", help="only these")
    options.add_argument("--style", action="append", help="only these")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    given = parser().parse_args(arguments)
    result = run(given)
    if given.json:
        print(json.dumps(result, indent=2))
        return
    small = f"; {result['border_unknown']} too small to tell a border" if result["border_unknown"] else ""
    print(f"{result['bad']} of {result['of']} with something wrong{small}")
    print(machine.caption(result["machine"]))


if __name__ == "__main__":
    main()
