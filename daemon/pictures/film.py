"""A film of a painting's making, as an animated WebP that any browser plays."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from daemon.pictures.light import Floats

FRAME_MS, LAST_MS = 90, 2500  # the finished painting stays for a while, then the film begins again
LARGEST = 2_000_000  # bytes
TRIES = ((1, 80), (1, 50), (1, 25), (2, 25))  # (times smaller, quality), in this order until the film is small enough


def film(frames: Sequence[tuple[int, int, bytes]], painting: Floats) -> bytes:
    """The frames (width, height, RGB), all of one size, and then the finished painting (H, W, 3) in [0, 1]."""
    width, height, _ = frames[0]
    pictures = [Image.frombytes("RGB", (w, h), rgb) for w, h, rgb in frames[:-1]]
    last = Image.fromarray(np.rint(np.clip(painting, 0, 1) * 255).astype(np.uint8))
    pictures.append(last.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0))
    durations = [*[FRAME_MS] * (len(pictures) - 1), LAST_MS]
    for smaller, quality in TRIES:
        first, *others = [picture.reduce(smaller) for picture in pictures]
        out = io.BytesIO()
        whole: dict[str, object] = {"save_all": True, "append_images": others, "duration": durations, "loop": 0}
        first.save(out, "WEBP", quality=quality, method=2, **whole)
        if out.tell() <= LARGEST:
            break
    return out.getvalue()
