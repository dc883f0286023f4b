"""`styled paint`: one photograph, one style picture, one painting, in this process."""

import io
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from daemon.config.load import builtin_picture, settings_from
from daemon.config.models import Config, Output
from daemon.console.console import painting
from daemon.errors import ConfigError, JobError
from daemon.filenames import OUTPUT_EXTENSIONS, OutputFormat, output_format
from daemon.jobs.safe_retry import paint_with_safe_retry
from daemon.jobs.trace import PaintResult, StepLog
from daemon.pictures import writing
from daemon.pictures.reading import Picture, read
from daemon.processes.painters import PainterInfo
from daemon.processes.painting_check import check
from daemon.provenance import StyleSource, picture_name
from daemon.storage.files import sha256, write_atomically
from daemon.transfer import DeviceError, RecipeError, TooLargeError, WeightsError
from daemon.transfer.recipe import Recipe
from daemon.transfer.steps import EvaluationRun, Step

if TYPE_CHECKING:
    from daemon.transfer import Stylizer

MAX_MEGAPIXELS: float = Config.model_fields["max_megapixels"].default
QUALITY = Output().quality
Pixels = NDArray[np.float32]


def paint_one(
    photo: Path, style: str, out: Path, settings: dict[str, Any], *, device: str, weights: str, overwrite: bool
) -> float:
    """Paint `photo` into `out`, whole or not at all. Returns the seconds. Raises ConfigError and JobError."""
    wanted = kind_of(out, overwrite)
    chosen, picture = settings_from(settings), builtin_picture(style)
    stylizer = stylizer_for(device, weights)
    content, digest = read_photo(photo, chosen.long_side(stylizer.device), enlarge=chosen.size != "auto")

    def attempt(recipe: Recipe) -> PaintResult[Pixels]:
        return paint(stylizer, content, [(picture, 1.0)], recipe, photo.name, checked=True)

    result = paint_with_safe_retry(attempt, chosen.recipe, photo.name)
    size = result.painting.shape[1], result.painting.shape[0]
    kind = output_format(content.format, wanted, size)
    source = {"source": photo.name, "source_sha256": digest, "style": picture.stem}
    record = result.provenance(**source, size=size, kind=kind, quality=QUALITY)
    write(out, result.painting, content, kind, QUALITY, record.to_json())
    return result.seconds


def kind_of(out: Path, overwrite: bool) -> OutputFormat:
    """The format that the ending of `out` names. Raises JobError if there is none, or if `out` exists."""
    if out.exists() and not overwrite:
        raise JobError(f"{out} exists already.", "Choose another name, or add --overwrite.")
    kinds = {ending: kind for kind, endings in OUTPUT_EXTENSIONS.items() for ending in endings}
    if out.suffix.lower() not in kinds:
        raise JobError(f"{out} does not end in .png, .jpg or .webp.", "Choose a name with one of these endings.")
    return kinds[out.suffix.lower()]


def stylizer_for(device: str, weights: str, threads: int | None = None) -> "Stylizer":
    """The network on its device. Raises ConfigError if the device or the weights are not available."""
    from daemon.transfer import Stylizer  # loads torch: only after everything else was checked

    try:
        return Stylizer(device=device, weights=weights, threads=threads)
    except (DeviceError, WeightsError) as error:
        raise ConfigError([str(error)]) from None


def read_photo(photo: Path, size: int | None, *, enlarge: bool = True) -> tuple[Picture, str]:
    """The photo, its long side scaled to `size` px (None: as it is), and its SHA-256. Raises JobError."""
    try:
        with photo.open("rb") as file:
            digest = sha256(file.fileno())
            return read(file, max_megapixels=MAX_MEGAPIXELS, size=size, enlarge=enlarge), digest
    except OSError as error:
        raise JobError(f"{error.filename}: {error.strerror}.", "Check the name and the rights.") from None


def paint(
    stylizer: "Stylizer",
    content: Picture,
    style: list[tuple[Path, float]],
    recipe: Recipe,
    name: str,
    before: Sequence[EvaluationRun] = (),
    *,
    checked: bool = False,
) -> PaintResult[Pixels]:
    """The painting, (H, W, 3) in [0, 1], with a progress bar meanwhile. `style`: files and their relative weights.

    `before`: compute in the same runs as an earlier painting. Raises ConfigError and JobError; if `checked`, also
    DegeneratePainting.
    """
    long_side = max(1, round(max(content.pixels.shape) * recipe.style_scale))
    try:
        mixed, sources = [], []
        for path, weight in style:
            with path.open("rb") as file:
                sources.append(StyleSource(picture_name(path), sha256(file.fileno()), weight))
                mixed.append((read(file, max_megapixels=MAX_MEGAPIXELS, size=long_side).pixels, weight))
        steps = StepLog()
        with painting(name) as show:

            def on_step(step: Step) -> None:
                steps.add(step)
                show(step)

            pixels = stylizer.paint(content.pixels, mixed, recipe, on_step, before)
    except RecipeError as error:
        raise ConfigError([str(error)]) from None
    except TooLargeError as error:
        raise JobError(f"The painting is too large: {error}", "Choose a smaller --size, or free some memory.") from None
    except OSError as error:
        raise JobError(f"{error.filename}: {error.strerror}.", "Check the name and the rights.") from None
    if checked:
        check(pixels, content.pixels, mixed, recipe, steps.losses[-1])
    return steps.result(pixels, recipe, PainterInfo.of(stylizer), stylizer.threads, sources)


def write(out: Path, result: Pixels, content: Picture, kind: OutputFormat, quality: int, record: str) -> None:
    """Write the painting to `out`, whole or not at all. Raises JobError if the disk or the rights do not allow it."""
    temporary, file = out.with_name(f".{secrets.token_hex(6)}.tmp"), io.BytesIO()
    try:
        writing.write(
            file, result, content.alpha, format=kind, quality=quality, metadata=content.metadata, record=record
        )
        write_atomically(out, file.getbuffer(), durable=True, temporary=temporary)
    except OSError as error:
        raise JobError(f"{out} cannot be written: {error.strerror}.", "Check the folder and its rights.") from None
