"""What colour the numbers are: whatever a file names, each picture must show the same scene."""

import io
import logging
import struct
import zlib
from typing import Any

import numpy as np
import pillow_heif
import pytest
from numpy.typing import NDArray
from PIL import Image

from daemon.pictures.reading import read
from tests.support.made_pictures import chunk, encoded, scene
from tests.support.profiles import CURVE_SRGB, DISPLAY_P3, SRGB, matrix_profile

Array = NDArray[Any]

# Linear RGB with white D65 → CIE XYZ (BT.709, SMPTE EG 432-1, BT.2020).
XYZ = {
    "srgb": np.array([[0.41239, 0.35758, 0.18048], [0.21264, 0.71517, 0.07219], [0.01933, 0.11919, 0.95053]]),
    "p3": np.array([[0.48657, 0.26567, 0.19822], [0.22897, 0.69174, 0.07929], [0.0, 0.04511, 1.04394]]),
    "2020": np.array([[0.63696, 0.14462, 0.16888], [0.26270, 0.67800, 0.05930], [0.0, 0.02807, 1.06099]]),
}
CHRM = {
    "srgb": (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000),
    "p3": (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000),
}


def wanted() -> Array:
    return np.asarray(scene(), np.float64) / 255


def linear(v: Array) -> Array:
    return np.asarray(np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4))


def srgb(v: Array) -> Array:
    return np.asarray(np.where(v <= 0.0031308, 12.92 * v, 1.055 * np.maximum(v, 1e-9) ** (1 / 2.4) - 0.055))


def light_in(space: str) -> Array:
    """The scene's light in the primaries of `space`, clipped to [0, 1]."""
    return np.asarray(np.clip(linear(wanted()) @ (np.linalg.inv(XYZ[space]) @ XYZ["srgb"]).T, 0, 1))


def pq(nits: Array) -> Array:
    """SMPTE ST 2084."""
    y = (nits / 10_000) ** (2610 / 16384)
    return np.asarray(((3424 / 4096 + 2413 / 128 * y) / (1 + 2392 / 128 * y)) ** (2523 / 32))


def hlg(nits: Array) -> Array:
    """BT.2100, for a display of 1000 cd/m²: the inverse OOTF, then the OETF."""
    luminance = np.maximum(nits @ np.array([0.2627, 0.6780, 0.0593]), 1e-9)[..., None] / 1000
    e = nits / 1000 * luminance ** (1 / 1.2 - 1)
    high = 0.17883277 * np.log(np.maximum(12 * e - 0.28466892, 1e-9)) + 0.55991073
    return np.asarray(np.where(e <= 1 / 12, np.sqrt(3 * np.maximum(e, 0)), high))


