"""What colour are these numbers? One answer for every format: a `Space`."""

import math
import struct
import zlib
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

from PIL import Image

from daemon.pictures import boxes, chunks
from daemon.pictures.notes import note

Chromaticities = tuple[tuple[float, float], ...]  # (x, y) of red, green, blue and white
Curve = float | Literal["srgb", "pq", "hlg"]  # a number is an exponent: light = value ** number

D65 = (0.3127, 0.3290)
D50 = (0.3457, 0.3585)  # of ICC profiles
BT709: Chromaticities = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), D65)  # also sRGB's
ADOBE_RGB = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), D65)
BT601_525 = ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65)
H273_PRIMARIES: dict[int, Chromaticities] = {
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), (0.310, 0.316)),  # System M
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), D65),  # BT.601, 625 lines
    6: BT601_525,
    7: BT601_525,
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), (0.310, 0.316)),  # film
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), D65),  # BT.2020 and BT.2100
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),  # DCI-P3
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), D65),  # Display P3
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), D65),
}
# Pictures that name a curve of television (1, 6, 7, 14, 15) hold the numbers of sRGB; browsers read them so, too.
H273_CURVES: dict[int, Curve] = {4: 2.2, 5: 2.8, 8: 1.0, 16: "pq", 17: 2.6, 18: "hlg"}
LARGEST_PROFILE = 1 << 24  # bytes, unpacked
PQ_PROFILE = b"ITUR_2100_PQ_FULL"  # the name by which PNGs from before `cICP` say PQ (W3C Note of 2017)
SRGB_GAMMA = 0.45455
# An ICC curve that changes nothing: an empty table, a table of the gamma 1, a formula of the gamma 1.
STRAIGHT = (b"curv" + bytes(8), b"curv" + bytes(7) + b"\1\1\0", b"para" + bytes(8) + b"\0\1\0\0")


@dataclass(frozen=True, slots=True)
class Space:
    """How numbers in [0, 1] become light. `profile` counts alone if it is there."""

    profile: bytes | None = None  # ICC, as the file embeds it
    primaries: Chromaticities = BT709
    curve: Curve = "srgb"
    narrow: bool = False  # 16/255 is black and 235/255 is white

    @property
    def needs_depth(self) -> bool:
        """Whether 8 bits are too few: equal steps of light are coarse where it is dark."""
        is_flat = isinstance(self.curve, float) and self.curve < 1.5
        return self.profile is None and (is_flat or self.curve in ("pq", "hlg"))


SRGB = Space()


def space_of(image: Image.Image, exif: Image.Exif, file: BinaryIO) -> Space:
    """The space of the numbers in `image`, which was opened from `file`; the position in `file` does not change.

    The first of these that the file holds and that can be read:
    PNG: cICP, iCCP, sRGB, gAMA with cHRM (PNG, third edition, 4.3 and table 5.1).
    HEIC and AVIF: the profile of `colr`, its numbers nclx (ISO/IEC 23000-22, 7.3.6.4; numbers of ITU-T H.273).
    TIFF: the profile, TransferFunction with PrimaryChromaticities and WhitePoint (TIFF 6.0, section 20); floats without
    a profile are light itself, as Photoshop, Windows and darktable have it.
    BMP: the profile or the end points and gammas of its header (BITMAPV4HEADER, BITMAPV5HEADER).
    All others: the embedded profile. A profile's own tag `cicp` goes before its tables (ICC.1:2022, 9.2.17).
    Then, for all: EXIF's marks for Adobe RGB (DCF 2.0, "R03"; some cameras write ColorSpace 2). Then sRGB.
    """
    at = file.tell()
    try:
        named = _named(image, file)
    finally:
        file.seek(at)
    if named is not None:
        return named
    return Space(primaries=ADOBE_RGB, curve=563 / 256) if _is_adobe_rgb(exif) else SRGB


