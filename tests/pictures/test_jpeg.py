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
