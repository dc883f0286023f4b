"""An open file → a picture: upright, scaled, in sRGB."""

from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from daemon.pictures import colour, metadata
from daemon.pictures.probing import open_picture
from daemon.pictures.profiles import implied_profile
from daemon.pictures.refusals import check_megapixels, decoding, refuse_unfilled
from daemon.pictures.scaling import draft, scaled, target_size


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
    file: BinaryIO, *, max_megapixels: float, size: int | None = None, enlarge: bool = True, location: bool = False
) -> Picture:
    """The first picture in `file`, its long side scaled to `size` pixels; None: not scaled. Without `enlarge` a
    smaller picture keeps its size. `location`: keep the place in the metadata.

    Raises JobError if the file is not a picture, is damaged, or has more than `max_megapixels`, which is checked
    before decoding. Raises OSError if the disk fails. Raises nothing else, for any bytes.
    """
    with decoding(file) as data:
        refuse_unfilled(data)
        image = open_picture(data)
        check_megapixels(image.size, max_megapixels)
        colour.mend_transparency(image)
        whole = image.size
        box = draft(image, target_size(whole, size, enlarge))
        image.load()
        if box is None:
            whole = image.size  # a container's header may have said otherwise
            check_megapixels(whole, max_megapixels)
        exif = metadata.exif_of(image)
        turn = metadata.orientation(image, exif)
        profile = implied_profile(image, exif)
        keep = metadata.kept(exif, location)
        kind = image.format or ""
        image = scaled(colour.to_working_mode(image), target_size(whole, size, enlarge), box)
        if turn in metadata.TURNS:
            image = image.transpose(metadata.TURNS[turn])
        pixels, alpha = colour.to_srgb(image, profile)
        return Picture(pixels, alpha, kind, keep)
