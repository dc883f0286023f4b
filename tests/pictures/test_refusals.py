import errno
import io
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from daemon.errors import JobError
from daemon.pictures.probing import probe
from daemon.pictures.reading import Picture, read
from daemon.pictures.refusals import decoding
from tests.support.made_pictures import EVERY_KIND, encoded, of_kind, scene, truncations


def refusal(data: bytes) -> JobError:
    with pytest.raises(JobError) as caught:
        read(io.BytesIO(data), max_megapixels=200)
    for words in (caught.value.reason, caught.value.advice):
        assert words.endswith(".")
        assert len(words) > 10
        assert words.isprintable()
    with pytest.raises(JobError):
        probe(io.BytesIO(data))
    return caught.value


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (bytes(5000), "nothing but zeros"),
        (b"Dear diary,\nthis is no picture.\n", "text"),
        ("Äpfel sind keine Bilder\n".encode(), "text"),
        (bytes(range(256)) * 9, "not a picture"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "a PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"<svg/>", "SVG"),
        (b"\n<!DOCTYPE html>\n<html><title>404</title></html>", "web page"),
        (b"8BPS\0\1" + bytes(200), "Photoshop"),
        (b"II*\0\x10\0\0\0CR\2\0" + bytes(100), r"RAW file \(Canon\)"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", r"RAW file \(Canon\)"),
        (b"FUJIFILMCCD-RAW 0201", r"RAW file \(Fujifilm\)"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\0\0\0\x20ftypisom" + bytes(40), "a video"),
        (b"PK\3\4" + bytes(40), "an archive"),
        (b"\xff\xd8\xff\xe0 and then something else", "JPEG picture breaks off"),
        (b"II*\0\xff\xff\xff\xff", "TIFF"),
    ],
)
def test_each_refusal_says_what_the_file_is(data: bytes, words: str) -> None:
    assert re.search(words, refusal(data).reason)


@pytest.mark.parametrize("format", ["PPM", "TGA", "PCX", "ICO", "JPEG2000", "PDF", "EPS", "DDS", "SGI", "IM"])
def test_no_other_decoder_is_tried(format: str) -> None:  # noqa: A002
    """Pillow reads all of these but PDF; EPS would start Ghostscript."""
    assert "damaged" not in refusal(encoded(scene(), format)).reason


@pytest.mark.parametrize("tags", [{50706: b"\1\4\0\0"}, {254: 1, 330: 8}], ids=["DNG", "NEF"])
def test_a_raw_file_that_looks_like_a_tiff_is_not_painted_as_its_thumbnail(tags: dict[int, object]) -> None:
    data = encoded(Image.new("RGB", (160, 120)), "TIFF", tiffinfo=tags)
    assert "RAW" in refusal(data).reason


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF"])
def test_half_a_picture_is_refused_as_such(format: str) -> None:  # noqa: A002
    data = encoded(scene(200, 150), format)
    with pytest.raises(JobError, match=r"breaks off|damaged") as caught:
        read(io.BytesIO(data[: len(data) // 2]), max_megapixels=200)
    assert "Copy it again" in caught.value.advice
    assert "breaks off" in caught.value.reason


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "HEIF", "AVIF"])
def test_a_picture_whose_space_was_made_and_never_filled_is_refused(format: str) -> None:  # noqa: A002
    """As a copy leaves it that makes a file of the full length first and then is broken off."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8))
    data = encoded(noise, format)
    half = len(data) // 2
    assert attempt(data)
    assert attempt(data[:half] + bytes(len(data) - half)) is None


def test_zeros_behind_a_jpegs_end_are_harmless() -> None:
    assert attempt(encoded(scene(), "JPEG") + bytes(100_000))


@pytest.mark.parametrize("format", ["HEIF", "AVIF"])
def test_room_that_is_declared_free_is_harmless(format: str) -> None:  # noqa: A002
    assert attempt(encoded(scene(), format) + (10_008).to_bytes(4, "big") + b"free" + bytes(10_000))


@pytest.mark.parametrize(("format", "mode"), EVERY_KIND)
def test_a_picture_cut_anywhere_is_refused_or_whole(format: str, mode: str) -> None:  # noqa: A002
    whole = attempt(of_kind(format, mode))
    assert whole is not None
    for data in truncations(of_kind(format, mode)):
        picture = attempt(data)
        assert picture is None or np.array_equal(picture.pixels, whole.pixels)


def attempt(data: bytes) -> Picture | None:
    """Reading anything gives a good picture or a JobError, never another exception."""
    try:
        picture = read(io.BytesIO(data), max_megapixels=1, size=40)
    except JobError:
        return None
    height, width = picture.pixels.shape[:2]
    assert max(height, width) == 40
    assert np.isfinite(picture.pixels).all()
    assert picture.pixels.min() >= 0
    assert picture.pixels.max() <= 1
    assert picture.alpha is None or picture.alpha.shape == (height, width)
    return picture


PLACES = st.one_of(st.integers(0, 200), st.integers(0, 1_000_000))  # half of them in the headers


@pytest.mark.slow
@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(EVERY_KIND), st.lists(st.tuples(PLACES, st.integers(0, 255)), min_size=1, max_size=8))
def test_flipped_bytes_do_no_more_harm_than_a_refusal(kind: tuple[str, str], flips: list[tuple[int, int]]) -> None:
    data = bytearray(of_kind(*kind))
    for place, value in flips:
        data[place % len(data)] = value
    attempt(bytes(data))


MAGIC = [
    b"",
    b"\xff\xd8\xff\xe0",
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    b"RIFF\xff\0\0\0WEBPVP8 ",
    b"II*\0\x08\0\0\0",
    b"BM",
]
MAGIC += [b"MM\0*\0\0\0\x08", b"GIF89a", b"\0\0\0\x18ftypheic", b"\0\0\0\x18ftypavif", b"MM\0+\0\x08\0\0"]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(MAGIC), st.binary(max_size=300))
def test_any_bytes_at_all_are_refused_or_painted(magic: bytes, noise: bytes) -> None:
    attempt(magic + noise)


class SickFile(io.BytesIO):
    """A file on a disk that cannot read beyond `good` bytes."""

    def __init__(self, data: bytes, good: int) -> None:
        super().__init__(data)
        self._good = good

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if self.tell() > self._good:
            raise OSError(errno.EIO, "Input/output error")
        return data


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF"])
@pytest.mark.parametrize("tenth", [0, 3, 6, 9])
def test_a_sick_disk_is_no_bad_picture(format: str, tenth: int) -> None:  # noqa: A002
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8))
    data = encoded(noise, format)
    with pytest.raises(OSError, match="Input/output") as caught:
        read(SickFile(data, len(data) * tenth // 10), max_megapixels=1)
    assert caught.value.errno == errno.EIO


@pytest.mark.parametrize("words", ["Security limit exceeded: too many tiles", "Image size is too large for this build"])
def test_a_limit_of_a_decoder_is_no_damage(words: str) -> None:
    with pytest.raises(JobError) as caught, decoding(io.BytesIO(of_kind("HEIF", "RGB"))):
        raise ValueError(words)
    assert words in caught.value.reason
    assert "damaged" not in str(caught.value)


def test_a_kind_that_no_decoder_knows_is_no_damage() -> None:
    """A BMP whose pixels are a PNG (BI_PNG), as printers get them."""
    data = bytearray(of_kind("BMP", "RGB"))
    data[30] = 5
    with pytest.raises(JobError) as caught:
        read(io.BytesIO(bytes(data)), max_megapixels=1)
    assert "a kind of BMP that cannot be read" in caught.value.reason
    assert "damaged" not in str(caught.value)
