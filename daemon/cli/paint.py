"""`styled paint`: one photograph, one style picture, one painting, in this process."""

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from daemon import pictures
from daemon.config.load import builtin_picture, settings_from
from daemon.config.models import Settings
from daemon.console.console import painting
from daemon.errors import ConfigError, JobError
from daemon.filenames import ENDINGS, OutputFormat, output_format
from daemon.jobs.pipeline import AUTO_SIZE_CPU, AUTO_SIZE_GPU
from daemon.jobs.safe_retry import paint_with_safe_retry
from daemon.jobs.trace import JobTrace
from daemon.processes.painters import PainterInfo
from daemon.processes.painting_check import check
from daemon.provenance import StyleSource, picture_name
from daemon.storage.files import sha256
from daemon.transfer import DeviceError, RecipeError, TooLargeError, WeightsError
from daemon.transfer.recipe import Recipe
from daemon.transfer.steps import EvaluationRun, Step

if TYPE_CHECKING:
    from daemon.transfer import Stylizer

MAX_MEGAPIXELS = 200
QUALITY = 95
Pixels = NDArray[np.float32]


def paint_one(
    photo: Path, style: str, out: Path, settings: dict[str, Any], *, device: str, weights: str, overwrite: bool
) -> float:
    """Paint `photo` into `out`, which appears whole or not at all. Returns seconds. ConfigError, JobError."""
    wanted = kind_of(out, overwrite)
    chosen, picture = settings_from(settings), builtin_picture(style)
    stylizer = stylizer_for(device, weights)
    size = _size(chosen, stylizer)
    content, story = read_photo(photo, size, enlarge=chosen.size != "auto")

    def attempt(recipe: Recipe) -> Pixels:
        return paint(stylizer, content, [(picture, 1.0)], recipe, story, checked=True)

    result = paint_with_safe_retry(attempt, chosen.recipe, photo.name)
    kind = output_format(content.format, wanted, (result.shape[1], result.shape[0]))
    record = story.told(picture.stem, (result.shape[1], result.shape[0]), kind, QUALITY)
    write(out, result, content, kind, QUALITY, record.to_json())
    return story.seconds


def kind_of(out: Path, overwrite: bool) -> OutputFormat:
    """What `out` will be written as, by its ending. JobError: nothing, or it exists."""
    if out.exists() and not overwrite:
        raise JobError(f"{out} exists already.", "Choose another name, or say --overwrite.")
    kinds = {ending: kind for kind, endings in ENDINGS.items() for ending in endings}
    if out.suffix.lower() not in kinds:
        raise JobError(f"{out} does not end in .png, .jpg or .webp.", "Give it one of these endings.")
    return kinds[out.suffix.lower()]


def stylizer_for(device: str, weights: str, threads: int | None = None) -> "Stylizer":
    """ConfigError: the device or the weights cannot be had."""
    from daemon.transfer import Stylizer  # torch: not before all else has been found right

    try:
        return Stylizer(device=device, weights=weights, threads=threads)
    except (DeviceError, WeightsError) as error:
        raise ConfigError([str(error)]) from None


def read_photo(photo: Path, size: int | None, *, enlarge: bool = True) -> tuple[pictures.Picture, JobTrace]:
    """Decoded, its long side scaled to `size` pixels, and its story begun. JobError."""
    try:
        with photo.open("rb") as file:
            story = JobTrace(photo.name, sha256(file.fileno()))
            return pictures.read(file, max_megapixels=MAX_MEGAPIXELS, size=size, enlarge=enlarge), story
    except OSError as error:
        raise JobError(f"{error.filename}: {error.strerror}.", "Check the name and the rights.") from None


def paint(
    stylizer: "Stylizer",
    content: pictures.Picture,
    style: list[tuple[Path, float]],
    recipe: Recipe,
    story: JobTrace,
    before: Sequence[EvaluationRun] = (),
    *,
    checked: bool = False,
) -> Pixels:
    """The painting (H, W, 3), with a bar while it grows. `style`: files and weights. ConfigError, JobError;
    DegeneratePainting, where it is to be `checked`.

    `before`: how an earlier one was computed, to be done likewise.
    """
    long_side = max(1, round(max(content.pixels.shape) * recipe.style_scale))
    try:
        mixed, sources = [], []
        for path, weight in style:
            with path.open("rb") as file:
                sources.append(StyleSource(picture_name(path), sha256(file.fileno()), weight))
                mixed.append((pictures.read(file, max_megapixels=MAX_MEGAPIXELS, size=long_side).pixels, weight))
        story.pictures = tuple(sources)
        story.begin(PainterInfo.of(stylizer), stylizer.threads, recipe)
        with painting(story.source) as show:

            def on_step(step: Step) -> None:
                story.step(step)
                show(step)

            result = stylizer.paint(content.pixels, mixed, recipe, on_step, before)
    except RecipeError as error:
        raise ConfigError([str(error)]) from None
    except TooLargeError as error:
        raise JobError(f"It is too large: {error}", "Say a smaller --size, or free some memory.") from None
    except OSError as error:
        raise JobError(f"{error.filename}: {error.strerror}.", "Check the name and the rights.") from None
    if checked:
        check(result, content.pixels, mixed, recipe, story.losses[-1])
    return result


def write(out: Path, result: Pixels, content: pictures.Picture, kind: OutputFormat, quality: int, record: str) -> None:
    """Encode beside `out`, then give it its name. JobError: the disk's fault or the rights'."""
    temporary = out.with_name(f".{secrets.token_hex(6)}.tmp")
    try:
        try:
            with temporary.open("xb") as target:
                pictures.write(
                    target,
                    result,
                    content.alpha,
                    format=kind,
                    quality=quality,
                    metadata=content.metadata,
                    record=record,
                )
                target.flush()
                os.fsync(target.fileno())
            temporary.replace(out)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise JobError(f"{out} cannot be written: {error.strerror}.", "Check the folder and its rights.") from None


def _size(chosen: Settings, stylizer: "Stylizer") -> int | None:
    """px, the long side; None: the photo's own."""
    if chosen.size == "original":
        return None
    if chosen.size == "auto":
        return AUTO_SIZE_CPU if stylizer.device == "cpu" else AUTO_SIZE_GPU
    return chosen.size
