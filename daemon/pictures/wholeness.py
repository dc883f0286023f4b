"""Whether a file holds all its pixels, found from the file's format where the decoder does not tell.

JPEG: see jpeg.py. PNG: the checksums of its chunks. WebP, HEIC and AVIF have no checksum, and their decoders make a
picture of anything: in these files, a long row of zeros among the compressed pixels is a part that was never written,
because compressed pixels hold no such row. Bytes behind the end of a picture or beside its pixels do not matter: memory
cards and recovery programs leave zeros there, phones leave trailers.
"""

import io
from collections.abc import Iterator
from typing import BinaryIO

from daemon.pictures import boxes, chunks
from daemon.pictures.refusals import breaks_off, has_a_hole

BLOCK = 1 << 20  # bytes searched at a time
# Zeros in a row that no coder writes. HEVC forbids three (ISO/IEC 23008-2, 7.4.2); an arithmetic coder (VP8, AV1) may
# write some hundred for the flattest of pictures.
ROWS = {"HEIC": 64, "AVIF": 4096, "WebP": 4096}


def refuse_holes(data: BinaryIO) -> None:
    """Raises JobError if the file breaks off or a part of its pixels is missing. Moves the position in `data`."""
    data.seek(0)
    head = data.read(12)
    length = data.seek(0, io.SEEK_END)
    if head.startswith(b"\x89PNG"):
        if chunks.is_damaged(data):
            raise has_a_hole("PNG")
    elif head.startswith(b"RIFF") and head[8:] == b"WEBP":
        end = min(length, int.from_bytes(head[4:8], "little") + 8)
        _check(data, "WebP", length, list(_webp_pixels(data, end)))
    elif head[4:8] == b"ftyp":
        _check(data, "AVIF" if head[8:11] == b"avi" else "HEIC", length, boxes.pixel_ranges(data))


def _check(data: BinaryIO, kind: str, length: int, ranges: list[tuple[int, int]]) -> None:
    row = bytes(ROWS[kind])
    for start, end in ranges:
        if end > length:
            raise breaks_off(kind)
        if _holds(data, row, start, end):
            raise has_a_hole(kind)


def _webp_pixels(data: BinaryIO, end: int) -> Iterator[tuple[int, int]]:
    """(start, end) of each piece of compressed pixels in which a row of zeros is a hole."""
    place = 12
    while place + 8 <= end:
        data.seek(place)
        head = data.read(8)
        size = int.from_bytes(head[4:], "little")
        last = place + 8 + size
        if head[:4] == b"VP8 ":
            yield place + 8, last
        elif head[:4] == b"VP8L":  # its Huffman codes can be zeros in a large flat area, but not up to its end
            yield max(place + 8, last - ROWS["WebP"]), last
        place += 8 + (16 if head[:4] == b"ANMF" else size + size % 2)  # the parts of a frame follow its header


def _holds(data: BinaryIO, row: bytes, start: int, end: int) -> bool:
    """Whether `row` is somewhere between the places `start` and `end`."""
    data.seek(start)
    before, left = b"", end - start
    while left > 0 and (block := data.read(min(left, BLOCK))):
        left -= len(block)
        if row in before + block:
            return True
        before = block[-len(row) :]
    return False
