"""What a name says: which files of an inbox are photos, which go with one, which are left alone, and why.

Names are bytes to the system and any bytes may come: they are kept as `str` with surrogateescape and are never
printed but by `shown`.
"""

import re

from daemon.formats import EXTENSIONS_IN

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


def passing(name: str) -> str:
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
    return is_picture(name) and not companion_of(name) and not passing(name)


def natural(name: str) -> tuple[list[str | int], str]:
    """Sorts photo-9 before photo-10, and no two names alike."""
    parts = re.split(r"([0-9]+)", name.lower())
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], name


def shown(name: str) -> str:
    """The name as one line of harmless text: control characters, direction marks and broken bytes as escapes."""
    if name.isprintable() and "\\" not in name:
        return name
    return "".join(_shown(character) for character in name)


def _shown(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as surrogateescape keeps it
        return f"\\x{code - 0xDC00:02x}"
    if character.isprintable() and character != "\\":
        return character
    return character.encode("unicode_escape").decode()


def plain(text: str) -> str:
    """Several lines of harmless text: all that `shown` escapes is escaped, but for the lines' ends."""
    return "\n".join(line if line.isprintable() else shown(line) for line in text.split("\n"))
