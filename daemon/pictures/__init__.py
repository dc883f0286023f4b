"""Pictures: open file ↔ array (H, W, 3), sRGB in [0, 1], with alpha, orientation, colour profile and metadata.

Runs in reader processes, and in commands that work without a daemon. Imports `errors`, `events`, `filenames`,
`previews` and `text` of the daemon; Pillow, pillow-heif, simplejpeg, tifffile and numpy. The functions get open files,
never paths. Pillow's own limits and warnings are switched off here: `max_megapixels` decides, from the header, and
every refusal is a JobError.
"""

import importlib
import logging
import warnings
from typing import Any

import pillow_heif
from PIL import Image

from daemon.pictures.chunks import tolerate_long_texts

Image.MAX_IMAGE_PIXELS = None
for _chatty in ("PIL", "tifffile"):  # they report odd tags that do no harm
    logging.getLogger(_chatty).setLevel(logging.CRITICAL + 1)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # an older pillow-heif does not know every option
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
tolerate_long_texts()

_HOMES = {"read": "reading", "write": "writing", "masked": "masks"}


def __getattr__(name: str) -> Any:
    """`read`, `write` and `masked`; numpy and the decoders load with their first use, because a check needs none."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
