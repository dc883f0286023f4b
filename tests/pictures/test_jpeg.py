"""JPEG: the same pixels as Pillow's, and a limit on the passes of a progressive file."""

import io

import numpy as np
import pytest
from PIL import Image

from daemon.errors import JobError
from daemon.pictures.jpeg import MOST_SCANS
from daemon.pictures.reading import read
from tests.support.made_pictures import encoded, scene


def scan_bomb(scans: int) -> bytes:
    """A progressive JPEG whose last pass stands there again and again, as small as a bomb is."""
    data = encoded(scene(), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * scans + b"\xff\xd9"


def test_a_progressive_jpeg_of_a_thousand_passes_is_refused_as_such() -> None:
    with pytest.raises(JobError, match=rf"10\d\d passes, and the limit is {MOST_SCANS}"):
        read(io.BytesIO(scan_bomb(1000)), max_megapixels=1)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "YCbCr"])
@pytest.mark.parametrize("settings", [{}, {"progressive": True}, {"optimize": True}, {"subsampling": 2}])
def test_the_pixels_are_pillows(mode: str, settings: dict[str, object]) -> None:
    data = encoded(scene().convert(mode), "JPEG", **settings)
    pillows = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.float32) / np.float32(255)
    assert np.array_equal(read(io.BytesIO(data), max_megapixels=1).pixels, pillows)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_large_jpeg_is_decoded_at_a_part_of_its_size(mode: str) -> None:
    large = scene().resize((480, 320)).convert(mode)
    small = read(io.BytesIO(encoded(large, "JPEG")), max_megapixels=1, size=48).pixels
    assert small.shape == (32, 48, 3)
    assert abs(small - np.asarray(scene().convert(mode).convert("RGB")) / 255).mean() < 0.02


def passes(data: bytes) -> list[int]:
    """Where each pass of a progressive JPEG begins: with the tables that it needs."""
    starts: list[int] = []
    found = 0
    while (found := data.find(b"\xff\xda", found + 1)) > 0:
        tables = data.rfind(b"\xff\xc4", 0, found)
        starts.append(tables if starts and tables > starts[-1] else found)
    return starts


@pytest.mark.parametrize("end", [b"", b"\xff\xd9"])
def test_a_progressive_jpeg_without_its_last_passes_is_seen(end: bytes) -> None:
    data = encoded(scene(), "JPEG", progressive=True)
    assert read(io.BytesIO(data), max_megapixels=1)
    for start in passes(data)[1:]:
        with pytest.raises(JobError, match="breaks off"):
            read(io.BytesIO(data[:start] + end), max_megapixels=1)


def test_a_jpeg_may_have_a_pass_for_each_colour() -> None:
    """As libjpeg's `cjpeg -scans` writes them: here the grey of one picture stands for each of three colours."""
    grey = encoded(scene().convert("L"), "JPEG")
    sof, sos = grey.index(b"\xff\xc0"), grey.index(b"\xff\xda")
    header = grey[sof + 4 : sof + 9] + b"\3" + b"".join(bytes([number, 0x11, 0]) for number in (1, 2, 3))
    three = grey[:sof] + b"\xff\xc0\0\x11" + header + grey[sof + 13 : sos]
    scans = [grey[sos : sos + 5] + bytes([number, 0]) + grey[sos + 7 : -2] for number in (1, 2, 3)]
    assert read(io.BytesIO(three + b"".join(scans) + b"\xff\xd9"), max_megapixels=1).pixels.shape == (32, 48, 3)
    with pytest.raises(JobError, match=rf"103 passes, and the limit is {MOST_SCANS}"):
        read(io.BytesIO(three + b"".join(scans) + scans[2] * MOST_SCANS + b"\xff\xd9"), max_megapixels=1)
    with pytest.raises(JobError, match="breaks off"):
        read(io.BytesIO(three + b"".join(scans[:2]) + b"\xff\xd9"), max_megapixels=1)
