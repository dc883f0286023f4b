"""Which file names are pictures, and what a painting's file is. Pure: the daemon process, too, imports it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

OutputFormat = Literal["png", "jpeg", "webp"]

# .mpo and .jpg are what cameras with two lenses or with previews write; .hif is Canon's and Sony's HEIC
EXTENSIONS_IN = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".mpo",
        ".png",
        ".webp",
        ".tif",
        ".tiff",
        ".bmp",
        ".gif",
        ".heic",
        ".heif",
        ".hif",
        ".avif",
    }
)
ENDINGS: Mapping[OutputFormat, tuple[str, ...]] = MappingProxyType(
    {"png": (".png",), "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"), "webp": (".webp",)}
)
EXTENSIONS: Mapping[OutputFormat, str] = MappingProxyType({"png": ".png", "jpeg": ".jpg", "webp": ".webp"})
LONGEST_SIDE: Mapping[OutputFormat, int] = MappingProxyType({"png": 2**31 - 1, "jpeg": 65_535, "webp": 16_383})
KEPT: Mapping[str, OutputFormat] = MappingProxyType({"JPEG": "jpeg", "MPO": "jpeg", "WEBP": "webp"})


def output_format(
    source_format: str, wanted: Literal["keep", "png", "jpeg", "webp"], size: tuple[int, int] = (1, 1)
) -> OutputFormat:
    """What a painting of `size` (width, height) is written as.

    `source_format` is what the photo's file says it is ("JPEG", "HEIF" …); "keep" keeps JPEG and WebP and makes
    PNG of all else. A painting with a side that the format cannot hold becomes PNG, too.
    """
    chosen: OutputFormat = KEPT.get(source_format, "png") if wanted == "keep" else wanted
    return chosen if max(size) <= LONGEST_SIDE[chosen] else "png"


def extension_of(output: OutputFormat, photo: str = "") -> str:
    """The ending of a painting's name, with its dot: the photo's own where it is one of this format's."""
    own = photo[photo.rfind(".") :] if "." in photo else ""
    return own if own.lower() in ENDINGS[output] else EXTENSIONS[output]
