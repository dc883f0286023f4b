"""Whether the pixels of a file are all there, by the word of its format, where the decoder does not say so itself.

JPEG: see jpeg.py. PNG: the checksums of its chunks. WebP, HEIC and AVIF have no checksum, and their decoders make a
picture of anything: there a long row of zeros among the compressed pixels is a part that never came, because compressed
pixels hold no such row. What stands behind the end of a picture or beside its pixels is nobody's concern: memory cards
and recovery programs leave zeros there, phones leave trailers.
"""

import io
from collections.abc import Iterator
from typing import BinaryIO

from daemon.pictures import boxes, chunks
from daemon.pictures.refusals import breaks_off, has_a_hole

BLANK = bytes(4096)
BLOCK = 1 << 20  # bytes searched at a time


def refuse_holes(data: BinaryIO) -> None:
    """Raises JobError if the file breaks off or a part of its pixels is missing. Moves the position in `data`."""
    data.seek(0)
    head = data.read(12)
    length = data.seek(0, io.SEEK_END)
    if head.startswith(b"\x89PNG"):
        if chunks.is_damaged(data):
            raise has_a_hole("PNG")
    elif head.startswith(b"RIFF") and head[8:] == b"WEBP":
        _check(data, "WebP", length, list(_webp_pixels(data, min(length, int.from_bytes(head[4:8], "little") + 8))))
    elif head[4:8] == b"ftyp":
        kind = "AVIF" if head[8:11] == b"avi" else "HEIC"
        _check(data, kind, length, [(start, end, False) for start, end in boxes.pixel_ranges(data)])


def _check(data: BinaryIO, kind: str, length: int, ranges: list[tuple[int, int, bool]]) -> None:
    for start, end, only_at_end in ranges:
        if end > length:
            raise breaks_off(kind)
        if _is_blank(data, max(start, end - len(BLANK)) if only_at_end else start, end):
            raise has_a_hole(kind)


def _webp_pixels(data: BinaryIO, end: int, place: int = 12) -> Iterator[tuple[int, int, bool]]:
    """(start, end, whether zeros say something only at the end) of each piece of compressed pixels."""
    while place + 8 <= end:
        data.seek(place)
        head = data.read(8)
        size = int.from_bytes(head[4:], "little")
        if head[:4] in (b"VP8 ", b"VP8L"):
            # VP8L has Huffman codes, which can be zeros in a large flat area
            yield place + 8, place + 8 + size, head[:4] == b"VP8L"
        place += 8 + (16 if head[:4] == b"ANMF" else size + size % 2)  # the parts of a frame follow its header


def _is_blank(data: BinaryIO, start: int, end: int) -> bool:
    """Whether BLANK is somewhere between the places `start` and `end`."""
    data.seek(start)
    before, left = b"", end - start
    while left > 0 and (block := data.read(min(left, BLOCK))):
        left -= len(block)
        if BLANK in before + block:
            return True
        before = block[-len(BLANK) :]
    return False
