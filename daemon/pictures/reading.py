"""An open file → a picture: upright, scaled, in sRGB."""

from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ExifTags import Base

from daemon.pictures import colour, deep, jpeg, metadata
from daemon.pictures.light import Floats
from daemon.pictures.notes import naming, note
from daemon.pictures.probing import open_picture
from daemon.pictures.refusals import check_megapixels, decoding
from daemon.pictures.scaling import Box, Size, draft, scaled, target_size
from daemon.pictures.spaces import Space, space_of
from daemon.pictures.wholeness import refuse_holes

deep.know_wide_tiffs()


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture."""

    pixels: NDArray[np.float32]
    """(H, W, 3) sRGB in [0, 1], upright."""
    alpha: NDArray[np.float32] | None
    """(H, W) in [0, 1]; None where all is opaque."""
    format: str
    """"JPEG", "PNG" …, by the file's content."""
    metadata: bytes
    """EXIF for the painting, without orientation, thumbnail, serial numbers and, unless asked for, location."""


def read(
    file: BinaryIO,
    *,
    max_megapixels: float,
    size: int | None = None,
    enlarge: bool = True,
    location: bool = False,
    is_mask: bool = False,
    name: str = "",
) -> Picture:
    """The first picture in `file`, its long side scaled to `size` pixels; None: not scaled. Without `enlarge` a
    smaller picture keeps its size. `location`: keep the place in the metadata. `is_mask`: an alpha channel counts even
    if it hides everything. `name`: of the file, for notes.

    Raises JobError if the file is not a picture, is damaged, or has more than `max_megapixels`, which is checked
    before decoding. Raises OSError if the disk fails. Raises nothing else, for any bytes.
    """
    with naming(name), decoding(file) as data:
        refuse_holes(data)
        image = _opened(data, max_megapixels)
        if deep.is_wide(image):
            return _wide(image, data, size, enlarge, location)
        colour.mend_transparency(image)
        deeper = deep.lower_mode(image)
        loaded, whole, box = _decoded(image, data, target_size(image.size, size, enlarge), max_megapixels)
        exif = metadata.exif_of(image)
        turn, space = metadata.orientation(image, exif), space_of(image, exif, data)
        wanted = target_size(whole, size, enlarge)
        if deeper and space.needs_depth and "transparency" not in image.info:
            data.seek(0)
            found = _from_deep(deep.joined(loaded, open_picture(data), deeper), space, wanted, turn)
        elif loaded.mode == "F":
            found = _from_deep(*deep.usual(np.asarray(loaded)[..., None], space), wanted, turn)
        else:
            canvas = colour.to_working_mode(loaded)
            canvas = scaled(canvas if is_mask else colour.seen(canvas), wanted, box)
            found = colour.to_srgb(metadata.turned_image(canvas, turn), space)
        return Picture(*found, image.format or "", metadata.kept(exif, location))


def _opened(data: BinaryIO, max_megapixels: float) -> Image.Image:
    """The first picture, not yet decoded. Notes say what else the file holds. Raises JobError."""
    data.seek(0)
    image = open_picture(data)
    check_megapixels(image.size, max_megapixels)
    page, more = image.tell(), getattr(image, "is_animated", False)
    if image.format == "TIFF" and page:
        note(f"its first page is a thumbnail; page {page + 1} is painted")
    elif image.format == "TIFF" and more:
        note("it has several pages; the first is painted")
    elif image.format == "HEIF" and more:
        note("it holds several pictures; the one that viewers show first is painted")
    elif image.format != "MPO" and more:
        note("it is an animation; its first picture is painted")
    return image


def _decoded(
    image: Image.Image, data: BinaryIO, wanted: Size, max_megapixels: float
) -> tuple[Image.Image, Size, Box | None]:
    """The picture with its pixels, the size of the whole, and the part to scale, see `draft`. Raises JobError."""
    whole, box = image.size, draft(image, wanted)
    if image.format in ("JPEG", "MPO") and image.mode in jpeg.SPACES:
        image = jpeg.load(image, data)
    else:
        image.load()
    if box is not None:
        return image, whole, box
    check_megapixels(image.size, max_megapixels)  # a container's header may have said otherwise
    return image, image.size, None


def _wide(image: Image.Image, data: BinaryIO, size: int | None, enlarge: bool, location: bool) -> Picture:
    """The picture of a TIFF whose numbers Pillow cannot read."""
    exif = metadata.exif_of(image)
    space = space_of(image, exif, data)
    values, space = deep.usual(deep.wide(image, data), space)
    height, width = values.shape[:2]
    turn = metadata.turn_of(exif.get(Base.Orientation, 1))
    pixels, alpha = _from_deep(values, space, target_size((width, height), size, enlarge), turn)
    return Picture(pixels, alpha, image.format or "", metadata.kept(exif, location))


def _from_deep(values: Floats, space: Space, size: Size, turn: int) -> tuple[Floats, Floats | None]:
    """Numbers (H, W, 1, 3 or 4) of 16 bits or more → pixels and alpha, scaled to `size` and upright."""
    values = metadata.turned(deep.scaled(colour.deep_seen(values), size), turn)
    return colour.deep_to_srgb(values, space)
