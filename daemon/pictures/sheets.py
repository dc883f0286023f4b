"""Pictures side by side on one sheet."""

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from daemon.pictures.probing import probe
from daemon.pictures.reading import read
from daemon.pictures.writing import write

HEIGHT = 300  # pixels, of every picture
GAP = 12  # pixels


def sheet(rows: Sequence[Sequence[Path]], file: BinaryIO) -> None:
    """Write a JPEG into `file` with the pictures of each row side by side, on white. Raises JobError or OSError if one
    cannot be read."""
    pictures = [[_picture(path) for path in row] for row in rows]
    width = max(sum(picture.shape[1] + GAP for picture in row) for row in pictures) + GAP
    paper = np.ones((len(rows) * (HEIGHT + GAP) + GAP, width, 3), np.float32)
    for number, row in enumerate(pictures):
        top, left = GAP + number * (HEIGHT + GAP), GAP
        for picture in row:
            paper[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
            left += picture.shape[1] + GAP
    write(file, paper, None, format="jpeg", quality=92)


def _picture(path: Path) -> NDArray[np.float32]:
    with path.open("rb") as file:
        _, width, height = probe(file)
        file.seek(0)
        return read(file, max_megapixels=1000, size=max(1, round(max(width, height) * HEIGHT / height))).pixels[:HEIGHT]
