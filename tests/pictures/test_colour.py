import io
import logging

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from daemon.pictures.reading import read
from tests.support.made_pictures import cmyk_profile, encoded, expected, in_mode, scene
from tests.support.profiles import ADOBE_RGB, CURVE_SRGB, DISPLAY_P3, GAMMA_ADOBE, matrix_profile

# IEC 61966-2-1 and Adobe RGB (1998), annex; linear, white D65
SRGB_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
ADOBE_TO_XYZ = np.array([[0.57667, 0.18556, 0.18823], [0.29734, 0.62736, 0.07529], [0.02703, 0.07069, 0.99134]])
P3_TO_XYZ = np.array([[0.48657, 0.26567, 0.19822], [0.22897, 0.69174, 0.07929], [0.0, 0.04511, 1.04394]])


def srgb_linear(v: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def srgb_encoded(v: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(v <= 0.0031308, 12.92 * v, 1.055 * np.maximum(v, 1e-9) ** (1 / 2.4) - 0.055)


def colours() -> NDArray[np.float64]:
    """sRGB colours that other spaces hold, too."""
    return np.random.default_rng(1).uniform(0.05, 0.95, (16, 16, 3))


def stored(colours: NDArray[np.float64], to_xyz: NDArray[np.float64], gamma: float | None) -> Image.Image:
    """`colours` (sRGB) as the numbers of another space; gamma None: sRGB's own curve."""
    linear = np.clip(srgb_linear(colours) @ (np.linalg.inv(to_xyz) @ SRGB_TO_XYZ).T, 0, 1)
    values = srgb_encoded(linear) if gamma is None else linear ** (1 / gamma)
    return Image.fromarray(np.rint(values * 255).astype(np.uint8))


def meant(image: Image.Image, to_xyz: NDArray[np.float64], gamma: float | None) -> NDArray[np.float64]:
    """The sRGB colours of numbers that were stored in 8 bits."""
    values = np.asarray(image) / 255
    linear = srgb_linear(values) if gamma is None else values**gamma
    return srgb_encoded(np.clip(linear @ (np.linalg.inv(SRGB_TO_XYZ) @ to_xyz).T, 0, 1))


def pixels_of(image: Image.Image, format: str = "PNG", **settings: object) -> NDArray[np.float32]:  # noqa: A002
    return read(io.BytesIO(encoded(image, format, **settings)), max_megapixels=1).pixels


@pytest.mark.parametrize(
    ("to_xyz", "gamma", "profile"),
    [
        (ADOBE_TO_XYZ, GAMMA_ADOBE[0], matrix_profile(ADOBE_RGB, GAMMA_ADOBE)),
        (P3_TO_XYZ, None, matrix_profile(DISPLAY_P3, CURVE_SRGB)),
    ],
    ids=["Adobe RGB", "Display P3"],
)
@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
def test_a_wide_gamut_profile_is_converted(
    format: str,  # noqa: A002
    to_xyz: NDArray[np.float64],
    gamma: float | None,
    profile: bytes,
) -> None:
    image = stored(colours(), to_xyz, gamma)
    lossless = {"lossless": True} if format == "WEBP" else {}
    converted = pixels_of(image, format, icc_profile=profile, **lossless)
    assert abs(converted - meant(image, to_xyz, gamma)).max() < 2 / 255
    assert abs(np.asarray(image) / 255 - colours()).max() > 10 / 255, "the numbers alone are something else"


def test_srgb_stays_as_it_is() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(pixels_of(scene(), icc_profile=profile), pixels_of(scene()))


def test_alpha_survives_a_profile() -> None:
    image = stored(colours(), ADOBE_TO_XYZ, GAMMA_ADOBE[0])
    wanted = meant(image, ADOBE_TO_XYZ, GAMMA_ADOBE[0])
    image.putalpha(Image.new("L", image.size, 200))
    data = encoded(image, "PNG", icc_profile=matrix_profile(ADOBE_RGB, GAMMA_ADOBE))
    picture = read(io.BytesIO(data), max_megapixels=1)
    assert picture.alpha is not None
    assert np.all(picture.alpha == np.float32(200 / 255))
    assert abs(picture.pixels - wanted).max() < 2 / 255


def adobe_exif(index: str | None, space: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x8769] = {0xA001: space} | ({0xA005: {1: index}} if index else {})
    return exif


@pytest.mark.parametrize(("index", "space"), [("R03", 0xFFFF), (None, 2)])
def test_a_cameras_mark_for_adobe_rgb_counts_as_its_profile(index: str | None, space: int) -> None:
    colour = np.full((16, 16, 3), [0.2, 0.7, 0.3])
    image = stored(colour, ADOBE_TO_XYZ, GAMMA_ADOBE[0])
    for format in ("JPEG", "PNG", "WEBP"):  # noqa: A001
        assert np.allclose(pixels_of(image, format, exif=adobe_exif(index, space)), [0.2, 0.7, 0.3], atol=0.02)
    assert not np.allclose(pixels_of(image, "JPEG", exif=adobe_exif("R98", 1)), [0.2, 0.7, 0.3], atol=0.05)


def test_heifs_own_word_for_display_p3_counts_as_its_profile() -> None:
    image = stored(np.full((64, 64, 3), [0.8, 0.3, 0.2]), P3_TO_XYZ, None)
    numbers = {"color_primaries": 12, "transfer_characteristics": 13, "matrix_coefficients": 6, "full_range_flag": 1}
    assert np.allclose(pixels_of(image, "HEIF", chroma=444, **numbers), [0.8, 0.3, 0.2], atol=0.02)


def test_cmyk_goes_through_its_profile() -> None:
    ink = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    lab = ImageCms.createProfile("LAB")
    colour = Image.new("LAB", (1, 1), (128, 128 - 40, 128 - 50))
    wanted = ImageCms.profileToProfile(colour, lab, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert wanted is not None
    for format in ("JPEG", "TIFF"):  # noqa: A001
        converted = pixels_of(ink, format, icc_profile=cmyk_profile())
        assert np.allclose(converted, np.asarray(wanted) / 255, atol=0.03)


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_without_a_profile_is_plain_ink(format: str) -> None:  # noqa: A002
    inks = Image.new("CMYK", (8, 8), (255, 0, 0, 64))
    assert np.allclose(pixels_of(inks, format), [0, 191 / 255, 191 / 255], atol=0.02)


def test_cmyk_is_inverted_only_where_adobe_says_so() -> None:
    """The same ink in a JPEG with Adobe's mark, where 0 is full ink, and in one without it."""
    data = encoded(Image.new("CMYK", (8, 8), (255, 0, 0, 64)), "JPEG")
    mark = data.index(b"\xff\xee\0\x0eAdobe")
    plain = data[:mark] + data[mark + 16 :]
    assert np.allclose(read(io.BytesIO(data), max_megapixels=1).pixels, [0, 191 / 255, 191 / 255], atol=0.02)
    assert np.allclose(read(io.BytesIO(plain), max_megapixels=1).pixels, [64 / 255, 0, 0], atol=0.02)


def test_ycck_is_read_as_the_ink_it_means() -> None:
    """As CMYK with Adobe's mark, but transformed: Cb and Cr of 128 are no colour."""
    data = encoded(Image.new("CMYK", (8, 8), (100, 100, 100, 0)), "JPEG")
    mark = data.index(b"Adobe")
    ycck = data[: mark + 11] + b"\2" + data[mark + 12 :]
    pixels = read(io.BytesIO(ycck), max_megapixels=1).pixels
    # The three equal inks were stored as 155; as Y, Cb, Cr they say R = 155 + 1.402 (155 - 128) …, whose negative
    # is the ink that the file, inverted as Adobe's are, holds.
    rgb = 155 + 27 * np.array([1.402, -0.344 - 0.714, 1.772])
    assert np.allclose(pixels, (255 - rgb) / 255, atol=0.02)


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_a_grey_picture_may_have_a_profile_for_colour(mode: str) -> None:
    """Gamma 1 makes middle grey light; the profile's primaries do not matter for grey."""
    profile = matrix_profile(ADOBE_RGB, (1.0,))
    grey = pixels_of(in_mode(mode), "PNG", icc_profile=profile)
    wanted = srgb_encoded(expected(mode).astype(np.float64))
    assert abs(grey - wanted).max() < 2 / 255


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        (b"no profile at all", "broken"),
        (matrix_profile(ADOBE_RGB, GAMMA_ADOBE)[:200], "ignored"),
        (cmyk_profile(), "for CMYK"),
    ],
)
def test_a_profile_that_does_not_fit_is_ignored_with_a_note(
    profile: bytes, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "styled"):
        assert np.array_equal(pixels_of(scene(), icc_profile=profile), pixels_of(scene()))
    assert words in caplog.text
    assert {vars(record)["event"] for record in caplog.records} == {"picture_note"}


def test_lab_keeps_its_colours() -> None:
    assert abs(pixels_of(in_mode("LAB"), "TIFF") - np.asarray(scene()) / 255).mean() < 0.01
