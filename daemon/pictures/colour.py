"""Pictures in any mode of Pillow and with any colour profile → sRGB in [0, 1]."""

import io
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from daemon.errors import JobError
from daemon.pictures.light import BAND, Floats, render
from daemon.pictures.notes import note
from daemon.pictures.spaces import SRGB, Space

HIDES = 2  # of 255: below this, an alpha channel shows nothing
SEPARATE = ("CMYK", "LAB")  # modes whose numbers are no red, green and blue
SPACES = {"RGB": "RGB", "CMYK": "CMYK", "LAB": "Lab", "L": "GRAY"}  # mode → the space that its profile names
# Pillow multiplies PNG's grey levels by these, but not the level that tRNS declares transparent.
GREY_STEPS = {"L;2": 85, "L;4": 17}


def mend_transparency(image: Image.Image) -> None:
    """Scale a PNG's transparent colour to the 8 bits that its pixels will have. Call this before `image.load()`."""
    key = image.info.get("transparency")
    tiles = getattr(image, "tile", None)
    if image.format != "PNG" or not tiles:
        return
    if tiles[0].args == "RGB;16B" and isinstance(key, tuple):
        image.info["transparency"] = tuple(value >> 8 for value in key)
    elif tiles[0].args in GREY_STEPS and isinstance(key, int):
        image.info["transparency"] = min(key * GREY_STEPS[tiles[0].args], 255)


def to_working_mode(image: Image.Image) -> Image.Image:
    """`image` in a mode that can be scaled and that `to_srgb` takes: L, LA, F (in [0, 1]), RGB, RGBA, CMYK, LAB."""
    if image.mode.startswith("I"):
        return _deep_grey(image)
    if image.mode in SEPARATE:
        return image
    colour = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    mode = colour + "A" * image.has_transparency_data
    return image if image.mode == mode else image.convert(mode)


def seen(image: Image.Image) -> Image.Image:
    """`image` (L, LA, RGB, RGBA), without an alpha channel that hides everything: a program without support for alpha
    left zeros there, and picture viewers show the colours. Raises JobError if there is nothing to see."""
    if image.mode[-1] != "A":
        return image
    extremes: Any = image.getchannel("A").getextrema()
    if extremes[1] > HIDES:
        return image
    colours = image.convert(image.mode[:-1])
    _note_blank_alpha(all(low == high for low, high in (c.getextrema() for c in colours.split())))
    return colours


def _note_blank_alpha(is_plain: bool) -> None:
    if is_plain:
        raise JobError("All of it is transparent: there is nothing to see.", "Save it again with something in it.")
    note("its alpha channel hides all of it and is ignored, as picture viewers do")


def _deep_grey(image: Image.Image) -> Image.Image:
    """Grey levels of 12, 16 or 32 bits as mode F in [0, 1]; as LA if one level is transparent."""
    values = np.asarray(image)
    grey = values.astype(np.float32)
    grey /= _white(image, float(grey.max()))
    np.clip(grey, 0, 1, out=grey)
    tags = getattr(image, "tag_v2", {})
    if tags.get(262) == 0:  # TIFF's PhotometricInterpretation "white is zero", which Pillow handles in 8 bits only
        np.subtract(1, grey, out=grey)
    key = image.info.get("transparency")
    if not isinstance(key, int):
        return Image.fromarray(grey)
    alpha = np.where(values == key, 0, 255).astype(np.uint8)
    levels = np.rint(grey * 255).astype(np.uint8)
    return Image.merge("LA", (Image.fromarray(levels), Image.fromarray(alpha)))


def _white(image: Image.Image, peak: float) -> float:
    """The value of white: from the file's own tag for 16 bits; for 32 bits, where no tag says it, the smallest usual
    scale that holds the brightest pixel, `peak`."""
    if image.mode.startswith("I;16"):
        bits = getattr(image, "tag_v2", {}).get(258, (16,))[0]
        return float(2 ** min(max(bits, 1), 16) - 1)
    return next((scale for scale in (255.0, 65535.0) if peak <= scale), peak)


def to_srgb(image: Image.Image, space: Space) -> tuple[Floats, Floats | None]:
    """Pixels (H, W, 3), sRGB in [0, 1], and alpha (H, W), or None if all is opaque; of an image by `to_working_mode`.

    Where alpha is 0, the colour is the mean of the visible colours, so that no hidden colour is painted.
    """
    alpha = None
    if image.mode in ("LA", "RGBA"):
        channel = image.getchannel("A")
        alpha = None if channel.getextrema() == (255, 255) else _unit(channel)
        image = image.convert(image.mode[:-1])
    is_named = space.profile is None and space != SRGB and image.mode not in SEPARATE
    if image.mode in ("L", "F"):
        pixels = _grey(image, _grey_table(space.profile))
    else:
        pixels = _unit(_convert(image, space.profile))
    if is_named:
        pixels = render(pixels, space)
    if alpha is not None:
        _fill_hidden(pixels, alpha)
    return pixels, alpha


