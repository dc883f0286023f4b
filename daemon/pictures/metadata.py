"""EXIF: the orientation of a photo, and the tags that a painting keeps."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from PIL import ExifTags, Image
from PIL.ExifTags import IFD, Base

from daemon.pictures.notes import note

if TYPE_CHECKING:  # `styled check` reads headers without numpy
    from daemon.pictures.light import Floats

log = logging.getLogger("styled")

LARGEST_VALUE = 4096  # bytes or numbers; a longer value is no description of a photograph
LARGEST_EXIF = 60_000  # bytes: JPEG holds 65,533 in one block

# Of the first directory, only the tags about the photograph: in a TIFF others say where the pixels are.
DESCRIPTION = frozenset(
    {Base.ImageDescription, Base.Make, Base.Model, Base.Software, Base.DateTime, Base.Artist, Base.Copyright}
    | {Base.XPTitle, Base.XPComment, Base.XPAuthor, Base.XPKeywords, Base.XPSubject, Base.Rating}
)
# Of the second directory, all tags that EXIF itself defines except these: makers' own data, serial numbers, and tags
# that would be wrong for the painting (its size, places in the photo, its colour space, files that go with it).
LEFT_OUT = frozenset(
    {Base.MakerNote, Base.BodySerialNumber, Base.LensSerialNumber, Base.CameraOwnerName, Base.ImageUniqueID}
    | {Base.ExifImageWidth, Base.ExifImageHeight, Base.ExifInteroperabilityOffset, Base.RelatedSoundFile}
    | {0x9214, Base.SubjectLocation, Base.ColorSpace, Base.DeviceSettingDescription}
)
EXPOSURE = frozenset(
    {int(tag) for tag in Base if 0x9000 <= tag <= 0x92FF or 0xA000 <= tag <= 0xA4FF}
    | {int(tag) for tag in Base if 0x8822 <= tag <= 0x8835}
    | {int(Base.ExposureTime), int(Base.FNumber)}
) - {int(tag) for tag in (*LEFT_OUT, Base.GPSInfo)}
LOCATION = frozenset(int(tag) for tag in ExifTags.GPS)
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
ON_THEIR_SIDE = (5, 6, 7, 8)  # orientations that swap width and height


def exif_of(image: Image.Image) -> Image.Exif:
    """The picture's EXIF; empty if the picture has no EXIF or a broken one."""
    try:
        return image.getexif()
    except Exception as error:  # struct.error, SyntaxError, ValueError …
        note(f"its EXIF data is broken and is ignored: {error}")
        return Image.Exif()


def orientation(image: Image.Image, exif: Image.Exif) -> int:
    """EXIF's number, 1 … 8; 1 where the decoder turns the pixels, as it does in HEIC and in most TIFFs."""
    stored = exif.get(Base.Orientation, 1)
    if image.format == "HEIF" or (image.format == "TIFF" and stored in TURNS):
        return 1
    return turn_of(stored)


def turn_of(stored: Any) -> int:
    """The orientation that a tag holds in whatever type: a short as it should, or a fraction, text, bytes, a list."""
    if isinstance(stored, tuple | list):
        stored = stored[0] if stored else 1
    if isinstance(stored, bytes):
        stored = stored.strip(b"\0")[:1]
        stored = stored if stored.isdigit() else int.from_bytes(stored, "big")
    try:
        turn = int(stored)
    except (ValueError, TypeError, ArithmeticError):
        return 1
    return turn if turn in TURNS else 1


def turned_image(image: Image.Image, turn: int) -> Image.Image:
    """A picture of Pillow, upright, whose orientation is `turn`."""
    return image.transpose(TURNS[turn]) if turn in TURNS else image


def turned(values: "Floats", turn: int) -> "Floats":
    """An array (H, W, …) upright, whose orientation is `turn`: first its sides change places, then it is mirrored."""
    if turn in ON_THEIR_SIDE:
        values = values.swapaxes(0, 1)
    if turn in (3, 4, 7, 8):
        values = values[::-1]
    if turn in (2, 3, 6, 7):
        values = values[:, ::-1]
    return values


def kept(exif: Image.Exif, location: bool) -> bytes:
    """The EXIF that a painting keeps of `exif`, without orientation and thumbnail; b"" if nothing is left."""
    out = Image.Exif()
    try:
        out_details = _storable(exif.get_ifd(IFD.Exif), EXPOSURE, IFD.Exif)
        gps = _storable(exif.get_ifd(IFD.GPSInfo), LOCATION, IFD.GPSInfo) if location else {}
        for tag, value in _storable(exif, DESCRIPTION, None).items():
            out[tag] = value
        for group, values in ((IFD.Exif, out_details), (IFD.GPSInfo, gps)):
            if values:
                out[group] = values
        data = out.tobytes() if len(out) else b""
    except Exception as error:  # its directories may point anywhere
        note(f"its EXIF data is broken and is left out: {error}")
        return b""
    return data if len(data) <= LARGEST_EXIF else b""


def upright(metadata: bytes, dpi: int | None = None) -> bytes:
    """`metadata` with the orientation 1, for a file that is written; `dpi`: the pixels per inch of a print."""
    if not metadata and dpi is None:
        return b""
    exif = Image.Exif()
    if metadata:
        exif.load(metadata)
    exif[Base.Orientation] = 1
    if dpi is not None:
        exif[Base.XResolution] = exif[Base.YResolution] = float(dpi)
        exif[Base.ResolutionUnit] = 2  # inches
    return exif.tobytes()


def _storable(values: Mapping[int, Any], tags: frozenset[int], group: int | None) -> dict[int, Any]:
    """Those `tags` of `values` that can be written again; in a damaged file a tag may hold anything."""
    found = {}
    for tag in sorted(tags & set(values)):
        value = values[tag]
        if isinstance(value, str) and not value.isascii():
            value = value.encode("latin-1", "replace")  # Pillow reads text as Latin-1 and writes only ASCII
        trial = Image.Exif()
        try:
            if hasattr(value, "__len__") and len(value) > LARGEST_VALUE:
                continue
            if group is None:
                trial[tag] = value
            else:
                trial[group] = {tag: value}
            trial.tobytes()
        except Exception as error:
            log.debug("EXIF tag %d cannot be kept: %s", tag, error)
            continue
        found[tag] = value
    return found
