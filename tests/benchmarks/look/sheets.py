"""Contact sheets: what no figure says."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Picture = NDArray[np.float32]  # (H, W, 3) in [0, 1]
GAP, LINE, ROW = 8, 14, 3  # px between pictures, px of a line of text, pictures in a row


def sheet(pictures: Sequence[tuple[str, Picture]], path: Path) -> None:
    """Each picture in its own pixels above its label, whose lines are split by newlines; a PNG."""
    tiles = [(label.split("\n"), Image.fromarray(_bytes(picture))) for label, picture in pictures]
    font = ImageFont.load_default()
    wide = max(max(image.width, *(ceil(font.getlength(line)) for line in lines)) for lines, image in tiles) + GAP
    high = max(image.height + LINE * len(lines) for lines, image in tiles) + GAP
    rows = -(-len(tiles) // ROW)
    whole = Image.new("RGB", (min(ROW, len(tiles)) * wide + GAP, rows * high + GAP), "white")
    write = ImageDraw.Draw(whole)
    for n, (lines, image) in enumerate(tiles):
        left, top = GAP + n % ROW * wide, GAP + n // ROW * high
        whole.paste(image, (left, top))
        for number, line in enumerate(lines):
            place = (left, top + image.height + number * LINE)
            write.text(place, line, fill="black", font=font)
    path.parent.mkdir(parents=True, exist_ok=True)
    whole.save(path)


def _bytes(picture: Picture) -> NDArray[np.uint8]:
    return (np.clip(np.nan_to_num(picture), 0, 1) * 255).round().astype(np.uint8)
