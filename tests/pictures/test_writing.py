import errno
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from daemon.filenames import OutputFormat
from daemon.pictures.reading import read
from daemon.pictures.writing import srgb_profile, verify, write
from tests.support.made_pictures import encoded, scene

FORMATS = ["png", "jpeg", "webp"]


def noise(height: int = 40, width: int = 60, channels: int = 3) -> NDArray[np.float32]:
    rng = np.random.default_rng(5)
    shape = (height, width, channels) if channels > 1 else (height, width)
    return rng.random(shape, dtype=np.float32)


def written(
    pixels: NDArray[np.float32],
    alpha: NDArray[np.float32] | None,
    format: Any,  # noqa: A002
    quality: int = 95,
) -> bytes:
    out = io.BytesIO()
    write(out, pixels, alpha, format=format, quality=quality)
    return out.getvalue()


def test_a_png_holds_every_value_to_half_a_level() -> None:
    pixels, alpha = noise(), np.maximum(noise(channels=1), 0.01)
    picture = read(io.BytesIO(written(pixels, alpha, "png")), max_megapixels=1)
    assert abs(picture.pixels - pixels).max() <= 0.5001 / 255
    assert picture.alpha is not None
    assert abs(picture.alpha - alpha).max() <= 0.5001 / 255
    again = read(io.BytesIO(written(picture.pixels, picture.alpha, "png")), max_megapixels=1)
    assert np.array_equal(again.pixels, picture.pixels)


@pytest.mark.parametrize(("format", "far"), [("jpeg", 0.02), ("webp", 0.03)])
def test_lossy_formats_come_close(format: str, far: float) -> None:  # noqa: A002
    pixels = read(io.BytesIO(encoded(scene(), "PNG")), max_megapixels=1).pixels
    picture = read(io.BytesIO(written(pixels, None, format)), max_megapixels=1)
    assert abs(picture.pixels - pixels).mean() < far
    assert picture.alpha is None


def test_values_are_rounded_and_clipped_and_never_wrap() -> None:
    levels = np.arange(256, dtype=np.float32) / 255
    edges = np.array([-3.0, -1e-6, 1.0000001, 1.6, 300.0, 0.49 / 255, 0.51 / 255, 254.51 / 255], np.float32)
    values = np.concatenate([levels, edges])
    pixels = np.repeat(values[None, :, None], 3, axis=2)
    found = np.asarray(Image.open(io.BytesIO(written(pixels, None, "png"))))[0, :, 0]
    assert found.tolist() == [*range(256), 0, 0, 255, 255, 255, 0, 1, 255]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_not_written(bad: float) -> None:
    pixels = noise()
    pixels[3, 4, 1] = bad
    out = io.BytesIO()
    with pytest.raises(ValueError, match="not finite numbers"):
        write(out, pixels, None, format="png", quality=95)
    assert out.getvalue() == b""


def test_a_jpeg_lies_on_white() -> None:
    pixels = np.zeros((16, 32, 3), np.float32)
    alpha = np.ones((16, 32), np.float32)
    alpha[:, :16] = 0.25
    found = read(io.BytesIO(written(pixels, alpha, "jpeg")), max_megapixels=1)
    assert np.allclose(found.pixels[:, :14], 0.75, atol=0.02)
    assert np.allclose(found.pixels[:, 18:], 0, atol=0.02)


def test_webp_keeps_alpha_exactly() -> None:
    alpha = np.rint(noise(channels=1) * 255).astype(np.float32) / np.float32(255)
    found = read(io.BytesIO(written(noise(), alpha, "webp", 50)), max_megapixels=1)
    assert found.alpha is not None
    assert np.array_equal(found.alpha, alpha)


def test_jpegs_colours_are_not_halved() -> None:
    image = Image.open(io.BytesIO(written(noise(), None, "jpeg")))
    assert [component[1:3] for component in image.layer] == [(1, 1)] * 3  # type: ignore[attr-defined]


@pytest.mark.parametrize("format", FORMATS)
def test_every_painting_says_that_it_is_srgb(format: str) -> None:  # noqa: A002
    profile = Image.open(io.BytesIO(written(noise(), None, format))).info["icc_profile"]
    assert profile == srgb_profile()
    parsed = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    assert "sRGB" in ImageCms.getProfileDescription(parsed)


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_painting_is_the_same_bytes(format: str) -> None:  # noqa: A002
    first = written(noise(), None, format)
    srgb_profile.cache_clear()
    assert written(noise(), None, format) == first


def test_the_hardest_jpeg_fits() -> None:
    """Full contrast in every pixel at the highest quality: more bytes than Pillow makes room for by itself."""
    pixels = np.rint(noise(512, 512))
    data = written(pixels, None, "jpeg", 100)
    verify(io.BytesIO(data), (512, 512))
    assert len(data) > 2 * 512 * 512


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("format", FORMATS)
def test_a_full_disk_says_so(format: Any) -> None:  # noqa: A002
    with Path("/dev/full").open("wb", buffering=0) as file, pytest.raises(OSError, match="space") as caught:
        write(file, noise(200, 300), None, format=format, quality=90)
    assert caught.value.errno == errno.ENOSPC


def test_a_side_that_the_format_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        written(np.zeros((1, 16_384, 3), np.float32), None, "webp")


@pytest.mark.parametrize("format", FORMATS)
def test_a_painting_that_is_whole_verifies(format: str) -> None:  # noqa: A002
    data = written(noise(40, 60), noise(40, 60, 1), format)
    verify(io.BytesIO(data), (60, 40))
    with pytest.raises(OSError, match="reads back") as caught:
        verify(io.BytesIO(data), (40, 60))
    assert caught.value.errno == errno.EIO
    for damaged in (b"", data[: len(data) // 2], bytes(len(data))):
        with pytest.raises(OSError, match="does not read back"):
            verify(io.BytesIO(damaged), (60, 40))


@pytest.mark.parametrize("format", FORMATS)
def test_a_painting_goes_into_a_real_file(format: Any, tmp_path: Path) -> None:  # noqa: A002
    with (tmp_path / "painting").open("wb") as file:
        write(file, noise(), None, format=format, quality=90)
    with (tmp_path / "painting").open("rb") as file:
        verify(file, (60, 40))


@pytest.mark.parametrize("format", FORMATS)
def test_a_print_says_its_pixels_per_inch(format: OutputFormat) -> None:  # noqa: A002
    out = io.BytesIO()
    write(out, noise(), None, format=format, quality=90, dpi=300)
    image = Image.open(out)
    exif = image.getexif()
    assert (exif[0x011A], exif[0x011B], exif[0x0128], exif[0x0112]) == (300, 300, 2, 1)
    if format != "webp":
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_pillows_own_limits_stay_out_of_the_way() -> None:
    assert sys.modules["PIL.Image"].MAX_IMAGE_PIXELS is None
