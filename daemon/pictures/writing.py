"""A painting → an open file, and the check that the file reads back."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile
from PIL.PngImagePlugin import PngInfo

from daemon.errors import JobError
from daemon.filenames import LONGEST_SIDE, OutputFormat
from daemon.pictures import metadata as exif
from daemon.pictures.light import BAND, Floats
from daemon.pictures.probing import open_picture
from daemon.pictures.refusals import decoding, warnings_silenced
from daemon.pictures.xmp import PNG_KEY, packet

ICC_DATE = slice(24, 36)  # bytes of a profile's date, which is fixed: the same painting gives the same bytes


def write(
    file: BinaryIO,
    pixels: Floats,
    alpha: Floats | None,
    *,
    format: OutputFormat,  # noqa: A002  (the usual name)
    quality: int,
    dpi: int | None = None,
    metadata: bytes = b"",
    record: str = "",
) -> None:
    """Append `pixels` (H, W, 3), sRGB in [0, 1], and `alpha` (H, W) to `file`, encoded.

    JPEG has no alpha, so the picture is laid on white. `quality`: 1 … 100, of JPEG and WebP. `dpi`: pixels per inch of
    a print. `metadata`: EXIF, see metadata.kept. `record`: how the painting was made, see xmp.py. Raises ValueError if
    a pixel is not finite or a side is longer than the format allows (see filenames.output_format), and OSError if the
    disk fails.
    """
    height, width = pixels.shape[:2]
    if max(width, height) > LONGEST_SIDE[format]:
        raise ValueError(f"{width} x {height} pixels do not fit into {format}")
    image = Image.fromarray(_eight_bit(pixels, alpha, on_white=format == "jpeg"))
    keep, xmp = exif.upright(metadata, dpi), packet(record)
    density: dict[str, Any] = {"dpi": (dpi, dpi)} if dpi else {}
    with warnings_silenced():
        if format == "jpeg":
            said: dict[str, Any] = {"icc_profile": srgb_profile(), "exif": keep, **density}
            said |= {"xmp": xmp} if xmp else {}
            with _room_for_jpeg(width * height + len(keep) + len(xmp)):
                image.save(file, "JPEG", quality=quality, subsampling=0, optimize=True, **said)
        elif format == "webp":
            image.save(file, "WEBP", quality=quality, exact=True, icc_profile=srgb_profile(), exif=keep, xmp=xmp)
        else:
            texts = PngInfo()
            if xmp:
                texts.add_itxt(PNG_KEY, xmp.decode())
            said = {"icc_profile": srgb_profile(), "exif": keep or None, "pnginfo": texts, **density}
            image.save(file, "PNG", compress_level=4, **said)
    file.flush()


def verify(file: BinaryIO, size: tuple[int, int]) -> None:
    """Decode the whole `file`. Raises OSError (EIO) if it is no picture of `size` (width, height): the disk failed."""
    try:
        with decoding(file) as data:
            image = open_picture(data)
            image.load()
    except JobError as error:
        raise OSError(errno.EIO, f"the painting does not read back from the disk: {error.reason}") from error
    if image.size != size:
        raise OSError(errno.EIO, f"the painting reads back as {image.size}, not as {size}")


@cache
def srgb_profile() -> bytes:
    """The ICC profile of sRGB."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[ICC_DATE] = bytes.fromhex("07d0 0001 0001 0000 0000 0000")
    return bytes(profile)


def _eight_bit(pixels: Floats, alpha: Floats | None, *, on_white: bool) -> NDArray[np.uint8]:
    """(H, W, 3 or 4), clipped to [0, 1] and rounded to 0 … 255."""
    height, width = pixels.shape[:2]
    channels = 3 if alpha is None or on_white else 4
    out = np.empty((height, width, channels), np.uint8)
    for top in range(0, height, BAND):
        rows = slice(top, top + BAND)
        band = np.asarray(pixels[rows], np.float32)
        if alpha is not None:
            cover = np.asarray(alpha[rows, :, None], np.float32)
            band = band * cover + (1 - cover) if on_white else np.concatenate((band, cover), axis=2)
        if not np.isfinite(band).all():
            raise ValueError("the painting holds values that are not finite numbers")
        out[rows] = np.rint(np.clip(band, 0, 1) * 255)
    return out


@contextmanager
def _room_for_jpeg(pixels: int) -> Iterator[None]:
    """Let Pillow encode a JPEG of so many `pixels`: an optimised JPEG is encoded in one block, for which Pillow's own
    guess is too small at high qualities. 4 bytes per pixel are enough (noise of full contrast at quality 100: 3.3)."""
    before = ImageFile.MAXBLOCK
    ImageFile.MAXBLOCK = max(before, 4 * pixels + 65_536)
    try:
        yield
    finally:
        ImageFile.MAXBLOCK = before
