"""What a library's user hands over as a picture → (H, W, 3) float32, sRGB in [0, 1]."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]

WHOLE = {"uint8": 255, "uint16": 65_535, "bool": 1}  # kinds of numbers that say themselves what white is
OVERSHOOT = 2.0  # floats up to here are clipped to [0, 1]: scaling may overshoot


def picture(given: Any, name: str) -> Picture:
    """`given` as (H, W, 3) float32 in [0, 1]; a float32 array that is one already is not copied.

    Taken as they are meant: arrays (H, W, 3) of uint8, uint16, bool or floats in [0, 1]; grey (H, W) or (H, W, 1); a
    fourth channel that hides nothing; pictures of Pillow, whose colour profile the caller has applied. Floats that
    leave [0, 1] a little are clipped.

    Raises ValueError, which begins with `name` and says what to do, for everything else: floats up to 255, numbers
    that are not finite, transparency, channels that come first, whole numbers of other kinds.
    """
    if hasattr(given, "getbands") and hasattr(given, "convert"):  # Pillow's, which is not imported for this
        has_alpha = "A" in given.getbands() or "transparency" in given.info
        given = given.convert("RGBA" if has_alpha else "RGB")
    values = np.asarray(given)
    if values.dtype.kind not in "fuib":
        raise ValueError(f"{name}: {_named(given)} is not a picture (H, W, 3); open the file, and give its pixels")
    return _opaque(_in_range(_channels_last(values, name), name), name)


def _named(given: Any) -> str:
    return repr(given)[:80] if isinstance(given, str | bytes) else f"a {type(given).__name__}"


def _channels_last(values: NDArray[Any], name: str) -> NDArray[Any]:
    """(H, W, 3 or 4)"""
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3 or 0 in values.shape or values.shape[2] not in (1, 3, 4):
        cure = ""
        if values.ndim == 4 and values.shape[0] == 1:
            cure = "; give one picture of the batch, array[0]"
        elif values.ndim == 3 and values.shape[0] in (1, 3, 4):
            cure = "; move the channels to the end, numpy.moveaxis(array, 0, 2)"
        raise ValueError(f"{name}: an array of shape {values.shape} is not a picture (H, W, 3){cure}")
    return np.repeat(values, 3, axis=2) if values.shape[2] == 1 else values


def _in_range(values: NDArray[Any], name: str) -> Picture:
    kind = values.dtype.name
    if kind in WHOLE:
        return values.astype(np.float32) / np.float32(WHOLE[kind])
    if values.dtype.kind in "ui":
        raise ValueError(f"{name}: {kind} does not say which number is white; give uint8, array.astype(numpy.uint8)")
    least, most = float(values.min()), float(values.max())  # NaN if any is NaN
    if not (np.isfinite(least) and np.isfinite(most)):
        raise ValueError(f"{name}: some values are not finite; replace them, numpy.nan_to_num(array)")
    if most > OVERSHOOT or least < -OVERSHOOT / 4:
        span = f"{name}: floats must be in [0, 1], but these go from {least:g} to {most:g}"
        cure = "divide them by what is white, array / 255" if least >= 0 else "scale them, (array + 1) / 2"
        raise ValueError(f"{span}; {cure}")
    values = values.astype(np.float32, copy=False)
    return values if least >= 0 and most <= 1 else np.clip(values, 0, 1)


def _opaque(values: Picture, name: str) -> Picture:
    if values.shape[2] == 4 and float(values[..., 3].min()) < 1:
        raise ValueError(f"{name}: a part of it is transparent; lay it on a colour first, or give array[..., :3]")
    return np.ascontiguousarray(values[..., :3]) if values.shape[2] == 4 else values
