"""The chunks of a PNG: what stands before the pixels, whether the pixels are whole, and texts that are too long."""

import zlib
from collections.abc import Callable, Collection, Iterator
from typing import BinaryIO

from PIL import ImageFile
from PIL.PngImagePlugin import PngStream

BLOCK = 1 << 20  # bytes read at a time
LARGEST = 1 << 25  # most bytes of a chunk that describes the colours
Reads = Callable[[PngStream, int, int], bytes]


def tolerate_long_texts() -> None:
    """Let Pillow leave out texts and profiles that exceed its limit of memory, instead of refusing the picture.

    Pillow unpacks 1 MiB of each text at most, and 64 MiB of all of them, and then refuses the whole picture.
    """
    for name in ("chunk_tEXt", "chunk_zTXt", "chunk_iTXt", "chunk_iCCP"):
        setattr(PngStream, name, _tolerant(getattr(PngStream, name)))


def _tolerant(original: Reads) -> Reads:
    def read(self: PngStream, pos: int, length: int) -> bytes:
        try:
            return original(self, pos, length)
        except (ValueError, SyntaxError, IndexError):
            assert self.fp is not None
            self.fp.seek(pos)
            return ImageFile._safe_read(self.fp, length)

    return read


def before_pixels(file: BinaryIO, wanted: Collection[bytes]) -> dict[bytes, bytes]:
    """The content of the first chunk of each `wanted` name before the pixels."""
    found: dict[bytes, bytes] = {}
    for name, length in _chunks(file):
        if name == b"IDAT":
            break
        if name in wanted and name not in found and length <= LARGEST:
            found[name] = file.read(length)
    return found


def is_damaged(file: BinaryIO) -> bool:
    """Whether the bytes of a chunk of pixels do not match the chunk's checksum."""
    for name, length in _chunks(file):
        if name != b"IDAT":
            continue
        total = zlib.crc32(name)
        while length > 0 and (block := file.read(min(length, BLOCK))):
            total = zlib.crc32(block, total)
            length -= len(block)
        stored = file.read(4)
        if len(stored) == 4 and int.from_bytes(stored, "big") != total:
            return True
    return False


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """(name, length) of each chunk, with the file at the chunk's content, which the caller may read or not."""
    place = 8
    while True:
        file.seek(place)
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            return
        length = int.from_bytes(head[:4], "big")
        yield head[4:], length
        place += 12 + length
