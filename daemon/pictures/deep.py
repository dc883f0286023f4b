"""Pictures of more than 8 bits per colour, at full depth. Pillow reads only their higher 8 bits, and no floats."""

from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
import tifffile
from PIL import Image
from PIL.TiffImagePlugin import OPEN_INFO

from daemon.errors import JobError
from daemon.pictures.light import Floats
from daemon.pictures.scaling import FILTER, Size
from daemon.pictures.spaces import Space

# The way in which the lower 8 bits are found where the higher 8 bits are expected: with the other order of bytes.
LOWER = {
    "RGB;16B": "RGB;16L",
    "RGB;16L": "RGB;16B",
    "RGB;16N": "RGB;16B",  # the machine's own order; every machine that styled runs on has the low byte first
    "RGBA;16B": "RGBA;16L",
    "RGBA;16L": "RGBA;16B",
    "RGBA;16N": "RGBA;16B",
}
OURS = "RGBA;wide"  # a raw mode that Pillow does not know: it reads the header, and `wide` the numbers
ALPHA = ((), (0,), (1,), (2,))  # TIFF's ExtraSamples: none, unknown, premultiplied, plain


def know_wide_tiffs() -> None:
    """Let Pillow open TIFFs of 32 and 64 bits and of floats. Their numbers are read by tifffile, which is written in
    Python and numpy alone."""
    for order in (b"II", b"MM"):
        for kind, depths in ((3, (16, 32, 64)), (1, (32, 64))):
            for bits in depths:
                for extra in ALPHA:
                    key = (order, 2, (kind,), 1, (bits,) * (3 + len(extra)), extra)
                    OPEN_INFO.setdefault(key, ("RGB", OURS))
                if kind == 3 and bits != 32:
                    OPEN_INFO.setdefault((order, 1, (kind,), 1, (bits,), ()), ("F", OURS))


def is_wide(image: Image.Image) -> bool:
    """Whether Pillow has read the header and cannot read the numbers."""
    if image.format != "TIFF":
        return False
    tags: Any = getattr(image, "tag_v2", {})
    is_apart = tags.get(284) == 2 and max(tags.get(258, (8,))) > 8  # in planes, which Pillow takes for 8 bits
    return is_apart or any(_raw_mode(tile) == OURS for tile in getattr(image, "tile", []))


def wide(image: Image.Image, data: BinaryIO) -> Floats:
    """(H, W, 1, 3 or 4), not turned: numbers as the file has them, whole numbers divided by the largest there is."""
    data.seek(0)
    page: Any = tifffile.TiffFile(data).pages[image.tell()]
    try:
        values = page.asarray()
    except (ValueError, KeyError) as error:
        if "requires the 'imagecodecs'" in str(error) or "COMPRESSION" in str(error):
            raise JobError(
                f"It is a TIFF of {page.bitspersample} bits per colour, in a compression that cannot be read so deep.",
                "Export it without compression, or with 16 bits; drop that.",
            ) from None
        raise
    if page.planarconfig == 2 and values.ndim == 3:
        values = np.moveaxis(values, 0, 2)
    values = values.reshape(*values.shape[:2], -1)
    out: Floats = values[..., :4].astype(np.float32)
    if values.dtype.kind in "ui":
        out /= np.float32(np.iinfo(values.dtype).max)
    if page.extrasamples and page.extrasamples[0] == 1 and out.shape[2] == 4:  # colours multiplied by alpha
        out[..., :3] /= np.maximum(out[..., 3:], 1e-6)
    return out


def usual(values: Floats, space: Space) -> tuple[Floats, Space]:
    """Floats of a TIFF, finite and with 1 as white, and their space. No picture is brighter than white on average: such
    numbers are not light but levels, on the smallest usual scale that holds them."""
    values = np.nan_to_num(values, nan=0.0, posinf=1.0, neginf=0.0)
    if values.mean() <= 1:
        return values, space
    peak = float(values.max())
    values /= next((scale for scale in (255.0, 65535.0) if peak <= scale), peak)
    return values, replace(space, curve="srgb") if space.curve == 1.0 else space


def lower_mode(image: Image.Image) -> str | None:
    """The raw mode by which the lower 8 bits of `image`, not yet loaded, can be read; None: the picture has none."""
    tiles = getattr(image, "tile", [])
    modes = {_raw_mode(tile) for tile in tiles}
    return LOWER.get(modes.pop()) if len(modes) == 1 else None


def joined(high: Image.Image, low: Image.Image, mode: str) -> Floats:
    """(H, W, 3 or 4) in [0, 1]: both halves of 16 bits. `low` is the same file, opened again and not yet loaded;
    `mode`: lower_mode."""
    low.tile = [_with_mode(tile, mode) for tile in low.tile]  # type: ignore[attr-defined]
    low.load()
    out: Floats = np.asarray(high, np.float32) * np.float32(256)
    out += np.asarray(low)
    out /= np.float32(65535)
    return out


def _raw_mode(tile: Any) -> str:
    return str(tile[3] if isinstance(tile[3], str) else tile[3][0])


def _with_mode(tile: Any, mode: str) -> Any:
    return tile._replace(args=mode if isinstance(tile.args, str) else (mode, *tile.args[1:]))


def scaled(values: Floats, size: Size) -> Floats:
    """(H, W, C) at `size` by Lanczos; a fourth channel is alpha, by which the colours are weighed."""
    if (values.shape[1], values.shape[0]) == size:
        return values
    cover = values[..., 3:]
    weighed = np.concatenate((values[..., :3] * cover, cover), axis=2) if values.shape[2] == 4 else values
    channels = [np.asarray(Image.fromarray(weighed[..., i]).resize(size, FILTER)) for i in range(weighed.shape[2])]
    out = np.stack(channels, axis=2)
    if values.shape[2] == 4:
        out[..., :3] /= np.maximum(out[..., 3:], 1 / 512)
    return out
