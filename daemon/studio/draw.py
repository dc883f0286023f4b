"""`python -m daemon.studio.draw [--check] [NAME …]`: draw the pictures that ship with the package, all or those named.

With --check nothing is written: each picture is drawn and compared with the picture that ships.
"""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from daemon.studio.brush import picture, pixels
from daemon.studio.face import face
from daemon.studio.fields import Field
from daemon.studio.glass import glass
from daemon.studio.ink import ink
from daemon.studio.landscape import landscape
from daemon.studio.mosaic import mosaic
from daemon.studio.starry import starry
from daemon.studio.stilllife import stilllife
from daemon.studio.street import street
from daemon.studio.waves import waves
from daemon.studio.woodcut import woodcut

ASSETS = Path(__file__).resolve().parent.parent / "assets"
STYLES: dict[str, Callable[[int], Field]] = {
    "starry": starry,
    "mosaic": mosaic,
    "woodcut": woodcut,
    "ink": ink,
    "glass": glass,
    "waves": waves,
}
CONTENTS: dict[str, Callable[[int], Field]] = {
    "landscape": landscape,
    "stilllife": stilllife,
    "street": street,
    "face": face,
}
SIZE = 1024  # px, long side
LARGEST = 345_000  # bytes: the wheel carries every picture
SAME = 0.02  # mean difference that another machine's rounding may leave


def shipped() -> dict[Path, Callable[[int], Field]]:
    """Every picture that ships, and what draws it."""
    return {
        ASSETS / kind / f"{name}.jpg": draw
        for kind, all_ in (("styles", STYLES), ("contents", CONTENTS))
        for name, draw in all_.items()
    }


def encoded(drawing: Field) -> bytes:
    """As JPEG of quality 90, or just so much less that it stays below LARGEST."""
    for quality in range(90, 60, -3):
        file = io.BytesIO()
        picture(drawing).save(file, "JPEG", quality=quality, optimize=True, progressive=True)
        if file.tell() < LARGEST:
            break
    return file.getvalue()


def difference(drawing: Field, path: Path) -> float:
    """Mean absolute difference, in [0, 1], between a drawing, once encoded, and the picture kept at `path`.

    The kept picture is scaled to the drawing's size.
    """
    with Image.open(io.BytesIO(encoded(drawing))) as here, Image.open(path) as kept:
        there = kept.convert("RGB").resize(here.size, Image.Resampling.LANCZOS)
        return float(np.abs(pixels(there) - pixels(here)).mean())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m daemon.studio.draw", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="draw only these")
    parser.add_argument("--check", action="store_true", help="compare with what ships; write nothing")
    options = parser.parse_args(arguments)
    unknown = set(options.names) - {path.stem for path in shipped()}
    if unknown:
        parser.error(f"no picture called {', '.join(sorted(unknown))}; there are {', '.join([*STYLES, *CONTENTS])}")
    wrong = 0
    for path, draw in shipped().items():
        if options.names and path.stem not in options.names:
            continue
        start = time.perf_counter()
        drawing = draw(SIZE)
        if options.check:
            off = difference(drawing, path) if path.exists() else 1.0
            wrong += off > SAME
            sys.stdout.write(f"{path.stem:10} {'differs' if off > SAME else 'same'} ({off:.4f})\n")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded(drawing))
            sys.stdout.write(f"{path.stem:10} {path.stat().st_size // 1024} KB, {time.perf_counter() - start:.0f} s\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
