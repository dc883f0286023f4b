import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from daemon.pictures.probing import probe
from daemon.pictures.reading import read
from daemon.pictures.writing import write
from tests.support.made_pictures import encoded, scene

SECRETS = (b"BODY-4711", b"LENS-0815", b"Jane Owner", b"0123456789abcdef", b"maker's own", b"THUMBNAIL", b"HOST-pc")


def camera_exif(orientation: int = 1) -> Image.Exif:
    """What a camera writes, with everything in it that is nobody's business."""
    exif = Image.Exif()
    exif[Base.Make] = "Kamera"
    exif[Base.Artist] = "M\u00fcller".encode().decode("latin-1")  # UTF-8, as Pillow reads it
    exif[Base.Copyright] = "(c) 2024"
    exif[Base.HostComputer] = "HOST-pc"
    exif[Base.Orientation] = orientation
    exif[IFD.Exif] = {
        Base.ExposureTime: (1, 250),
        Base.FNumber: 2.8,
        Base.ISOSpeedRatings: 400,
        Base.DateTimeOriginal: "2024:05:06 07:08:09",
        Base.LensModel: "50mm",
        Base.ExifImageWidth: 6000,
        Base.MakerNote: b"maker's own",
        Base.BodySerialNumber: "BODY-4711",
        Base.LensSerialNumber: "LENS-0815",
        Base.CameraOwnerName: "Jane Owner",
        Base.ImageUniqueID: "0123456789abcdef",
    }
    exif[IFD.GPSInfo] = {GPS.GPSLatitudeRef: "N", GPS.GPSLatitude: (48.0, 31.0, 12.0), GPS.GPSDateStamp: "2024:05:06"}
    return exif


def kept(data: bytes, *, location: bool = False) -> tuple[bytes, Image.Exif]:
    metadata = read(io.BytesIO(data), max_megapixels=1, location=location).metadata
    exif = Image.Exif()
    exif.load(metadata)
    return metadata, exif


def with_thumbnail(exif: Image.Exif) -> bytes:
    """EXIF with a second directory behind the first, which is where thumbnails are."""
    block = bytearray(exif.tobytes().removeprefix(b"Exif\0\0"))
    count = int.from_bytes(block[8:10], "big")
    link = 10 + 12 * count
    thumbnail = b"THUMBNAIL" * 4
    second = b"\0\2" + b"\2\1\0\4\0\0\0\1" + (len(block) + 30).to_bytes(4, "big")
    second += b"\2\2\0\4\0\0\0\1" + len(thumbnail).to_bytes(4, "big") + bytes(4)
    block[link : link + 4] = len(block).to_bytes(4, "big")
    return b"Exif\0\0" + bytes(block) + second + thumbnail


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_the_photographers_words_are_kept_and_the_cameras_secrets_are_not(format: str) -> None:  # noqa: A002
    data = encoded(scene(), format, exif=camera_exif().tobytes() if format == "TIFF" else with_thumbnail(camera_exif()))
    assert all(secret in data for secret in SECRETS if secret != b"THUMBNAIL")
    metadata, exif = kept(data)
    assert not [secret for secret in SECRETS if secret in metadata]
    assert exif[Base.Make] == "Kamera"
    assert exif[Base.Copyright] == "(c) 2024"
    details = exif.get_ifd(IFD.Exif)
    assert details[Base.DateTimeOriginal] == "2024:05:06 07:08:09"
    assert details[Base.ISOSpeedRatings] == 400
    assert float(details[Base.FNumber]) == pytest.approx(2.8)
    assert details[Base.LensModel] == "50mm"
    assert Base.ExifImageWidth not in details, "the painting has its own size"
    assert Base.Orientation not in exif
    assert not exif.get_ifd(IFD.GPSInfo)
    assert not exif.get_ifd(IFD.IFD1)


def test_names_that_are_not_ascii_survive() -> None:
    metadata, _ = kept(encoded(scene(), "JPEG", exif=_raw_artist("Müller".encode())))
    assert "Müller".encode() in metadata


def _raw_artist(name: bytes) -> bytes:
    entry = b"\1\x3b\0\2" + (len(name) + 1).to_bytes(4, "big") + (26).to_bytes(4, "big")
    return b"Exif\0\0MM\0*\0\0\0\x08\0\1" + entry + bytes(4) + name + b"\0"


def test_the_location_is_kept_when_it_is_asked_for() -> None:
    _, exif = kept(encoded(scene(), "JPEG", exif=camera_exif()), location=True)
    gps = exif.get_ifd(IFD.GPSInfo)
    assert [float(part) for part in gps[GPS.GPSLatitude]] == [48, 31, 12]


