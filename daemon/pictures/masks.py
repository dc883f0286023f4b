"""A mask beside a photo: white paints, black keeps the photograph, grey blends."""

from typing import BinaryIO

import numpy as np
from PIL import Image

from daemon.errors import JobError
from daemon.pictures.light import Floats
from daemon.pictures.reading import read


def masked(painting: Floats, photo: Floats, mask: BinaryIO, *, max_megapixels: float, name: str = "") -> Floats:
    """painting and photo (H, W, 3) → their blend (H, W, 3). The mask, of any size, is scaled to them; its transparent
    parts count as black. `name`: of the mask, for notes. Raises JobError if the mask is not a picture."""
    height, width = painting.shape[:2]
    try:
        picture = read(
            mask, max_megapixels=max_megapixels, size=max(height, width), enlarge=False, is_mask=True, name=name
        )
    except JobError as error:
        raise JobError(f"Its mask cannot be used: {error.reason}", "Save the mask again as PNG.") from None
    grey = picture.pixels.mean(axis=2)
    if picture.alpha is not None:
        grey = grey * picture.alpha
    scaled = Image.fromarray(grey).resize((width, height), Image.Resampling.BILINEAR)
    share = np.clip(np.asarray(scaled, np.float32), 0, 1)[..., None]
    return share * painting + (1 - share) * photo
