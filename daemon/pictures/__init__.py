"""Pictures: open file ↔ array (H, W, 3) in [0, 1] sRGB, plus alpha, orientation, profile, metadata.

It runs in reader processes that are given open files, never paths. Pillow's own limits and warnings are set
aside here: `max_megapixels` decides, from the header, and every refusal is a JobError.
"""

import logging
import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pillow_heif
from PIL import Image

if TYPE_CHECKING:
    from daemon.pictures.masks import masked
    from daemon.pictures.probing import probe
    from daemon.pictures.reading import Picture, read
    from daemon.pictures.sheets import sheet
    from daemon.pictures.thumbnails import sketch, sketch_file
    from daemon.pictures.writing import verify, write
    from daemon.pictures.xmp import read_record

__all__ = ["Picture", "masked", "probe", "read", "read_record", "sheet", "sketch", "sketch_file", "verify", "write"]
_HOMES = {  # loaded with their first use: what only looks at headers needs no numpy
    "masks": ("masked",),
    "probing": ("probe",),
    "reading": ("Picture", "read"),
    "xmp": ("read_record",),
    "sheets": ("sheet",),
    "thumbnails": ("sketch", "sketch_file"),
    "writing": ("verify", "write"),
}
Image.MAX_IMAGE_PIXELS = None
logging.getLogger("PIL").setLevel(logging.CRITICAL + 1)  # it reports odd tags that harm nobody
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # an older pillow-heif does not know every option
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"daemon.pictures.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