def test_xmp_and_comments_are_not_copied() -> None:
    data = encoded(scene(), "JPEG", xmp=b"<x:xmpmeta>XMP-secret</x:xmpmeta>", comment=b"COM-secret")
    picture = read(io.BytesIO(data), max_megapixels=1)
    out = io.BytesIO()
    write(out, picture.pixels, None, format="jpeg", quality=90, metadata=picture.metadata)
    assert b"secret" in data
    assert b"secret" not in out.getvalue()


@pytest.mark.parametrize("format", ["jpeg", "png", "webp"])
def test_a_painting_carries_the_words_and_stands_upright(format: str) -> None:  # noqa: A002
    picture = read(io.BytesIO(encoded(scene(), "JPEG", exif=camera_exif(orientation=6))), max_megapixels=1)
    assert picture.pixels.shape == (48, 32, 3)
    out = io.BytesIO()
    write(out, picture.pixels, None, format=format, quality=90, metadata=picture.metadata)  # type: ignore[arg-type]
    painting = Image.open(out)
    assert painting.getexif()[Base.Orientation] == 1
    assert painting.getexif()[Base.Make] == "Kamera"
    assert painting.getexif().get_ifd(IFD.Exif)[Base.LensModel] == "50mm"
    assert painting.size == (32, 48)
    assert kept(out.getvalue())[0] == picture.metadata, "a painting of a painting says the same"


def test_a_picture_without_words_makes_a_painting_without_words() -> None:
    metadata, _ = kept(encoded(scene(), "PNG"))
    assert metadata == b""
    out = io.BytesIO()
    write(out, read(io.BytesIO(encoded(scene(), "PNG")), max_megapixels=1).pixels, None, format="png", quality=1)
    assert "exif" not in Image.open(out).info


@pytest.mark.parametrize("cut", range(12, 300, 24))
def test_broken_exif_harms_no_picture(cut: int) -> None:
    block = camera_exif().tobytes()
    for data in (block[:cut], block[:cut] + b"\xff" * 9 + block[cut + 9 :]):
        picture = read(io.BytesIO(encoded(scene(), "JPEG", exif=data)), max_megapixels=1)
        assert sorted(picture.pixels.shape) == [3, 32, 48]
        out = io.BytesIO()
        write(out, picture.pixels, None, format="jpeg", quality=90, metadata=picture.metadata)


def test_more_words_than_a_jpeg_holds_are_left_out() -> None:
    exif = Image.Exif()
    exif[Base.ImageDescription] = "x" * 50_000
    exif[Base.Make] = "Kamera"
    metadata, found = kept(encoded(scene(), "PNG", exif=exif))
    assert len(metadata) < 200
    assert found[Base.Make] == "Kamera"


def with_orientation(kind: int, count: int, value: bytes) -> bytes:
    """EXIF whose only tag is the orientation, stored as `kind` of TIFF's numbers."""
    inside = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack("<I", 26)
    entry = struct.pack("<HHI", 0x0112, kind, count) + inside
    return b"Exif\0\0II*\0\x08\0\0\0\1\0" + entry + bytes(4) + (value if len(value) > 4 else b"")


@pytest.mark.parametrize(
    ("kind", "count", "value"),
    [
        *((1, 1, b"\6"), (2, 2, b"6\0"), (3, 2, b"\6\0\6\0"), (4, 1, b"\6\0\0\0"), (7, 1, b"\6"), (9, 1, b"\6\0\0\0")),
        *((5, 1, struct.pack("<II", 6, 1)), (11, 1, struct.pack("<f", 6)), (12, 1, struct.pack("<d", 6))),
    ],
)
def test_an_orientation_counts_in_whatever_type_it_is_stored(kind: int, count: int, value: bytes) -> None:
    data = encoded(scene(), "JPEG", exif=with_orientation(kind, count, value))
    assert read(io.BytesIO(data), max_megapixels=1).pixels.shape == (48, 32, 3)
    assert probe(io.BytesIO(data)) == ("JPEG", 32, 48)


@pytest.mark.parametrize(("kind", "value"), [("s", "6"), ("I", 6), ("H", 6)])
def test_a_tiff_is_turned_once_in_whatever_type_it_says_so(kind: str, value: int | str) -> None:
    out = io.BytesIO()
    tag = (274, kind, 0 if kind == "s" else 1, value, True)
    tifffile.imwrite(out, np.asarray(scene()), photometric="rgb", extratags=[tag])
    turned = read(io.BytesIO(out.getvalue()), max_megapixels=1).pixels
    assert np.allclose(turned, np.rot90(np.asarray(scene()), -1) / 255, atol=1e-6)


@pytest.mark.parametrize("value", [b"\0\0", b"\x09\0"])
def test_an_orientation_that_is_none_changes_nothing(value: bytes) -> None:
    data = encoded(scene(), "JPEG", exif=with_orientation(3, 1, value))
    assert read(io.BytesIO(data), max_megapixels=1).pixels.shape == (32, 48, 3)
