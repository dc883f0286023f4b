"""Whole or not whole: a sound file is never called broken, and a broken file is never painted in silence."""

import io
import re
import struct
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from PIL import Image

from daemon.errors import JobError
from daemon.pictures.reading import read
from tests.support.made_pictures import chunk, encoded, png, scene

ZEROS = bytes(32_768)  # a cluster of a memory card


def busy() -> Image.Image:
    """A picture whose file is long enough for a hole."""
    noise = np.random.default_rng(1).normal(0, 18, (256, 384, 3))
    return Image.fromarray(np.clip(np.asarray(scene().resize((384, 256))) + noise, 0, 255).astype(np.uint8))


KINDS: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: encoded(busy(), "JPEG"),
    "JPEG progressive": lambda: encoded(busy(), "JPEG", progressive=True),
    "JPEG with restarts": lambda: encoded(busy(), "JPEG", restart_marker_rows=1),
    "JPEG grey": lambda: encoded(busy().convert("L"), "JPEG"),
    "JPEG CMYK": lambda: encoded(busy().convert("CMYK"), "JPEG"),
    "PNG": lambda: encoded(busy(), "PNG"),
    "WebP": lambda: encoded(busy(), "WEBP", quality=95),
    "HEIC": lambda: encoded(busy(), "HEIF"),
    "AVIF": lambda: encoded(busy(), "AVIF"),
}
COMPRESSED = [*KINDS]


@cache
def whole(kind: str) -> bytes:
    return KINDS[kind]()


def is_read(data: bytes) -> bool:
    try:
        read(io.BytesIO(data), max_megapixels=1)
    except JobError as error:
        return not ("damaged" in error.reason or "breaks off" in error.reason)
    return True


@pytest.mark.parametrize("kind", COMPRESSED)
@pytest.mark.parametrize("trailer", [ZEROS, b"trailer" * 99, b"SEFT" + ZEROS, b"\xff" * 5000, b"\0"])
def test_what_stands_behind_the_end_does_no_harm(kind: str, trailer: bytes) -> None:
    assert is_read(whole(kind) + trailer)


@pytest.mark.parametrize("kind", COMPRESSED)
@pytest.mark.parametrize("byte", [b"\0", b"\xff"])
@pytest.mark.parametrize(("start", "end"), [(1 / 3, 2 / 3), (0.4, 1), (0.9, 1)])
def test_a_hole_is_seen(kind: str, byte: bytes, start: float, end: float) -> None:
    if byte == b"\xff" and kind in ("WebP", "HEIC", "AVIF"):
        pytest.skip("no checksum, and no row of 0xff that a coder could not write")
    data = bytearray(whole(kind))
    first, last = int(len(data) * start), int(len(data) * end)
    data[first:last] = byte * (last - first)
    assert not is_read(bytes(data))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith("JPEG")])
def test_a_cut_jpeg_with_an_end_put_behind_is_seen(kind: str) -> None:
    data = whole(kind)
    for share in (0.5, 0.8, 0.98):
        cut = data[: int(len(data) * share)]
        assert not is_read(cut + b"\xff\xd9")
        assert not is_read(cut)
        assert not is_read(cut + ZEROS + b"\xff\xd9")


def test_a_sector_of_another_picture_is_seen() -> None:
    data = bytearray(whole("JPEG"))
    data[20_000:24_096] = data[8_000:12_096]
    assert not is_read(bytes(data))


def odd_scan_header(data: bytes) -> bytes:
    """A baseline JPEG's header says of its only scan that it has no frequencies."""
    if b"\xff\xc2" in data[:2000]:
        return data
    scan = data.index(b"\xff\xda")
    length = int.from_bytes(data[scan + 2 : scan + 4], "big")
    return data[: scan + length - 1] + b"\0\0\0" + data[scan + length + 2 :]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith("JPEG")])
def test_a_jpeg_that_is_only_odd_is_sound(kind: str) -> None:
    data = whole(kind)
    end = data.rindex(b"\xff\xd9")
    assert end == len(data) - 2
    fill = b"\xff\xef" + struct.pack(">H", 8194) + bytes(8192)
    odd = {
        "no end marker": data[:-2],
        "zeros before the end marker, as some cameras write them": data[:-2] + bytes(300) + b"\xff\xd9",
        "fill before the end marker": data[:-2] + b"\xff" * 300 + b"\xff\xd9",
        "zeros instead of the end marker": data[:-2] + ZEROS,
        "zeros in a block of metadata": data[:2] + fill + data[2:],
        "bytes between two blocks": data[:2] + fill + b"\0\0" + data[2:],
        "a scan header of zeros, as some cameras write it": odd_scan_header(data),
        "a newer JFIF": data.replace(b"JFIF\0\1", b"JFIF\0\2"),
    }
    assert {name for name, file in odd.items() if not is_read(file)} == set()


def test_zeros_in_a_flat_optimised_jpeg_are_its_picture() -> None:
    """White paper: with codes made for it, a block of nothing is a few zero bits."""
    paper = Image.new("L", (2000, 2000), 255)
    paper.paste(scene().convert("L"), (900, 900))
    data = encoded(paper, "JPEG", optimize=True, quality=75)
    assert bytes(1000) in data
    assert read(io.BytesIO(data), max_megapixels=10).pixels.mean() > 0.99


