"""Scale a picture to a size, in little memory."""

import numpy as np
from PIL import Image

Size = tuple[int, int]  # (width, height)
Box = tuple[float, float, float, float]  # (left, top, right, bottom)
DRAFT = 2  # a JPEG is decoded at twice the wanted size at least, so that skipped detail cannot be seen
REDUCING_GAP = 3.0  # Pillow: from here on "indistinguishable from fair resampling"
FILTER = Image.Resampling.LANCZOS


def target_size(whole: Size, size: int | None, enlarge: bool) -> Size:
    """`whole` with its long side scaled to `size` pixels (None: as it is); no side is less than 1."""
    long_side = max(whole)
    if size is None or (size > long_side and not enlarge):
        return whole
    return max(1, round(whole[0] * size / long_side)), max(1, round(whole[1] * size / long_side))


def draft(image: Image.Image, size: Size) -> Box | None:
    """Let a JPEG be decoded at a half, a quarter or an eighth, if it is far larger than `size`. Returns the box of the
    picture within the decoded image, or None if the picture is decoded in full."""
    width, height = size
    if image.format not in ("JPEG", "MPO") or min(image.width // width, image.height // height) < 2 * DRAFT:
        return None
    drafted = image.draft(None, (DRAFT * width, DRAFT * height))
    return drafted[1] if drafted else None


def scaled(image: Image.Image, size: Size, box: Box | None) -> Image.Image:
    """`image` at `size` by Lanczos. `box`: the part of the image to scale; None: all of it."""
    if image.size == size and box is None:
        return image
    if image.mode in ("LA", "RGBA"):
        return _scaled_by_alpha(image, size)
    return image.resize(size, FILTER, box, REDUCING_GAP)


def _scaled_by_alpha(image: Image.Image, size: Size) -> Image.Image:
    """Weigh colours by their alpha, so that no colour of an invisible pixel leaks out.

    Pillow weighs in 8 bits, which cut off the filter's overshoot and leave a bright rim; floats do not.
    """
    factor = max(1, int(min(image.width / size[0], image.height / size[1]) / REDUCING_GAP))
    box = (0, 0, image.width / factor, image.height / factor)
    if factor > 1:
        image = image.reduce(factor)
    mode, channels = image.mode, image.split()
    cover = np.asarray(channels[-1], np.float32)
    alpha = np.asarray(Image.fromarray(cover).resize(size, FILTER, box))
    weight = np.maximum(alpha, 0.5)  # a smaller alpha is rounded to 0
    out = []
    for channel in channels[:-1]:
        weighted = Image.fromarray(np.asarray(channel, np.float32) * cover).resize(size, FILTER, box)
        out.append(_eight_bit(np.asarray(weighted) / weight))
    return Image.merge(mode, (*out, _eight_bit(alpha)))


def _eight_bit(values: np.typing.NDArray[np.float32]) -> Image.Image:
    return Image.fromarray(np.rint(np.clip(values, 0, 255)).astype(np.uint8))
