import io
import logging
import struct
import time

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from daemon.errors import JobError
from daemon.pictures.metadata import TURNS
from daemon.pictures.probing import probe
from daemon.pictures.reading import Picture, read
from tests.support.made_pictures import (
    EVERY_KIND,
    chunk,
    encoded,
    expected,
    in_mode,
    of_kind,
    one_colour_png,
    png,
    scene,
)

LOSSY = {"JPEG": 0.02, "WEBP": 0.03, "HEIF": 0.03, "AVIF": 0.03, "GIF": 0.04}  # mean difference of a pixel


def opened(data: bytes, **limits: object) -> Picture:
    return read(io.BytesIO(data), **({"max_megapixels": 200} | limits))  # type: ignore[arg-type]


@pytest.mark.parametrize(("format", "mode"), EVERY_KIND)
def test_every_format_and_mode_looks_as_it_should(format: str, mode: str) -> None:  # noqa: A002
    picture = opened(of_kind(format, mode))
    assert picture.format == format
    assert picture.pixels.shape == (32, 48, 3)
    assert picture.pixels.dtype == np.float32
    assert picture.pixels.min() >= 0
    assert picture.pixels.max() <= 1
    assert abs(picture.pixels - expected(mode)).mean() < LOSSY.get(format, 0.01)
    assert probe(io.BytesIO(of_kind(format, mode))) == (format, 48, 32)


@pytest.mark.parametrize(("format", "mode"), [kind for kind in EVERY_KIND if kind[1][-1] in "Aa"])
def test_alpha_is_kept(format: str, mode: str) -> None:  # noqa: A002
    alpha = opened(of_kind(format, mode)).alpha
    if format in ("BMP", "GIF"):  # a BMP of 32 bits is read as Windows does; a GIF has no half transparent pixels
        assert alpha is None
        return
    assert alpha is not None
    assert alpha.shape == (32, 48)
    assert alpha.dtype == np.float32
    assert np.allclose(alpha[:, 30:], 1, atol=0.02)
    assert np.allclose(alpha[:, :20], 128 / 255, atol=0.02)


def test_a_picture_without_transparent_pixels_has_no_alpha() -> None:
    assert opened(encoded(scene().convert("RGBA"), "PNG")).alpha is None


def test_sixteen_bits_of_grey_are_all_kept() -> None:
    levels = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    wanted = levels[..., None] / 65535
    for data in (
        encoded(Image.fromarray(levels), "PNG"),
        encoded(Image.fromarray(levels), "TIFF"),
        encoded(Image.fromarray(levels.astype(">u2")), "TIFF"),
    ):
        assert abs(opened(data).pixels - wanted).max() < 1e-6


def test_sixteen_bits_of_colour_are_kept_as_far_as_pillow_can() -> None:
    values = np.linspace(0, 65535, 20 * 10 * 3).reshape(10, 20, 3)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    assert abs(opened(png(20, 10, 16, 2, rows)).pixels - values / 65535).max() <= 1 / 255