def test_a_changed_byte_in_a_png_is_seen_by_its_checksum() -> None:
    values = np.asarray(scene())
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    packer = zlib.compressobj(0)
    stored = packer.compress(rows) + packer.flush()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 48, 32, 8, 2, 0, 0, 0))
    pixels = bytearray(chunk(b"IDAT", stored))
    sound = b"\x89PNG\r\n\x1a\n" + head + bytes(pixels) + chunk(b"IEND", b"")
    assert is_read(sound)
    assert is_read(sound[:-12]), "only the mark of the end is missing"
    pixels[2000] ^= 8
    assert not is_read(b"\x89PNG\r\n\x1a\n" + head + bytes(pixels) + chunk(b"IEND", b""))


def test_zeros_in_the_metadata_of_a_heic_are_nothing() -> None:
    """A camera's EXIF may hold an empty table of any length, in the same box as the pixels."""
    exif = Image.Exif()
    exif[0x010E] = "a"
    exif[0x8769] = {0x927C: bytes(20_000)}
    assert is_read(encoded(busy(), "HEIF", exif=exif.tobytes()))


@pytest.mark.parametrize("size", [64, None])
def test_a_large_text_does_not_matter(size: int | None) -> None:
    for name, text in (
        (b"zTXt", b"workflow\0\0" + zlib.compress(b"a" * 2_000_000)),
        (b"iTXt", b"workflow\0\1\0\0\0" + zlib.compress(b"a" * 2_000_000)),
        (b"tEXt", b"workflow\0" + b"a" * 3_000_000),
    ):
        for data in (
            png(2, 1, 8, 0, b"\0\x00\xff", chunk(name, text)),
            png(2, 1, 8, 0, b"\0\x00\xff", b"", chunk(name, text)),
        ):
            assert read(io.BytesIO(data), max_megapixels=1).pixels[..., 0].tolist() == [[0, 1]]


def test_many_large_texts_do_not_matter() -> None:
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(b"a" * 1_000_000))
    assert is_read(png(2, 1, 8, 0, b"\0\x00\xff", text * 80))


@pytest.mark.parametrize("sector", [512, 4096])
def test_a_missing_sector_of_a_heic_is_seen(sector: int) -> None:
    data = bytearray(whole("HEIC"))
    middle = len(data) // 2
    data[middle : middle + sector] = bytes(sector)
    assert not is_read(bytes(data))


@pytest.mark.slow
def test_the_flattest_pictures_are_sound() -> None:
    for image in (Image.new("RGB", (1600, 1600)), Image.new("RGB", (1600, 1600), "white")):
        for kind, settings in (("WEBP", {}), ("WEBP", {"lossless": True}), ("AVIF", {}), ("HEIF", {}), ("JPEG", {})):
            assert read(io.BytesIO(encoded(image, kind, **settings)), max_megapixels=10).pixels.std() < 0.01


@pytest.mark.parametrize("format", ["WEBP", "PNG", "GIF"])
def test_many_pictures_in_one_file_cost_no_more_than_one(format: str) -> None:  # noqa: A002
    frames = [Image.new("L", (16, 16), number % 256) for number in range(1000)]
    out = io.BytesIO()
    frames[0].save(out, format, save_all=True, append_images=frames[1:])
    assert read(io.BytesIO(out.getvalue()), max_megapixels=1).pixels.shape == (16, 16, 3)


def test_the_second_picture_of_a_jpeg_may_be_anything() -> None:
    """A gain map or a preview behind the picture: the picture is what viewers without HDR show."""
    out = io.BytesIO()
    busy().save(out, "MPO", save_all=True, append_images=[Image.new("L", (16, 16), 255)], quality=95)
    picture = read(io.BytesIO(out.getvalue()), max_megapixels=1)
    assert abs(picture.pixels - np.asarray(busy()) / 255).mean() < 0.06
    assert is_read(out.getvalue()[:-200])


@pytest.mark.parametrize(
    "settings",
    [{"subsampling": 2, "quality": 85}, {}, {"optimize": True, "quality": 90}, {"progressive": True, "quality": 85}],
)
@pytest.mark.parametrize("sector", [64, 512, 4096])
def test_a_missing_sector_of_a_jpeg_is_seen_wherever_it_is(settings: dict[str, Any], sector: int) -> None:
    data = encoded(busy(), "JPEG", **settings)
    first = data.index(b"\xff\xda") + 14
    # The later passes of a progressive file bring further bits of what is there: a hole in them is hardly seen.
    passes = [found.start() for found in re.finditer(b"\xff\xda", data)]
    finer = [at for at in passes if data[at + 1 + int.from_bytes(data[at + 2 : at + 4], "big")] >> 4]
    end = finer[0] if finer else len(data)
    for place in range(first, end - sector - 2, len(data) // 12):
        holed = bytearray(data)
        holed[place : place + sector] = bytes(sector)
        assert not is_read(bytes(holed)), place


@pytest.mark.slow
def test_regular_patterns_are_sound_jpegs() -> None:
    """Their codes come in rows, so that their files hold more zeros than those of photographs."""
    columns = np.mgrid[0:400, 0:500][1]
    for period in (0.7, 1.0, 2.0, 8.0, 30.0):
        wave = (127 + 100 * np.sin(columns / period)).astype(np.uint8)
        for settings in ({}, {"optimize": True}, {"progressive": True}, {"progressive": True, "subsampling": 2}):
            for quality in (10, 75, 95):
                assert is_read(encoded(Image.fromarray(wave).convert("RGB"), "JPEG", **settings, quality=quality))
