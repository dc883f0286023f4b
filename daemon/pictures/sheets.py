"""Pictures with captions side by side on one sheet."""

import contextlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from daemon.filenames import OutputFormat
from daemon.pictures.probing import probe
from daemon.pictures.reading import read
from daemon.pictures.writing import write

HEIGHT = 300  # pixels, of every picture that is read from a file
GAP = 16  # pixels
NARROWEST = 220  # pixels, of a column: a caption needs some room
FONT, LINE = 13, 18  # pixels: of a caption's letters, and from line to line
FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "Arial.ttf")  # beyond ASCII
INK, FAINT = (40, 40, 40), (110, 110, 110)


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture (H, W, 3), sRGB in [0, 1], its title and the text below the title."""

    pixels: NDArray[np.float32]
    title: str = ""
    text: str = ""


def tile(path: Path, title: str = "", text: str = "") -> Tile:
    """The picture of a file, HEIGHT pixels high. Raises JobError or OSError if the file cannot be read."""
    with path.open("rb") as file:
        _, width, height = probe(file)
        file.seek(0)
        long_side = max(1, round(max(width, height) * HEIGHT / height))
        return Tile(read(file, max_megapixels=1000, size=long_side, name=path.name).pixels[:HEIGHT], title, text)


def sheet(rows: Sequence[Sequence[Tile]], file: BinaryIO, *, kind: OutputFormat) -> None:
    """Write the tiles of each row side by side, on white, in columns as wide as their widest picture."""
    columns = [
        max(NARROWEST, *(row[place].pixels.shape[1] for row in rows if place < len(row)))
        for place in range(max(map(len, rows)))
    ]
    lefts = [GAP + sum(columns[:place]) + GAP * place for place in range(len(columns))]
    captions = [[_lines(each, width) for each, width in zip(row, columns, strict=False)] for row in rows]
    heights = [
        max(each.pixels.shape[0] + LINE * len(lines) for each, lines in zip(row, below, strict=True)) + GAP
        for row, below in zip(rows, captions, strict=True)
    ]
    paper = Image.new("RGB", (lefts[-1] + columns[-1] + GAP, GAP + sum(heights)), "white")
    draw, top = ImageDraw.Draw(paper), GAP
    for row, below, height in zip(rows, captions, heights, strict=True):
        for each, lines, left in zip(row, below, lefts, strict=False):
            paper.paste(Image.fromarray(np.rint(np.clip(each.pixels, 0, 1) * 255).astype(np.uint8)), (left, top))
            for number, line in enumerate(lines):
                color = INK if number == 0 and each.title else FAINT
                draw.text((left, top + each.pixels.shape[0] + 4 + LINE * number), line, color, _font(each))
        top += height
    write(file, np.asarray(paper, np.float32) / np.float32(255), None, format=kind, quality=92)


def grid(tiles: Sequence[Tile]) -> list[list[Tile]]:
    """The tiles in two rows, or in rows of four."""
    across = min(4, -(-len(tiles) // 2))
    return [list(tiles[start : start + across]) for start in range(0, len(tiles), across)]


def _font(tile: Tile) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font for a tile's caption. Pillow's own font has boxes for letters beyond ASCII."""
    system = None if (tile.title + tile.text).isascii() else _system_font()
    return system or _own_font()


@cache
def _own_font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(FONT)


@cache
def _system_font() -> ImageFont.FreeTypeFont | None:
    for name in FONTS:
        with contextlib.suppress(OSError):
            return ImageFont.truetype(name, FONT)
    return None


def _shown(text: str) -> str:
    """`text` in letters that a font here has: without a font of the system, é becomes e and Ж becomes ?."""
    if text.isascii() or _system_font():
        return text
    letters = (each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
    return "".join(letters).encode("ascii", "replace").decode()


def _lines(tile: Tile, width: int) -> list[str]:
    """The caption, broken so that no line is wider than `width`; a long word is broken anywhere."""
    lines, font = [], _font(tile)
    for text in map(_shown, (tile.title, tile.text)):
        line = ""
        for word in text.split():
            wider = f"{line} {word}".strip()
            if line and font.getlength(wider) > width:
                lines.append(line)
                wider = word
            while font.getlength(wider) > width:
                fits = next(n for n in range(len(wider) - 1, 0, -1) if n == 1 or font.getlength(wider[:n]) <= width)
                lines.append(wider[:fits])
                wider = wider[fits:]
            line = wider
        if line:
            lines.append(line)
    return lines
