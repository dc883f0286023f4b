"""Small copies of a painting and its photo, for the gallery's cards and slider and for a terminal."""

import io
from dataclasses import replace
from typing import BinaryIO

import numpy as np
from PIL import Image

from daemon.pictures.light import Floats
from daemon.pictures.reading import read
from daemon.pictures.xmp import read_record
from daemon.previews import Preview, Thumbnails

CARD, SLIDER, TERMINAL = 480, 1280, 96  # pixels, the longest side of each
QUALITY = 82  # of WebP
LARGEST_MEGAPIXELS = 1000.0  # of a painting and its photo, which were accepted before


def sketch(painting: Floats, photo: Floats | None) -> Thumbnails:
    """Thumbnails of a painting (H, W, 3) and its photo of the same shape, sRGB in [0, 1]."""
    image = _image(painting)
    tiny = _reduced(image, TERMINAL)
    before = _webp(_reduced(_image(photo), SLIDER)) if photo is not None else b""
    return Thumbnails(image.size, _webp(_reduced(image, CARD)), before, Preview(*tiny.size, tiny.tobytes()))


def sketch_file(painting: BinaryIO, photo: BinaryIO | None) -> Thumbnails:
    """Thumbnails and record of a painting's file, with its photo at the painting's size. Raises as `reading.read`."""
    record = read_record(painting)
    painting.seek(0)
    pixels = read(painting, max_megapixels=LARGEST_MEGAPIXELS).pixels
    source = (
        read(photo, max_megapixels=LARGEST_MEGAPIXELS, size=max(pixels.shape)).pixels if photo is not None else None
    )
    if source is not None and source.shape != pixels.shape:
        source = None  # another photo of that name
    return replace(sketch(pixels, source), record=record)


def _image(pixels: Floats) -> Image.Image:
    return Image.fromarray(np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8))


def _reduced(image: Image.Image, long_side: int) -> Image.Image:
    """`image` with a long side of `long_side` pixels; a smaller image keeps its size."""
    share = min(1.0, long_side / max(image.size))
    size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0) if share < 1 else image


def _webp(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "WEBP", quality=QUALITY, method=2)
    return out.getvalue()