def deep_seen(values: Floats) -> Floats:
    """As `seen`, of numbers (H, W, 1, 3 or 4)."""
    if values.shape[2] != 4 or float(values[..., 3].max()) * 255 > HIDES:
        return values
    colours = values[..., :3]
    _note_blank_alpha(float(np.ptp(colours)) == 0)
    return colours


def deep_to_srgb(values: Floats, space: Space) -> tuple[Floats, Floats | None]:
    """As `to_srgb`, of numbers (H, W, 1, 3 or 4), of which 1 is white; the fourth channel is alpha in [0, 1]."""
    if space.profile is not None:
        levels = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
        return to_srgb(Image.fromarray(levels[..., 0] if levels.shape[2] == 1 else levels), space)
    alpha = None
    if values.shape[2] == 4:  # less than half a step of 8 bits shows nothing
        alpha = np.where(values[..., 3] < 0.5 / 255, 0, np.clip(values[..., 3], 0, 1)).astype(np.float32)
    pixels: Floats = np.array(np.broadcast_to(values[..., :3], (*values.shape[:2], 3)), np.float32)
    pixels = np.clip(pixels, 0, 1) if space == SRGB else render(pixels, space)
    if alpha is None or alpha.min() >= 1:
        return pixels, None
    _fill_hidden(pixels, alpha)
    return pixels, alpha


def _unit(image: Image.Image) -> Floats:
    """8-bit channels as floats in [0, 1], converted a band of rows at a time."""
    width, height = image.size
    bands = len(image.getbands())
    out = np.empty((height, width, bands) if bands > 1 else (height, width), np.float32)
    for top in range(0, height, BAND):
        rows = image.crop((0, top, width, min(top + BAND, height)))
        np.divide(np.asarray(rows), np.float32(255), out=out[top : top + BAND])
    return out


def _grey(image: Image.Image, table: Floats) -> Floats:
    """The colours of grey levels (mode L, or F in [0, 1]) by `table` (256, 3); F is interpolated between entries."""
    levels = np.asarray(image)
    if image.mode == "L":
        return np.take(table, levels, axis=0)
    out = np.empty((*levels.shape, 3), np.float32)
    for top in range(0, len(levels), BAND):
        rows = slice(top, top + BAND)
        for channel in range(3):
            out[rows, :, channel] = np.interp(levels[rows] * 255, np.arange(256), table[:, channel])
    return out


def _grey_table(profile: bytes | None) -> Floats:
    """(256, 3): the sRGB colour of each grey level. Many grey pictures carry a profile for RGB, which is used."""
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    source = _parsed(profile)
    if source is not None and _space(source) == SPACES["RGB"]:
        ramp = ramp.convert("RGB")
    table: Floats = _unit(_convert(ramp, profile))[0]
    return table


def _fill_hidden(pixels: Floats, alpha: Floats) -> None:
    weight = float(alpha.sum(dtype=np.float64))
    mean = (alpha.ravel() @ pixels.reshape(-1, 3)) / weight if weight else np.full(3, 0.5)
    pixels[alpha == 0] = mean


def _convert(image: Image.Image, profile: bytes | None) -> Image.Image:
    """L, RGB, CMYK or LAB → RGB in sRGB. A profile that is broken or for another kind of picture is ignored."""
    source: Any = _parsed(profile)
    if source is not None and _space(source) != SPACES[image.mode]:
        note(f"its colour profile is for {_space(source)}, but the picture is {image.mode}; the profile is ignored")
        source = None
    if source is None and image.mode == "LAB":
        source = ImageCms.createProfile("LAB")
    if source is None:
        return image.convert("RGB")
    intent, flags = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION
    try:
        srgb = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(source, srgb, image.mode, "RGB", intent, flags)
    except ImageCms.PyCMSError as error:
        note(f"its colour profile cannot be used and is ignored: {error}")
        return image.convert("RGB")
    return ImageCms.applyTransform(image, transform) or image


def _parsed(profile: bytes | None) -> ImageCms.ImageCmsProfile | None:
    if not profile:
        return None
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(profile))
    except (OSError, ValueError, TypeError, ImageCms.PyCMSError) as error:
        note(f"its colour profile is broken and is ignored: {error}")
        return None


def _space(profile: ImageCms.ImageCmsProfile) -> str:
    return str(profile.profile.xcolor_space).strip()
