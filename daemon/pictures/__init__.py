"""Pictures: open file ↔ array (H, W, 3), sRGB in [0, 1], with alpha, orientation, colour profile and metadata.

Runs in reader processes, and in commands that work without a daemon. Imports `errors`, `events`, `filenames` and
`previews` of the daemon; Pillow, pillow-heif and numpy. The functions get open files, never paths. Pillow's own limits
and warnings are switched off here: `max_megapixels` decides, from the header, and every refusal is a JobError.
"""

import logging
import warnings

import pillow_heif
from PIL import Image

Image.MAX_IMAGE_PIXELS = None
logging.getLogger("PIL").setLevel(logging.CRITICAL + 1)  # it reports odd tags that do no harm
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # an older pillow-heif does not know every option
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