def test_the_numbers_of_32_bits_are_scaled_by_the_least_usual_scale_that_holds_them() -> None:
    for peak, white in ((200, 255), (40_000, 65535), (3_000_000, 3_000_000)):
        values = np.array([[0, peak // 2, peak]], np.int32)
        assert np.allclose(opened(encoded(Image.fromarray(values), "TIFF")).pixels[..., 0], values / white, atol=1e-6)


def test_a_tiff_whose_white_is_zero_is_no_negative() -> None:
    levels = np.arange(0, 65536, 4096, dtype=np.uint16).reshape(4, 4)
    pixels = opened(encoded(Image.fromarray(levels), "TIFF", tiffinfo={262: 0})).pixels
    assert np.allclose(pixels[..., 0], 1 - levels / 65535, atol=1e-6)


@pytest.mark.parametrize(
    ("depth", "kind", "row", "key"),
    [
        (1, 0, b"\x40", b"\0\1"),  # 0 1 0 0
        (2, 0, b"\x50", b"\0\1"),  # 1 1 0 0
        (4, 0, b"\x39\x00", b"\0\x09"),
        (8, 0, b"\x07\x09\x00\x01", b"\0\x09"),
        (16, 0, b"\0\1\x10\x09\0\0\0\2", b"\x10\x09"),
        (8, 2, b"\1\2\3\4\5\6\0\0\0\0\0\0", b"\0\4\0\5\0\6"),
        (16, 2, bytes(6) + b"\xff\xff\0\0\1\0" + bytes(12), b"\xff\xff\0\0\1\0"),
        (8, 3, b"\0\1\2\2", b"\xff\0"),
    ],
)
def test_a_transparent_colour_is_found_at_every_depth(depth: int, kind: int, row: bytes, key: bytes) -> None:
    palette = chunk(b"PLTE", bytes(range(9))) if kind == 3 else b""
    picture = opened(png(4, 1, depth, kind, b"\0" + row, palette + chunk(b"tRNS", key)))
    assert picture.alpha is not None
    assert picture.alpha[0, 1:].tolist() == [0, 1, 1]


def test_no_hidden_colour_leaks_into_the_painting() -> None:
    """Red that can be seen on green that cannot: no pixel may turn green, at any size."""
    rgba = np.zeros((64, 64, 4), np.uint8)
    rgba[...] = (0, 255, 0, 0)
    rgba[20:44, 20:44] = (200, 30, 10, 255)
    for size in (None, 16, 23, 200):
        picture = opened(encoded(Image.fromarray(rgba), "PNG"), size=size)
        assert picture.alpha is not None
        red = np.array([200, 30, 10]) / 255
        assert np.allclose(picture.pixels, red, atol=0.01), "no rim, no halo, nothing under the glass"


def test_a_gifs_transparent_colour_is_hidden() -> None:
    image = in_mode("RGBA")
    image.putalpha(Image.new("L", image.size, 0))
    image.paste((9, 99, 199, 255), (10, 10, 20, 20))
    picture = opened(encoded(image, "GIF"))
    assert picture.alpha is not None
    assert picture.alpha[10:20, 10:20].min() == 1
    assert picture.alpha.sum() == 100
    assert np.allclose(picture.pixels, np.array([9, 99, 199]) / 255, atol=0.05)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("alpha", [0, 2])
@pytest.mark.parametrize("size", [None, 20])
def test_an_alpha_channel_that_hides_everything_is_none(
    mode: str, alpha: int, size: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    image = scene().convert(mode)
    image.putalpha(alpha)
    with caplog.at_level(logging.WARNING, "styled"):
        picture = opened(encoded(image, "PNG"), size=size)
    assert picture.alpha is None
    assert np.allclose(picture.pixels, opened(encoded(scene().convert(mode[:-1]), "PNG"), size=size).pixels)
    assert "alpha channel" in caplog.text


def test_a_bmp_whose_program_left_its_alpha_at_zero_is_opaque() -> None:
    pixels = np.asarray(scene())
    rows = np.dstack((pixels[::-1, :, ::-1], np.zeros(pixels.shape[:2], np.uint8))).tobytes()
    head = struct.pack("<IiiHHIIiiII", 124, 48, 32, 1, 32, 3, len(rows), 0, 0, 0, 0)
    head += struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"BGRs" + bytes(64)
    picture = opened(b"BM" + struct.pack("<IHHI", 138 + len(rows), 0, 0, 138) + head + rows)
    assert picture.alpha is None
    assert np.allclose(picture.pixels * 255, pixels)


def test_a_picture_that_shows_nothing_is_refused() -> None:
    with pytest.raises(JobError, match="nothing to see"):
        opened(encoded(Image.new("RGBA", (4, 4), (255, 0, 0, 0)), "PNG"))


def lying(orientation: int) -> Image.Image:
    """The scene as a camera stores it that was held so: `orientation` turns it upright again."""
    back = {6: TURNS[8], 8: TURNS[6]}.get(orientation, TURNS.get(orientation))
    return scene().transpose(back) if back is not None else scene()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_picture_stands_upright(format: str, orientation: int) -> None:  # noqa: A002
    stored = lying(orientation)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(stored, format, exif=exif.tobytes())
    picture = opened(data, size=24)
    upright = opened(encoded(scene(), "PNG"), size=24)
    assert abs(picture.pixels - upright.pixels).mean() < 0.03
    assert probe(io.BytesIO(data)) == (format, 48, 32)
    assert 0x0112 not in dict(metadata_of(picture))


def metadata_of(picture: Picture) -> Image.Exif:
    exif = Image.Exif()
    exif.load(picture.metadata)
    return exif


def test_orientation_behind_a_pngs_pixels_counts() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    late = chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
    picture = opened(png(2, 1, 8, 0, b"\0\x00\xff", after=late))
    assert picture.pixels[..., 0].tolist() == [[0], [1]]


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF", "MPO"])
def test_the_first_of_several_pictures_is_taken(format: str) -> None:  # noqa: A002
    others = [Image.new("RGB", (48, 32), colour) for colour in ("red", "blue")]
    data = encoded(scene(), format, save_all=True, append_images=others)
    picture = opened(data)
    assert picture.format == format
    assert abs(picture.pixels - expected("RGB")).mean() < 0.04


@pytest.mark.parametrize(
    ("size", "enlarge", "wanted"),
    [(None, True, (48, 32)), (24, True, (24, 16)), (96, True, (96, 64)), (96, False, (48, 32)), (24, False, (24, 16))],
)
def test_the_long_side_is_scaled(size: int | None, enlarge: bool, wanted: tuple[int, int]) -> None:
    picture = opened(encoded(scene(), "PNG"), size=size, enlarge=enlarge)
    assert picture.pixels.shape == (wanted[1], wanted[0], 3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 20_000), (20_000, 1)])
def test_no_side_becomes_nothing(shape: tuple[int, int]) -> None:
    picture = opened(encoded(Image.new("RGB", shape, "teal"), "PNG"), size=100)
    assert max(picture.pixels.shape) == 100
    assert min(picture.pixels.shape[:2]) >= 1
    assert np.allclose(picture.pixels, np.array([0, 128, 128]) / 255, atol=0.01)


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_scaling_down_makes_no_moire(format: str) -> None:  # noqa: A002
    """The finest checkerboard is even grey from afar."""
    board = (np.indices((512, 640)).sum(0) % 2 * 255).astype(np.uint8)
    picture = opened(encoded(Image.fromarray(board), format), size=50)
    inside = picture.pixels[2:-2, 2:-2]
    assert abs(inside - 0.5).max() < 0.02


def textured(width: int, height: int) -> NDArray[np.uint8]:
    """Detail of every size, as photographs have it: 1/f noise."""
    rng = np.random.default_rng(3)
    f = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    f[0, 0] = 1
    noise = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(3, height, width))) / f, s=(height, width))
    noise = noise / noise.std() * 50 + 127
    pixels: NDArray[np.uint8] = np.clip(noise, 0, 255).astype(np.uint8).transpose(1, 2, 0)
    return pixels


