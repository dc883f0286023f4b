"""The boxes of HEIC and AVIF: what they say, and what nonsense in them may cost."""

import io
import struct
import time

import pytest

from daemon.pictures import boxes
from tests.support.made_pictures import encoded, of_kind, scene


def box(kind: bytes, *content: bytes) -> bytes:
    inside = b"".join(content)
    return struct.pack(">I", 8 + len(inside)) + kind + inside


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_the_pixels_are_found_where_they_are(kind: str) -> None:
    data = encoded(scene(), kind, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0")
    ranges = boxes.pixel_ranges(io.BytesIO(data))
    assert ranges
    mdat = data.index(b"mdat") + 4
    assert all(mdat <= start < end <= len(data) for start, end in ranges)
    assert sum(end - start for start, end in ranges) < len(data) - mdat, "the EXIF is in the same box"


def test_the_numbers_of_the_picture_are_found() -> None:
    assert boxes.colour_numbers(io.BytesIO(of_kind("AVIF", "RGB"))) == (1, 13)
    assert boxes.colour_numbers(io.BytesIO(of_kind("JPEG", "RGB"))) is None


def test_the_last_box_may_reach_to_the_end_or_be_of_64_bits() -> None:
    long = struct.pack(">I4sQ", 1, b"free", 20) + bytes(4)
    data = box(b"ftyp", b"heic") + long + struct.pack(">I4s", 0, b"mdat") + bytes(9)
    found = [(each.kind, each.start, each.end) for each in boxes.top(io.BytesIO(data))]
    assert found == [(b"ftyp", 8, 12), (b"free", 28, 32), (b"mdat", 40, 49)]


def test_zeros_behind_the_last_box_are_no_box() -> None:
    data = box(b"ftyp", b"heic") + bytes(5000)
    assert [each.kind for each in boxes.top(io.BytesIO(data))] == [b"ftyp"]


def test_nonsense_costs_no_time() -> None:
    """65,535 items of 65,535 parts each, in which a part takes no byte; and parts that all lie in one place."""
    item = struct.pack(">HHH", 1, 0, 65_535)
    empty = box(b"iloc", bytes(4), b"\0\0", struct.pack(">H", 65_535), item * 65_535)
    whole = struct.pack(">HHHII", 1, 0, 1, 0, 1 << 31)
    same = box(b"iloc", bytes(4), b"\x44\0", struct.pack(">H", 65_535), whole * 65_535)
    entry = box(b"infe", b"\2\0\0\0", struct.pack(">HH", 1, 0), b"hvc1\0")
    items = box(b"iinf", bytes(4), struct.pack(">H", 1), entry)
    for places, wanted in ((empty, []), (same, [(0, 1 << 31)])):
        data = box(b"ftyp", b"heic") + box(b"meta", bytes(4), items, places)
        started = time.process_time()
        assert boxes.pixel_ranges(io.BytesIO(data)) == wanted
        assert time.process_time() - started < 2
