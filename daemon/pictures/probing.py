"""An open file → what its header says. Imports no numpy, so that `styled check` answers at once."""

from typing import BinaryIO

from PIL import Image

from daemon.pictures import metadata
from daemon.pictures.refusals import decoding, refuse_raw

# No other decoder is tried: no PostScript, no Photoshop. JPEG also opens MPO; AVIF stands before HEIF, which would
# open AVIF files, too.
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "HEIF")


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
    """The picture, with its header read. Raises JobError if it is a RAW file, and what Pillow raises."""
    image = Image.open(data, formats=FORMATS)
    refuse_raw(image)
    return image