def png16(values: Array, *chunks: bytes) -> bytes:
    height, width, channels = values.shape
    rows = b"".join(b"\0" + row.tobytes() for row in np.rint(values * 65535).astype(">u2"))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2 if channels == 3 else 6, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + b"".join((head, *chunks, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")))


def png8(values: Array, *chunks: bytes) -> bytes:
    plain = encoded(Image.fromarray(np.rint(values * 255).astype(np.uint8)), "PNG")
    return plain[:33] + b"".join(chunks) + plain[33:]


def gama(exponent: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(100_000 / exponent)))


def chrm(space: str) -> bytes:
    return chunk(b"cHRM", struct.pack(">8I", *CHRM[space]))


def cicp(*numbers: int) -> bytes:
    return chunk(b"cICP", bytes(numbers))


def iccp(profile: bytes, name: bytes = b"a") -> bytes:
    return chunk(b"iCCP", name + b"\0\0" + zlib.compress(profile))


P3_PROFILE = matrix_profile(DISPLAY_P3, CURVE_SRGB)
SRGB_CHUNK = chunk(b"sRGB", b"\0")


def pixels(data: bytes, size: int | None = None) -> Array:
    return read(io.BytesIO(data), max_megapixels=1, size=size).pixels


def off(data: bytes) -> float:
    """The mean difference from the scene, in 8-bit levels."""
    return float(abs(pixels(data) - wanted()).mean() * 255)


PNGS = {
    "gAMA 1.0, 16 bits": lambda: png16(light_in("srgb"), gama(1.0)),
    "gAMA 1.0, 8 bits": lambda: png8(light_in("srgb"), gama(1.0)),
    "gAMA 1/1.8": lambda: png8(light_in("srgb") ** (1 / 1.8), gama(1.8)),
    "gAMA 0.45455": lambda: png8(wanted(), gama(2.2)),
    "gAMA without sense": lambda: png8(wanted(), gama(99_000)),
    "sRGB": lambda: png8(wanted(), SRGB_CHUNK),
    "sRGB goes before gAMA": lambda: png8(wanted(), gama(1.0), SRGB_CHUNK),
    "sRGB goes before cHRM": lambda: png8(wanted(), chrm("p3"), SRGB_CHUNK),
    "cHRM alone": lambda: png8(srgb(light_in("p3")), chrm("p3")),
    "cHRM and gAMA": lambda: png8(light_in("p3") ** (1 / 1.8), chrm("p3"), gama(1.8)),
    "cHRM of sRGB": lambda: png8(wanted(), chrm("srgb")),
    "cHRM without sense": lambda: png8(wanted(), chunk(b"cHRM", bytes(32))),
    "iCCP": lambda: png8(srgb(light_in("p3")), iccp(P3_PROFILE)),
    "iCCP goes before gAMA": lambda: png8(srgb(light_in("p3")), gama(1.0), iccp(P3_PROFILE)),
    "a broken iCCP leaves gAMA": lambda: png8(light_in("srgb"), chunk(b"iCCP", b"a\0\0no zlib"), gama(1.0)),
    "an iCCP that is no profile leaves sRGB": lambda: png8(wanted(), iccp(bytes(200)), SRGB_CHUNK),
    "cICP Display P3": lambda: png8(srgb(light_in("p3")), cicp(12, 13, 0, 1)),
    "cICP goes before iCCP": lambda: png8(wanted(), iccp(P3_PROFILE), cicp(1, 13, 0, 1)),
    "cICP of television": lambda: png8(wanted(), cicp(1, 1, 0, 1)),
    "cICP linear": lambda: png16(light_in("2020"), cicp(9, 8, 0, 1)),
    "cICP in a narrow range": lambda: png16((wanted() * 219 + 16) / 255, cicp(1, 13, 0, 0)),
    "cICP for Y, Cb, Cr is none": lambda: png8(wanted(), cicp(12, 16, 6, 1)),
    "cICP PQ": lambda: png16(pq(light_in("2020") * 203), cicp(9, 16, 0, 1)),
    "cICP PQ in P3": lambda: png16(pq(light_in("p3") * 203), cicp(12, 16, 0, 1)),
    "cICP HLG": lambda: png16(hlg(light_in("2020") * 203), cicp(9, 18, 0, 1)),
    "the older name of PQ": lambda: png16(pq(light_in("2020") * 203), iccp(P3_PROFILE, b"ITUR_2100_PQ_FULL")),
}


@pytest.mark.parametrize("name", PNGS)
def test_a_png_has_the_colours_that_its_chunks_name(name: str) -> None:
    assert off(PNGS[name]()) < 1.5


def test_sixteen_bits_of_light_keep_the_dark() -> None:
    dark = np.broadcast_to(np.linspace(0, 0.1, 64)[None, :, None], (8, 64, 3))
    seen = pixels(png16(linear(dark), gama(1.0)))
    assert abs(seen - dark).max() < 0.002, "in 8 bits, 0.1 and everything below it would be three steps"


def test_light_with_alpha_is_scaled_without_a_rim() -> None:
    values = np.zeros((32, 32, 4))
    values[8:24, 8:24] = (*linear(np.array([0.8, 0.2, 0.1])), 1)
    picture = read(io.BytesIO(png16(values, gama(1.0))), max_megapixels=1, size=20)
    assert picture.alpha is not None
    assert np.allclose(picture.pixels, [0.8, 0.2, 0.1], atol=0.02)


def test_grey_has_a_curve_too() -> None:
    grey = wanted()[..., 1]
    levels = np.rint(linear(grey) * 65535).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in levels)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 48, 32, 16, 0, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + head + gama(1.0) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    assert abs(pixels(data)[..., 0] - grey).max() < 0.002


def heic(values: Array, primaries: int, curve: int) -> bytes:
    before, pillow_heif.options.SAVE_HDR_TO_12_BIT = pillow_heif.options.SAVE_HDR_TO_12_BIT, False
    try:
        raw = np.rint(values * 65535).astype("<u2")
        file = pillow_heif.from_bytes(mode="RGB;16", size=(raw.shape[1], raw.shape[0]), data=raw.tobytes())
        out = io.BytesIO()
        numbers = {"color_primaries": primaries, "transfer_characteristics": curve, "matrix_coefficients": 9}
        file.save(out, quality=98, chroma=444, full_range_flag=1, **numbers)
        return out.getvalue()
    finally:
        pillow_heif.options.SAVE_HDR_TO_12_BIT = before


def test_the_hdr_of_a_camera_has_the_look_of_its_sdr() -> None:
    assert off(heic(pq(light_in("2020") * 203), 9, 16)) < 4
    assert off(heic(hlg(light_in("2020") * 203), 9, 18)) < 4


