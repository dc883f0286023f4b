"""What a file's name says: whether it is a photo, what goes with a photo, what is left alone, and a painting's format.

The system allows any bytes in a name. Names are `str` with surrogateescape; print them through `text.escape` only.
"""

import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

OutputFormat = Literal["png", "jpeg", "webp"]

EVERY_STYLE = "all"  # inbox/all/: each photo there is painted in every style
SIDECAR = ".yaml"  # photo.jpg.yaml: recipe settings of one photo
MASK = ".mask.png"  # photo.jpg.mask.png
FILM = ".film.webp"  # photo.film.webp beside a painting photo.jpg: a film of its making

# cameras with two lenses or with previews write .mpo and .jpg; .hif is Canon's and Sony's HEIC
PICTURE_EXTENSIONS = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"),
        *(".heic", ".heif", ".hif", ".avif"),
    }
)
# of each format that paintings are written in; the first is the usual extension
OUTPUT_EXTENSIONS: Mapping[OutputFormat, tuple[str, ...]] = MappingProxyType(
    {"png": (".png",), "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"), "webp": (".webp",)}
)
LONGEST_SIDE: Mapping[OutputFormat, int] = MappingProxyType({"png": 2**31 - 1, "jpeg": 65_535, "webp": 16_383})
_KEPT_FORMATS: Mapping[str, OutputFormat] = MappingProxyType({"JPEG": "jpeg", "MPO": "jpeg", "WEBP": "webp"})

_TEMPORARY = ("~", ".part", ".crdownload", ".tmp", ".filepart", ".partial", ".download")
# what storage systems and archivers keep among a user's photos: thumbnails, deleted files, resource forks
_SYSTEM_FOLDERS = frozenset(
    {
        *("@eadir", "@recycle", "#recycle", "#snapshot", "$recycle.bin", "system volume information"),
        *("lost+found", "__macosx"),
    }
)


def composed(name: str) -> str:
    """The name as people see it: a Mac spells é as an e with an accent behind it, most others as one character."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def unfinished(name: str) -> str:
    """The name that a file will have once its download is complete; "" if this is no unfinished download's name."""
    lower = name.lower()
    if not lower.endswith(_TEMPORARY):
        return ""
    return next(name[: -len(ending)] for ending in _TEMPORARY if lower.endswith(ending))


def ignored_reason(name: str) -> str:
    """Why a file or folder of this name is always left alone; "" if its name gives no reason."""
    if name.startswith("."):
        return "hidden: its name begins with a dot"
    lower = name.lower()
    for ending in _TEMPORARY:
        if lower.endswith(ending):
            return f"temporary: its name ends in {ending}"
    if lower in _SYSTEM_FOLDERS:
        return "a folder of the storage system, not of yours"
    return ""


def extension(name: str) -> str:
    """ ".jpg" of "Photo.JPG", "" of "README" and of ".jpg"."""
    stem, _, ending = name.rpartition(".")
    return f".{ending.lower()}" if stem and ending else ""


def is_picture(name: str) -> bool:
    """Whether the name has a picture's extension, in upper or lower case. A mask's name has one, too."""
    return extension(name) in PICTURE_EXTENSIONS


def is_photo(name: str) -> bool:
    """Whether a file of this name is meant to be painted."""
    return is_picture(name) and not companion_of(name) and not ignored_reason(name)


def companion_of(name: str) -> str:
    """The photo that a sidecar or mask of this name belongs to; "" if the name belongs to neither.

    `venice.mask.png` is a photo, because "venice" is no picture's name.
    """
    lower = name.lower()
    for ending in (SIDECAR, MASK):
        if lower.endswith(ending) and is_picture(name[: -len(ending)]):
            return name[: -len(ending)]
    return ""


def natural_sort_key(name: str) -> tuple[list[str | int], str]:
    """Sorts photo-9 before photo-10; two different names have different keys."""
    parts = re.split(r"([0-9]+)", name.lower())  # every second part is a number
    return [int(part) if index % 2 else part for index, part in enumerate(parts)], name


def output_format(
    source_format: str, wanted: Literal["keep", "png", "jpeg", "webp"], size: tuple[int, int] = (1, 1)
) -> OutputFormat:
    """The format of a painting of `size` (width, height) in pixels.

    `source_format` is what the photo's content says ("JPEG", "HEIF" …). "keep" keeps JPEG and WebP and turns all
    else into PNG. A painting with a side that is too long for its format becomes a PNG, too.
    """
    chosen: OutputFormat = _KEPT_FORMATS.get(source_format, "png") if wanted == "keep" else wanted
    return chosen if max(size) <= LONGEST_SIDE[chosen] else "png"


def extension_of(output: OutputFormat, photo: str = "") -> str:
    """The extension of a painting's name, with its dot: the photo's own ("IMG.JPG": ".JPG") if the format has it."""
    own = photo[photo.rfind(".") :] if "." in photo else ""
    return own if own.lower() in OUTPUT_EXTENSIONS[output] else OUTPUT_EXTENSIONS[output][0]
