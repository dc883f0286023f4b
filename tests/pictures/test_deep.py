"""More than 8 bits: floats and 16 bits of a TIFF, with the profiles that renderers embed."""

import io
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from daemon.errors import JobError
from daemon.pictures.probing import probe
from daemon.pictures.reading import Picture, read
from tests.support.made_pictures import scene
from tests.support.profiles import CURVE_SRGB, DISPLAY_P3, SRGB, matrix_profile

Array = NDArray[Any]
LINEAR_SRGB, LINEAR_P3 = matrix_profile(SRGB, (1.0,)), matrix_profile(DISPLAY_P3, (1.0,))


def wanted() -> Array:
    return np.asarray(scene(), np.float64) / 255


def linear(v: Array) -> Array:
    return np.asarray(np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4))


def tiff(values: Array, **settings: Any) -> bytes:
    out = io.BytesIO()
    photometric = "rgb" if values.ndim == 3 else "minisblack"
    tifffile.imwrite(out, values, **({"photometric": photometric, "planarconfig": "contig"} | settings))
    return out.getvalue()


def opened(data: bytes, **limits: Any) -> Picture:
    return read(io.BytesIO(data), **({"max_megapixels": 1} | limits))


def off(data: bytes) -> float:
    return float(abs(opened(data).pixels - wanted()).max())


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_floats_are_light(kind: Any) -> None:
    assert off(tiff(linear(wanted()).astype(kind))) < 0.002
    grey = linear(wanted())[..., 1].astype(kind)
    assert abs(opened(tiff(grey)).pixels - wanted()[..., 1:2]).max() < 0.002


@pytest.mark.parametrize("how", [{"compression": "zlib"}, {"tile": (16, 16)}])
def test_floats_are_read_in_the_usual_ways_to_store_them(how: dict[str, Any]) -> None:
    assert off(tiff(linear(wanted()).astype(np.float32), **how)) < 0.002


def test_planes_are_put_together() -> None:
    planes = np.moveaxis(wanted(), 2, 0)
    assert off(tiff(linear(planes).astype(np.float32), planarconfig="separate")) < 0.002
    assert off(tiff(np.rint(planes * 65535).astype(np.uint16), planarconfig="separate")) < 0.005


def test_floats_that_are_levels_are_read_as_levels() -> None:
    assert off(tiff((wanted() * 255).astype(np.float32))) < 0.002
    assert off(tiff((wanted() * 65535).astype(np.float32))) < 0.002


def test_highlights_above_white_do_not_darken_the_rest() -> None:
    values = linear(wanted()).astype(np.float32)
    values[0, 0] = 40.0
    values[0, 1] = np.inf
    values[0, 2] = np.nan
    seen = opened(tiff(values)).pixels
    assert abs(seen[1:] - wanted()[1:]).max() < 0.002
    assert np.allclose(seen[0, :3, 0], [1, 1, 0])


@pytest.mark.parametrize("profile", [LINEAR_SRGB, matrix_profile(SRGB, CURVE_SRGB)])
def test_floats_with_a_profile_follow_it(profile: bytes) -> None:
    values = linear(wanted()) if profile == LINEAR_SRGB else wanted()
    assert off(tiff(values.astype(np.float32), iccprofile=profile)) < 0.01


def test_sixteen_bits_of_light_keep_the_dark() -> None:
    dark = np.broadcast_to(np.linspace(0, 0.1, 64)[None, :, None], (8, 64, 3))
    levels = np.rint(linear(dark) * 65535).astype(np.uint16)
    for how in ({}, {"compression": "zlib"}, {"byteorder": ">"}):
        seen = opened(tiff(levels, iccprofile=LINEAR_SRGB, **how)).pixels
        assert abs(seen - dark).max() < 0.002


def test_the_primaries_of_a_linear_profile_count() -> None:
    colour = np.full((8, 8, 3), [0.9, 0.3, 0.2])
    p3 = opened(tiff(linear(colour).astype(np.float32), iccprofile=LINEAR_P3)).pixels
    assert p3[0, 0, 0] > 0.95, "the red of Display P3 is stronger than that of sRGB"
    assert p3[0, 0, 1] < 0.28