def _named(image: Image.Image, file: BinaryIO) -> Space | None:
    """The space that the format itself names, or None."""
    if image.format == "PNG":
        return _png(file)
    embedded = image.info.get("icc_profile")
    if isinstance(embedded, bytes) and (space := _embedded(embedded)):
        return space
    if image.format == "HEIF":
        nclx = image.info.get("nclx_profile")
        return _numbers(nclx.get("color_primaries"), nclx.get("transfer_characteristics")) if nclx else None
    if image.format == "AVIF":
        found = boxes.colour_numbers(file)
        return _numbers(*found) if found else None
    if image.format == "TIFF":
        return _tiff(image)
    return _bmp(file) if image.format == "BMP" else None


def _numbers(primaries: Any, curve: Any, narrow: bool = False) -> Space:
    """By the numbers of ITU-T H.273; a number that says nothing, or that nobody uses, means sRGB's."""
    return Space(None, H273_PRIMARIES.get(primaries, BT709), H273_CURVES.get(curve, "srgb"), narrow)


def _embedded(profile: bytes) -> Space | None:
    """The space of an ICC profile; None, with a note, if the bytes are no profile."""
    if profile[36:40] != b"acsp" or not 132 <= len(profile) <= LARGEST_PROFILE:
        why = "is broken" if len(profile) <= LARGEST_PROFILE else f"has more than {LARGEST_PROFILE >> 20} MB"
        note(f"its colour profile {why} and is ignored")
        return None
    tags = _tags(profile)
    numbers = tags.get(b"cicp", b"")[8:12]
    if len(numbers) == 4 and H273_CURVES.get(numbers[1]) in ("pq", "hlg"):
        return _numbers(numbers[0], numbers[1], not numbers[3])
    return _light(profile, tags) or Space(profile)