def avif(values: Array, primaries: int, curve: int) -> bytes:
    """Pillow writes (1, 13) into every AVIF; the numbers are changed in its box `colr`."""
    data = encoded(Image.fromarray(np.rint(values * 255).astype(np.uint8)), "AVIF", subsampling="4:4:4", quality=100)
    place = data.index(b"colrnclx") + 8
    return data[:place] + struct.pack(">HH", primaries, curve) + data[place + 4 :]


def test_an_avif_has_the_colours_that_its_numbers_name() -> None:
    assert off(avif(wanted(), 1, 13)) < 2
    assert off(avif(srgb(light_in("p3")), 12, 13)) < 2
    assert off(avif(pq(light_in("2020") * 203), 9, 16)) < 4
    assert off(avif(hlg(light_in("2020") * 203), 9, 18)) < 4


def with_cicp(profile: bytes, *numbers: int) -> bytes:
    """`profile` with one more tag, of 12 bytes at its end."""
    (count,) = struct.unpack_from(">I", profile, 128)
    shifted = b""
    for tag in range(count):
        name, offset, length = struct.unpack_from(">4sII", profile, 132 + 12 * tag)
        shifted += struct.pack(">4sII", name, offset + 12, length)
    body = profile[132 + 12 * count :]
    tag_at = 132 + 12 * (count + 1) + len(body)
    table = struct.pack(">I", count + 1) + shifted + struct.pack(">4sII", b"cicp", tag_at, 12)
    whole = profile[:128] + table + body + b"cicp" + bytes(4) + bytes(numbers)
    return struct.pack(">I", len(whole)) + whole[4:]


@pytest.mark.parametrize("format", ["TIFF", "WEBP", "AVIF"])
def test_a_profile_that_says_pq_is_believed(format: str) -> None:  # noqa: A002
    image = Image.fromarray(np.rint(pq(light_in("2020") * 203) * 255).astype(np.uint8))
    exact = {"lossless": True} if format == "WEBP" else {"subsampling": "4:4:4"} if format == "AVIF" else {}
    assert off(encoded(image, format, icc_profile=with_cicp(P3_PROFILE, 9, 16, 0, 1), **exact)) < 5


def test_what_is_brighter_than_white_is_rolled_off_and_not_cut() -> None:
    ramp = np.zeros((4, 256, 3)) + np.geomspace(10, 1000, 256)[None, :, None]
    seen = pixels(png16(pq(ramp), cicp(9, 16, 0, 1)))[0, :, 0]
    assert np.all(np.diff(seen) > -1e-6), "brighter light is never darker paint"
    assert seen[-1] == pytest.approx(1, abs=0.01)
    at_white = seen[np.searchsorted(ramp[0, :, 0], 203)]
    assert 0.85 < at_white < 0.97


def test_a_broken_profile_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "styled"):
        pixels(PNGS["an iCCP that is no profile leaves sRGB"]())
    assert "profile is broken" in caplog.text


def test_a_tiff_has_the_colours_that_its_tags_name() -> None:
    """TransferFunction (one table of 256), WhitePoint and PrimaryChromaticities."""
    table = tuple(round(65535 * (i / 255) ** 1.8) for i in range(256))
    points = (0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
    image = Image.fromarray(np.rint(light_in("p3") ** (1 / 1.8) * 255).astype(np.uint8))
    tags = {301: table, 318: (0.3127, 0.329), 319: points}
    assert off(encoded(image, "TIFF", tiffinfo=tags)) < 2


def bmp(values: Array, kind: bytes, points: Array, gamma: float, profile: bytes = b"") -> bytes:
    raw = np.rint(values[::-1, :, ::-1] * 255).astype(np.uint8).tobytes()
    head = struct.pack("<IiiHHIIiiII", 124, 48, 32, 1, 24, 0, len(raw), 0, 0, 0, 0) + bytes(16) + kind
    head += struct.pack("<9i", *np.rint(points.ravel() * 2**30).astype(int)) + struct.pack(
        "<3I", *[round(gamma * 65536)] * 3
    )
    head += struct.pack("<IIII", 4, 124 + len(raw), len(profile), 0)
    return bytes(b"BM" + struct.pack("<IHHI", 138 + len(raw), 0, 0, 138) + head + raw + profile)


def test_a_bmp_has_the_colours_that_its_header_names() -> None:
    points = XYZ["p3"].T  # end points: X, Y, Z of red, of green, of blue
    assert off(bmp(light_in("p3") ** (1 / 1.8), bytes(4), points, 1.8)) < 2
    assert off(bmp(wanted(), b"BGRs", points, 1.8)) < 1
    assert off(bmp(srgb(light_in("p3")), b"DEBM", np.zeros((3, 3)), 0, P3_PROFILE)) < 2


def test_a_profile_of_srgb_changes_nothing() -> None:
    assert off(png8(wanted(), iccp(matrix_profile(SRGB, CURVE_SRGB)))) < 1
