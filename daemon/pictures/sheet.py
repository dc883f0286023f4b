"""Pictures side by side on one sheet, for a person to look at."""

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from daemon.pictures.reading import read
from daemon.pictures.writing import write

CELL = 400  # pixels, the longest side of a picture
GAP = 16  # pixels


def sheet(rows: Sequence[Sequence[Path]], file: BinaryIO) -> None:
    """Write a JPEG into `file` with the pictures of each row side by side, on white. JobError, OSError."""
    columns = max(len(row) for row in rows)
    paper = np.ones((len(rows) * (CELL + GAP) + GAP, columns * (CELL + GAP) + GAP, 3), np.float32)
    for i, row in enumerate(rows):
        for j, path in enumerate(row):
            with path.open("rb") as picture:
                pixels = read(picture, max_megapixels=1000, size=CELL).pixels
            top = GAP + i * (CELL + GAP) + (CELL - pixels.shape[0]) // 2
            left = GAP + j * (CELL + GAP) + (CELL - pixels.shape[1]) // 2
            paper[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    write(file, paper, None, format="jpeg", quality=92)
