"""Pictures: open file ↔ array (H, W, 3) in [0, 1] sRGB, plus alpha, orientation, profile, metadata.

It runs in reader processes that are given open files, never paths. Pillow's own limits and warnings are set
aside here: `max_megapixels` decides, from the header, and every refusal is a JobError.
"""

import logging
import warnings

import pillow_heif
from PIL import Image

from daemon.formats import output_format
from daemon.pictures.masks import masked
from daemon.pictures.reading import Picture, probe, read
from daemon.pictures.records import read_record
from daemon.pictures.sheet import sheet
from daemon.pictures.thumbnails import sketch, sketch_file
from daemon.pictures.writing import verify, write

__all__ = [
    "Picture",
    "masked",
    "output_format",
    "probe",
    "read",
    "read_record",
    "sheet",
    "sketch",
    "sketch_file",
    "verify",
    "write",
]

Image.MAX_IMAGE_PIXELS = None
logging.getLogger("PIL").setLevel(logging.CRITICAL + 1)  # it reports odd tags that harm nobody
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # an older pillow-heif does not know every option
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