@pytest.mark.parametrize("size", [60, 100, 177])
def test_what_a_jpegs_decoder_skips_is_not_seen(size: int) -> None:
    pixels = textured(1205, 801)  # no multiple of 8: the reduced decoder rounds up
    image = Image.fromarray(pixels)
    data = encoded(image, "JPEG")
    fair = Image.open(io.BytesIO(data)).resize((size, round(801 * size / 1205)), Image.Resampling.LANCZOS)
    difference = abs(opened(data, size=size).pixels - np.asarray(fair) / 255)
    assert difference.mean() < 0.006
    assert difference.max() < 0.05


def test_too_many_megapixels_are_refused_before_they_are_decoded() -> None:
    huge = io.BytesIO(one_colour_png(40_000, 40_000))
    started = time.monotonic()
    with pytest.raises(JobError, match=r"40000 x 40000 pixels are 1,600 megapixels, and the limit is 200\.") as refusal:
        read(huge, max_megapixels=200)
    assert time.monotonic() - started < 10
    assert "max_megapixels" in refusal.value.advice
    assert probe(huge) == ("PNG", 40_000, 40_000)
    assert opened(one_colour_png(400, 300)).pixels.shape == (300, 400, 3), "its like is no broken file"


def test_the_limit_itself_is_allowed() -> None:
    data = encoded(in_mode("L", scene(100, 100)), "PNG")
    assert opened(data, max_megapixels=0.01).pixels.shape == (100, 100, 3)
    with pytest.raises(JobError, match="too large"):
        opened(data, max_megapixels=0.0099)
