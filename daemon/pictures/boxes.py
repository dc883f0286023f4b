"""The boxes of a HEIC or AVIF (ISO/IEC 14496-12 and 23008-12): where they end, their colours, where the pixels are."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

LARGEST_META = 1 << 24  # bytes; a picture of 10,000 tiles describes itself in a tenth of that
MOST = 100_000  # boxes, items or parts of items
CODED = (b"hvc1", b"av01")  # kinds of items that hold compressed pixels
FULL = 4  # bytes: the version and the flags at the start of some boxes


@dataclass(frozen=True, slots=True)
class Box:
    """The `kind` of a box at the top of the file, the place of its content and the place behind it."""

    kind: bytes
    start: int
    end: int


def top(file: BinaryIO) -> Iterator[Box]:
    """The boxes of the file, as far as they are valid; the last may reach beyond the end of the file."""
    length, place = file.seek(0, 2), 0
    for _ in range(MOST):
        file.seek(place)
        head = file.read(16)
        size, header, kind = int.from_bytes(head[:4], "big"), 8, head[4:8]
        if size == 1:
            size, header = int.from_bytes(head[8:16], "big"), 16
        elif size == 0:
            size = length - place  # to the end of the file
        if size < header or not kind.strip().isalnum():
            return
        yield Box(kind, place + header, place + size)
        place += size


def colour_numbers(file: BinaryIO) -> tuple[int, int] | None:
    """(primaries, curve) of the picture by ITU-T H.273, from its box `colr` of the kind nclx; None if the picture has
    no such box."""
    meta = _meta(file)
    properties = _content(meta, b"iprp")
    wanted = _properties_of(_content(properties, b"ipma"), _primary(_content(meta, b"pitm")))
    for number, (kind, content) in enumerate(_inside(_content(properties, b"ipco")), 1):
        if kind == b"colr" and content[:4] == b"nclx" and len(content) >= 8 and (not wanted or number in wanted):
            return int.from_bytes(content[4:6], "big"), int.from_bytes(content[6:8], "big")
    return None


def pixel_ranges(file: BinaryIO) -> list[tuple[int, int]]:
    """(start, end) in the file of each piece of compressed pixels, of the picture and of the images that belong to it.
    The ranges do not overlap."""
    meta = _meta(file)
    coded = set(_coded_items(_content(meta, b"iinf")))
    places = sorted((start, end) for item, start, end in _places(_content(meta, b"iloc")) if item in coded)
    apart: list[tuple[int, int]] = []
    for start, end in places:
        if apart and start < apart[-1][1]:
            start, end = apart[-1][0], max(end, apart.pop()[1])
        apart.append((start, end))
    return apart


def _meta(file: BinaryIO) -> bytes:
    for box in top(file):
        if box.kind == b"meta" and box.end - box.start <= LARGEST_META:
            file.seek(box.start)
            return file.read(box.end - box.start)[FULL:]
    return b""


def _inside(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(kind, content) of the boxes within a box."""
    place = 0
    for _ in range(MOST):
        size = int.from_bytes(content[place : place + 4], "big")
        if size < 8:
            return
        yield content[place + 4 : place + 8], content[place + 8 : place + size]
        place += size


def _content(content: bytes, kind: bytes) -> bytes:
    return next((inner for each, inner in _inside(content) if each == kind), b"")


class _Numbers:
    """Reads big-endian numbers one after another; behind the end they are 0."""

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0

    def next(self, size: int) -> int:
        self._place += size
        return int.from_bytes(self._data[self._place - size : self._place], "big")

    @property
    def is_over(self) -> bool:
        return self._place >= len(self._data)


def _primary(pitm: bytes) -> int:
    return int.from_bytes(pitm[FULL:], "big")


def _properties_of(ipma: bytes, item: int) -> set[int]:
    """The numbers of the properties that belong to `item`."""
    numbers = _Numbers(ipma)
    version, flags = numbers.next(1), numbers.next(3)
    wide = flags & 1
    for _ in range(min(numbers.next(4), MOST)):
        own = numbers.next(4 if version else 2)
        found = {numbers.next(2) & 0x7FFF if wide else numbers.next(1) & 0x7F for _ in range(numbers.next(1))}
        if own == item:
            return found
    return set()


def _coded_items(iinf: bytes) -> Iterator[int]:
    skip = FULL + (4 if iinf[:1] > b"\0" else 2)
    for kind, infe in _inside(iinf[skip:]):
        width = 4 if infe[:1] == b"\3" else 2
        if kind == b"infe" and infe[FULL + width + 2 : FULL + width + 6] in CODED:
            yield int.from_bytes(infe[FULL : FULL + width], "big")


def _places(iloc: bytes) -> Iterator[tuple[int, int, int]]:
    """(item, start, end) of each part of each item that is stored in the file itself."""
    numbers = _Numbers(iloc)
    version = numbers.next(1)
    numbers.next(3)
    left = MOST
    sizes = [half for both in (numbers.next(1), numbers.next(1)) for half in (both >> 4, both & 15)]
    for _ in range(min(numbers.next(4 if version == 2 else 2), MOST)):
        item = numbers.next(4 if version == 2 else 2)
        method = numbers.next(2) & 15 if version else 0
        numbers.next(2)
        base = numbers.next(sizes[2])
        for _ in range(min(numbers.next(2), left)):
            left -= 1
            numbers.next(sizes[3] if version else 0)
            start, length = base + numbers.next(sizes[0]), numbers.next(sizes[1])
            if method == 0 and length:
                yield item, start, start + length
        if numbers.is_over:
            return
