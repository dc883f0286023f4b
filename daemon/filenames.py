"""What a name says: which files of an inbox are photos, which go with one, which are left alone, and why.

Names are bytes to the system and any bytes may come: they are kept as `str` with surrogateescape and are never
printed but by `shown`.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

SIDECAR = ".yaml"  # photo.jpg.yaml: recipe settings of one photo
MASK = ".mask.png"  # photo.jpg.mask.png
TEMPORARY = ("~", ".part", ".crdownload", ".tmp", ".filepart", ".partial", ".download")

# what storage systems and archivers keep among a user's photos: thumbnails, deleted files, resource forks
SYSTEM_FOLDERS = frozenset(
    {
        "@eadir",
        "@recycle",
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "system volume information",
        "lost+found",
        "__macosx",
    }
)


def ignored_reason(name: str) -> str:
    """Why a file or folder of this name is never looked into, or "" if its name does not say so."""
    if name.startswith("."):
        return "hidden: its name begins with a dot"
    lower = name.lower()
    for ending in TEMPORARY:
        if lower.endswith(ending):
            return f"temporary: its name ends in {ending}"
    if lower in SYSTEM_FOLDERS:
        return "a folder of the storage system, not of yours"
    return ""


def is_picture(name: str) -> bool:
    """Whether the extension is a picture's, in any case; a mask's name has one, too."""
    return extension(name) in EXTENSIONS_IN


def extension(name: str) -> str:
    """ ".jpg" of "Photo.JPG", "" of "README" and of ".jpg"."""
    stem, _, ending = name.rpartition(".")
    return f".{ending.lower()}" if stem and ending else ""


def companion_of(name: str) -> str:
    """The photo that a sidecar or mask of this name belongs to, "" if it is neither.

    `venice.mask.png` is a photo: "venice" is no picture's name.
    """
    lower = name.lower()
    for ending in (SIDECAR, MASK):
        if lower.endswith(ending) and is_picture(name[: -len(ending)]):
            return name[: -len(ending)]
    return ""


def is_photo(name: str) -> bool:
    """Whether a file of this name is meant to be painted."""
    return is_picture(name) and not companion_of(name) and not ignored_reason(name)


def natural_sort_key(name: str) -> tuple[list[str | int], str]:
    """Sorts photo-9 before photo-10, and no two names alike."""
    parts = re.split(r"([0-9]+)", name.lower())
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], name


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
