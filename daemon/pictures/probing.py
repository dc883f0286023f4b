"""An open file → what its header says. Imports no numpy, so that `styled check` answers at once."""

import contextlib
from typing import Any, BinaryIO

from PIL import Image

from daemon.pictures import metadata
from daemon.pictures.refusals import decoding, refuse_raw

# No other decoder is tried: no PostScript, no Photoshop. JPEG also opens MPO; AVIF stands before HEIF, which would
# open AVIF files, too.
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "HEIF")
MOST_PAGES = 100  # most pages of a TIFF that are searched for a page that is no thumbnail


def probe(file: BinaryIO) -> tuple[str, int, int]:
    """(format, width, height), upright, from the header alone. Raises as `reading.read`."""
    with decoding(file) as data:
        image = open_picture(data)
        # Pillow would decode a PNG to look for EXIF behind its pixels
        has_exif = "exif" in image.info or image.format != "PNG"
        turn = metadata.orientation(image, metadata.exif_of(image)) if has_exif else 1
        width, height = reversed(image.size) if turn in metadata.ON_THEIR_SIDE else image.size
        return image.format or "", width, height


def open_picture(data: BinaryIO) -> Image.Image:
    """The picture, with its header read; of a TIFF, the first page that is no thumbnail. Raises JobError if the file is
    RAW, and every error of Pillow."""
    image = Image.open(data, formats=FORMATS)
    refuse_raw(image)
    if image.format == "TIFF" and _is_thumbnail(image):
        with contextlib.suppress(EOFError):
            for page in range(1, MOST_PAGES):
                image.seek(page)
                if not _is_thumbnail(image):
                    return image
        image.seek(0)
    return image


def _is_thumbnail(image: Image.Image) -> bool:
    """Whether a page of a TIFF is a smaller copy of another (NewSubfileType, or the older SubfileType)."""
    tags: Any = getattr(image, "tag_v2", {})
    kind = tags.get(254, 0)
    return bool(isinstance(kind, int) and kind & 1) or tags.get(255) == 2
