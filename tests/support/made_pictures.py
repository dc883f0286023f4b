"""Pictures of every kind: written by Pillow, or byte by byte if Pillow cannot write them."""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

import daemon.pictures  # noqa: F401  (it registers HEIF)

MODES = {
    "JPEG": ("1", "L", "RGB", "CMYK", "YCbCr"),
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "WEBP": ("L", "LA", "P", "RGB", "RGBA", "CMYK"),
    "TIFF": ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I", "F", "I;16", "I;16B"),
    "BMP": ("1", "L", "P", "RGB", "RGBA"),
    "GIF": ("1", "L", "P", "RGB", "RGBA"),
    "HEIF": ("L", "RGB", "RGBA", "RGBa", "I;16"),
    "AVIF": ("L", "RGB", "RGBA"),
}
EVERY_KIND = [(kind, mode) for kind, modes in MODES.items() for mode in modes]


@cache
def scene(width: int = 48, height: int = 32) -> Image.Image:
    """A smooth, colourful picture that survives lossy formats and differs when it is turned or mirrored."""
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([255 * x / width, 255 * y / height, 255 * (1 - x / width) * (y / height)], -1)
    return Image.fromarray(pixels.astype(np.uint8))


def in_mode(mode: str, image: Image.Image | None = None) -> Image.Image:
    """`image`, or `scene`, in any mode; in modes with alpha the left half is half transparent."""
    image = image or scene()
    if mode == "LAB":
        srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        converted = ImageCms.profileToProfile(image, srgb, lab, outputMode="LAB")
        assert converted is not None
        return converted
    if mode.startswith("I;16"):
        levels = np.asarray(image.convert("L")).astype(np.uint16) * 257
        return Image.fromarray(levels.astype(">u2") if mode == "I;16B" else levels)
    if mode == "F":  # light itself
        grey = np.asarray(image.convert("L")).astype(np.float32) / 255
        return Image.fromarray(np.where(grey <= 0.04045, grey / 12.92, ((grey + 0.055) / 1.055) ** 2.4))
    if mode == "1":
        return image.convert("1", dither=Image.Dither.NONE)
    if mode == "P":
        return image.quantize(256)
    if mode[-1] not in "Aa":
        return image.convert(mode)
    alpha = np.full((image.height, image.width), 255, np.uint8)
    alpha[:, : image.width // 2] = 128
    image = image.quantize(256) if mode == "PA" else image.convert("L" if mode == "LA" else "RGB")
    image = image.convert(mode.upper())
    image.putalpha(Image.fromarray(alpha))
    return image.convert(mode)


def encoded(image: Image.Image, format: str, **settings: Any) -> bytes:  # noqa: A002
    """`image` as a file, in the best quality of the format."""
    out = io.BytesIO()
    if format in ("JPEG", "MPO"):
        settings = {"quality": 98, "subsampling": 0} | settings
    elif format in ("WEBP", "AVIF", "HEIF"):
        settings = {"quality": 98} | settings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of odd modes
        image.save(out, format, **settings)
    return out.getvalue()


@cache
def of_kind(format: str, mode: str) -> bytes:  # noqa: A002
    return encoded(in_mode(mode), format)


def expected(mode: str) -> NDArray[np.float64]:
    """(H, W, 3) in [0, 1]: the look of `in_mode(mode)`."""
    image = scene()
    if mode == "1":
        image = in_mode("1")
    elif mode in ("L", "LA", "I", "F") or mode.startswith("I;16"):
        image = image.convert("L")
    elif mode in ("P", "PA"):
        image = in_mode("P")
    elif mode == "CMYK":
        image = image.convert("CMYK")
    return np.asarray(image.convert("RGB")) / 255


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, depth: int, kind: int, rows: bytes, before: bytes = b"", after: bytes = b"") -> bytes:
    """A PNG: bit depth, colour type (0 grey, 2 RGB, 3 palette, 6 RGBA), filtered rows, chunks around them."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + header + before + pixels + after + chunk(b"IEND", b"")


def one_colour_png(width: int, height: int) -> bytes:
    """A black PNG, made quickly at any size: a packed block of equal rows is repeated."""
    rows = next(n for n in range(100, 0, -1) if height % n == 0)
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(bytes(rows * (1 + width))) + packer.flush(zlib.Z_FULL_FLUSH)
    end = zlib.compressobj(9, wbits=-15).flush()
    adler = (height * (1 + width) % 65521) << 16 | 1  # of so many zeros
    packed = b"\x78\xda" + block * (height // rows) + end + struct.pack(">I", adler)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def cmyk_profile() -> bytes:
    """An output profile whose ink has its own look: cyan is (50, -40, -50) in Lab, every other ink neutral.

    ICC version 2, tag A2B0 as lut8 with 2 grid points for each ink.
    """
    corners = bytearray()
    for corner in range(16):
        c, m, y, k = (corner >> 3) & 1, (corner >> 2) & 1, (corner >> 1) & 1, corner & 1
        lightness = 255 * (1 - 0.5 * c) * (1 - 0.4 * m) * (1 - 0.2 * y) * (1 - 0.9 * k)
        tinted = c and not (m or y or k)
        corners += bytes([round(lightness), 128 - 40 * tinted, 128 - 50 * tinted])
    ramp = bytes(range(256))
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    lut += ramp * 4 + bytes(corners) + ramp * 3
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    tags = struct.pack(">I4sII4sII", 2, b"A2B0", 156, len(lut), b"wtpt", 156 + len(lut), len(white))
    body = tags + lut + white
    head = struct.pack(">II4s4s4s4s", 128 + len(body), 0, b"\2\x10\0\0", b"prtr", b"CMYK", b"Lab ")
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + body


def truncations(data: bytes) -> Iterator[bytes]:
    """`data` cut at every tenth of its length."""
    return (data[: len(data) * tenth // 10] for tenth in range(10))