def test_alpha_and_size_and_orientation_count() -> None:
    values = np.dstack((linear(wanted()), np.ones(wanted().shape[:2]))).astype(np.float32)
    values[:8, :8, 3] = 0
    data = tiff(values, extrasamples=["unassalpha"], extratags=[(274, "H", 1, 6, True)])
    picture = opened(data, size=24)
    assert picture.pixels.shape == (24, 16, 3)
    assert picture.alpha is not None
    assert picture.alpha[:3, -3:].max() < 0.01, "the corner at the top left is now at the top right"
    assert probe(io.BytesIO(data)) == ("TIFF", 32, 48)


@pytest.mark.parametrize("kind", [np.uint16, np.float32])
def test_an_alpha_channel_of_zeros_is_none(kind: Any, caplog: pytest.LogCaptureFixture) -> None:
    values = np.dstack((linear(wanted()), np.zeros(wanted().shape[:2])))
    data = tiff((values * (65535 if kind == np.uint16 else 1)).astype(kind), iccprofile=LINEAR_SRGB, extrasamples=[2])
    for size in (None, 24):
        assert opened(data, size=size).alpha is None
    assert off(data) < 0.005
    assert "alpha channel" in caplog.text


def test_colours_that_were_multiplied_by_alpha_are_divided_again() -> None:
    alpha = np.full((*wanted().shape[:2], 1), 0.5)
    data = tiff(np.dstack((linear(wanted()) * alpha, alpha)).astype(np.float32), extrasamples=["assocalpha"])
    picture = opened(data)
    assert picture.alpha is not None
    assert np.allclose(picture.alpha, 0.5)
    assert abs(picture.pixels - wanted()).max() < 0.002


def test_whole_numbers_of_32_bits_are_scaled() -> None:
    assert off(tiff((wanted() * (2**32 - 1)).astype(np.uint32))) < 0.005


def test_a_compression_that_cannot_be_read_so_deep_is_named() -> None:
    data = bytearray(tiff(linear(wanted()).astype(np.float32)))
    at = data.index(b"\x03\x01\x03\0\1\0\0\0\1\0\0\0")  # Compression: 1, none
    data[at + 8] = 5  # LZW
    with pytest.raises(JobError, match="in a compression that cannot be read so deep"):
        opened(bytes(data))


def pages(*kinds: tuple[int, int]) -> bytes:
    """A TIFF with a page for each (NewSubfileType, side), the scene in that size."""
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        for kind, side in kinds:
            image = scene().resize((side, side))
            writer.write(np.asarray(image), photometric="rgb", subfiletype=kind, metadata=None)
    return out.getvalue()


def test_a_thumbnail_before_the_picture_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    data = pages((1, 8), (0, 40), (0, 30))
    assert opened(data).pixels.shape == (40, 40, 3)
    assert probe(io.BytesIO(data)) == ("TIFF", 40, 40)
    assert "page 2 is painted" in caplog.text


def test_of_several_pages_the_first_is_painted_and_said(caplog: pytest.LogCaptureFixture) -> None:
    assert opened(pages((0, 8), (0, 40))).pixels.shape == (8, 8, 3)
    assert "several pages; the first" in caplog.text
    assert opened(pages((1, 8))).pixels.shape == (8, 8, 3), "a thumbnail alone is the picture"


def test_an_animation_is_said(caplog: pytest.LogCaptureFixture) -> None:
    frames = [scene(), scene().rotate(180)]
    for kind in ("GIF", "WEBP", "PNG", "AVIF"):
        out = io.BytesIO()
        frames[0].save(out, kind, save_all=True, append_images=frames[1:])
        caplog.clear()
        assert opened(out.getvalue()).pixels.shape == (32, 48, 3)
        assert "animation; its first picture" in caplog.text, kind


def test_a_single_picture_is_not_commented(caplog: pytest.LogCaptureFixture) -> None:
    for kind in ("GIF", "WEBP", "PNG", "AVIF", "HEIF", "TIFF", "JPEG", "BMP"):
        out = io.BytesIO()
        scene().save(out, kind)
        opened(out.getvalue())
    assert caplog.text == ""


def test_an_ordinary_tiff_is_read_by_pillow_alone() -> None:
    data = tiff(np.asarray(scene()))
    assert np.array_equal(opened(data).pixels, np.asarray(Image.open(io.BytesIO(data)), np.float32) / np.float32(255))