def _tags(profile: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", profile, 128)
    found = {}
    for place in range(132, min(132 + 12 * count, len(profile) - 11), 12):
        name, offset, length = struct.unpack_from(">4sII", profile, place)
        found[name] = profile[offset : offset + length]
    return found


def _light(profile: bytes, tags: dict[bytes, bytes]) -> Space | None:
    """The space of an ICC profile by which numbers are light itself, as renderers and panorama programs embed it in
    deep pictures; None for every other profile (ICC.1:2022, 8.3.3, 10.6 and 10.18)."""
    columns = [tags.get(name, b"") for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
    curves = [tags.get(name, b"") for name in (b"rTRC", b"gTRC", b"bTRC")]
    if profile[16:20] != b"RGB " or b"A2B0" in tags or not all(len(column) >= 20 for column in columns):
        return None
    if not all(curve.startswith(STRAIGHT) for curve in curves):
        return None
    xyz = [struct.unpack_from(">3i", column, 8) for column in columns]
    if min(y for _, y, _ in xyz) <= 0 or min(sum(each) for each in xyz) <= 0:
        return None  # colours that nobody sees
    xy = tuple((x / (x + y + z), y / (x + y + z)) for x, y, z in xyz)
    return Space(primaries=(*xy, D50), curve=1.0)


def _png(file: BinaryIO) -> Space | None:
    found = chunks.before_pixels(file, (b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM"))
    numbers = found.get(b"cICP", b"")
    if len(numbers) == 4 and numbers[2] == 0:  # H.273: MatrixCoefficients 0, the numbers are R, G, B
        return _numbers(numbers[0], numbers[1], narrow=not numbers[3])
    if b"iCCP" in found:
        name, _, packed = found[b"iCCP"].partition(b"\0")
        if name == PQ_PROFILE:
            return _numbers(9, 16)
        try:
            space = _embedded(zlib.decompressobj().decompress(packed[1:], LARGEST_PROFILE + 1))
        except zlib.error:
            note("its colour profile is broken and is ignored")
            space = None
        if space is not None:
            return space
    if b"sRGB" in found:
        return SRGB
    if not found.keys() & {b"gAMA", b"cHRM"}:
        return None
    points = found.get(b"cHRM", b"")
    primaries: Chromaticities = BT709
    if len(points) == 32:
        x = [value / 100_000 for value in struct.unpack(">8I", points)]
        primaries = _plausible(((x[2], x[3]), (x[4], x[5]), (x[6], x[7]), (x[0], x[1])))
    return Space(primaries=primaries, curve=_png_curve(int.from_bytes(found.get(b"gAMA", b"")[:4], "big") / 100_000))


def _png_curve(gamma: float) -> Curve:
    """The curve that `gAMA` names; 0: there is none. The number of sRGB's own, 1/2.2, stands for sRGB's curve."""
    if gamma == 0 or abs(gamma / SRGB_GAMMA - 1) < 0.02:
        return "srgb"
    if not 0.2 < gamma < 5:
        note("its gamma makes no sense and is ignored")
        return "srgb"
    return 1 / gamma


def _tiff(image: Image.Image) -> Space | None:
    tags: Any = getattr(image, "tag_v2", {})
    points, white, table = tags.get(319), tags.get(318), tags.get(301)
    primaries: Chromaticities = BT709
    if points and len(points) == 6:
        x = [float(value) for value in points]
        whites = (float(white[0]), float(white[1])) if white and len(white) == 2 else D65
        primaries = _plausible(((x[0], x[1]), (x[2], x[3]), (x[4], x[5]), whites))
    curve: Curve = "srgb"
    if table and len(table) >= 16 and isinstance(table[0], int):
        curve = _exponent(table[: len(table) // 3] if len(table) % 3 == 0 and _is_power(len(table) // 3) else table)
    elif 3 in _tuple(tags.get(339)):  # SampleFormat: IEEE floating point
        curve = 1.0
    return Space(primaries=primaries, curve=curve) if curve != "srgb" or primaries != BT709 else None


def _tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _is_power(number: int) -> bool:
    return number & (number - 1) == 0


def _exponent(table: tuple[int, ...]) -> Curve:
    """The curve of a table of light, 0 … 65535, by the light at the middle; sRGB's is 0.214 there, not far from 2.2."""
    middle = table[len(table) // 2] / 65535
    return "srgb" if not 0.002 < middle < 0.9 or abs(middle - 0.2159) < 0.01 else round(-math.log2(middle), 2)


def _bmp(file: BinaryIO) -> Space | None:
    file.seek(14)
    head = file.read(124)
    if len(head) < 108 or int.from_bytes(head[:4], "little") < 108:
        return None
    kind = head[56:60]
    if kind == b"DEBM" and len(head) >= 120:  # PROFILE_EMBEDDED: where and how long, counted from the header
        start, length = struct.unpack_from("<II", head, 112)
        file.seek(14 + start)
        return _embedded(file.read(min(length, LARGEST_PROFILE + 1)))
    if kind != bytes(4):  # not LCS_CALIBRATED_RGB
        return None
    points = [value / 2**30 for value in struct.unpack_from("<9i", head, 60)]  # CIEXYZTRIPLE
    gammas = [value / 65536 for value in struct.unpack_from("<3I", head, 96)]
    sums = [sum(points[i : i + 3]) for i in (0, 3, 6)]
    if min(sums) <= 0 or not 0.2 < gammas[1] < 5:
        return None
    xy = tuple((points[3 * i] / total, points[3 * i + 1] / total) for i, total in enumerate(sums))
    curve: Curve = "srgb" if abs(gammas[1] - 2.2) < 0.05 else gammas[1]
    return Space(primaries=_plausible((*xy, D65)), curve=curve)


def _plausible(primaries: Chromaticities) -> Chromaticities:
    """`primaries`, or sRGB's where a triangle is too small or a white too dark to count with."""
    (rx, ry), (gx, gy), (bx, by), (_, wy) = primaries
    area = abs((gx - rx) * (by - ry) - (bx - rx) * (gy - ry)) / 2
    if area < 0.01 or min(y for _, y in primaries) <= 0.0 or wy < 0.1:
        note("its chromaticities make no sense and are ignored")
        return BT709
    near = all(math.dist(xy, known) < 0.003 for xy, known in zip(primaries, BT709, strict=True))
    return BT709 if near else primaries


def _is_adobe_rgb(exif: Image.Exif) -> bool:
    try:
        details = exif.get_ifd(0x8769)  # Exif
        index = exif.get_ifd(0xA005).get(1) if 0xA005 in details else None  # InteroperabilityIndex
        return bool(details.get(0xA001) == 2 or index == "R03")
    except Exception:  # the tags of a damaged EXIF may hold anything
        return False
