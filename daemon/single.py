"""`styled paint`: one photograph, one style picture, one painting, in this process."""

import os
import secrets
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daemon import pictures
from daemon.config import builtin_picture, settings_from
from daemon.console import painting
from daemon.errors import ConfigError, JobError
from daemon.formats import ENDINGS, OutputFormat, output_format
from daemon.job import AUTO_SIZE_CPU, AUTO_SIZE_GPU
from daemon.transfer import DeviceError, RecipeError, Stylizer, WeightsError

MAX_MEGAPIXELS = 200


def paint_one(
    photo: Path, style: str, out: Path, settings: dict[str, Any], *, device: str, weights: str, overwrite: bool
) -> float:
    """Paint `photo` into `out`, which appears whole or not at all. Returns seconds. ConfigError, JobError."""
    if out.exists() and not overwrite:
        raise JobError(f"{out} exists already.", "Choose another name, or say --overwrite.")
    kinds = {ending: kind for kind, endings in ENDINGS.items() for ending in endings}
    if out.suffix.lower() not in kinds:
        raise JobError(f"{out} does not end in .png, .jpg or .webp.", "Give it one of these endings.")
    chosen = settings_from(settings)
    try:
        stylizer = Stylizer(device=device, weights=weights)
        size = chosen.size
        if size == "auto":
            size = AUTO_SIZE_CPU if stylizer.device == "cpu" else AUTO_SIZE_GPU
        with photo.open("rb") as file:
            content = pictures.read(
                file,
                max_megapixels=MAX_MEGAPIXELS,
                size=None if size == "original" else size,
                enlarge=chosen.size != "auto",
            )
        long_side = max(1, round(max(content.pixels.shape) * chosen.recipe.style_scale))
        with builtin_picture(style).open("rb") as file:
            style_picture = pictures.read(file, max_megapixels=MAX_MEGAPIXELS, size=long_side)
        started = time.monotonic()
        with painting(photo.name) as on_step:
            result = stylizer.paint(content.pixels, style_picture.pixels, chosen.recipe, on_step)
    except (DeviceError, WeightsError, RecipeError) as error:
        raise ConfigError([str(error)]) from None
    except OSError as error:
        raise JobError(f"{error.filename}: {error.strerror}.", "Check the name and the rights.") from None
    kind = output_format(content.format, kinds[out.suffix.lower()], (result.shape[1], result.shape[0]))
    try:
        _write(out, result, content, kind)
    except OSError as error:
        raise JobError(f"{out} cannot be written: {error.strerror}.", "Check the folder and its rights.") from None
    return time.monotonic() - started


def _write(out: Path, result: NDArray[np.float32], content: pictures.Picture, kind: OutputFormat) -> None:
    temporary = out.with_name(f".{secrets.token_hex(6)}.tmp")
    try:
        with temporary.open("xb") as target:
            pictures.write(target, result, content.alpha, format=kind, quality=95, metadata=content.metadata)
            target.flush()
            os.fsync(target.fileno())
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)
