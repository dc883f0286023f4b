"""`styled paint`: photographs become paintings in this process, without the daemon and its folders."""

import dataclasses
import io
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from daemon.cli.paint_plan import ChosenStyle, PlannedPainting, film_of
from daemon.config.models import Config
from daemon.console.bars import Bars, bars
from daemon.errors import ConfigError, JobError, OptionError
from daemon.filenames import output_format
from daemon.jobs.safe_retry import paint_with_safe_retry
from daemon.jobs.trace import PaintResult, StepLog
from daemon.pictures import writing
from daemon.pictures.film import film as make_film
from daemon.pictures.masks import masked
from daemon.pictures.probing import probe
from daemon.pictures.reading import Picture, read
from daemon.processes.painters import PainterInfo
from daemon.processes.painting_check import check
from daemon.provenance import Provenance, StyleSource, picture_name
from daemon.storage.files import sha256, write_atomically
from daemon.transfer import DeviceError, RecipeError, TooLargeError, WeightsError
from daemon.transfer.recipe import Recipe, require
from daemon.transfer.steps import EvaluationRun, Step

if TYPE_CHECKING:
    from daemon.transfer import Stylizer

MAX_MEGAPIXELS: float = Config.model_fields["max_megapixels"].default
Pixels = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one planned painting: its seconds, or why it could not be painted."""

    planned: PlannedPainting
    seconds: float = 0.0
    flaw: JobError | None = None


def paint_all(
    paintings: Sequence[PlannedPainting],
    machine: Config,
    mask: Path | None,
    settled: Callable[[Outcome], None],
    *,
    film: bool = False,
) -> list[Outcome]:
    """Paint one after the other; `settled` is called with each outcome. A photo that cannot be painted ends nothing.

    `film`: write a film beside each painting. `machine`: the device, weights, threads and quality. Raises OptionError
    before the first painting if the device or the weights cannot be used.
    """
    painter = stylizer(machine, [each.style for each in paintings])
    outcomes = []
    with bars(len(paintings)) as bar:
        for each in paintings:
            try:
                each.out.parent.mkdir(exist_ok=True)
                outcome = Outcome(each, seconds=_paint_one(painter, each, machine, mask, bar, film))
            except JobError as flaw:
                outcome = Outcome(each, flaw=flaw)
            except OSError as error:
                advice = "Check the folder and its rights."
                outcome = Outcome(each, flaw=JobError(f"{error.filename}: {error.strerror}.", advice))
            outcomes.append(outcome)
            settled(outcome)
            bar.next()
    return outcomes


def stylizer(machine: Config, styles: Iterable[ChosenStyle]) -> "Stylizer":
    """A painter for these styles. Raises OptionError if the device or the weights cannot be used for them."""
    device = "auto" if machine.device == "all" else machine.device
    try:
        painter = stylizer_for(device, machine.weights, machine.thread_count)
        for style in styles:
            require(style.settings.recipe, painter.weights.deepest)
    except (ConfigError, RecipeError) as error:
        raise OptionError(str(error).splitlines()) from None
    return painter


def _paint_one(
    painter: "Stylizer", planned: PlannedPainting, machine: Config, mask: Path | None, bar: Bars, film: bool
) -> float:
    """Write a painting, whole or not at all. Returns the seconds of painting. Raises JobError."""
    photo, style = planned.photo, planned.style
    size, output, paper = style.settings.size, machine.output, style.settings.print
    long_side = style.settings.long_side(painter.device) if paper is None else paper.long_side(*_shape(photo))
    content, digest = read_photo(photo, long_side, enlarge=size != "auto", location=output.location)
    width, height = content.pixels.shape[1], content.pixels.shape[0]
    if output_format(content.format, planned.kind, (width, height)) != planned.kind:
        raise JobError(f"{width} x {height} pixels do not fit into {planned.kind}.", "Choose a name that ends in .png.")
    pictures = [(picture.file, picture.weight) for picture in style.pictures]

    def attempt(recipe: Recipe) -> PaintResult[Pixels]:
        with bar.picture(planned.out.name) as show:
            return paint(painter, content, pictures, recipe, show, checked=True, film=film)

    result = paint_with_safe_retry(attempt, style.settings.recipe, photo.name)
    if mask is not None:
        result = with_mask(result, content, mask)
    record = result.provenance(
        source=photo.name,
        source_sha256=digest,
        style=style.name,
        size=(width, height),
        kind=planned.kind,
        quality=output.quality,
        dpi=paper.dpi if paper else None,
    )
    write(planned.out, result.painting, content, record)
    if result.frames:
        write_atomically(film_of(planned.out), make_film(result.frames, result.painting), durable=False)
    return result.seconds


def _shape(photo: Path) -> tuple[int, int]:
    """Width and height. Raises JobError."""
    try:
        with photo.open("rb") as file:
            _, width, height = probe(file)
    except OSError as error:
        raise JobError(f"{error.filename}: {error.strerror}.", "Check the name and the rights.") from None
    return width, height


def with_mask(result: PaintResult[Pixels], content: Picture, mask: Path) -> PaintResult[Pixels]:
    """The result with the photo where the mask is black. Raises JobError if the mask is no picture."""
    try:
        with mask.open("rb") as file:
            blend = masked(result.painting, content.pixels, file, max_megapixels=MAX_MEGAPIXELS, name=mask.name)
            return dataclasses.replace(result, painting=blend, mask_sha256=sha256(file.fileno()))
    except OSError as error:
        raise JobError(f"{mask}: {error.strerror}.", "Check the name and the rights.") from None


def stylizer_for(device: str, weights: str, threads: int | None = None) -> "Stylizer":
    """The network on its device. Raises ConfigError if the device or the weights are not available."""
    from daemon.transfer import Stylizer  # loads torch, so only after everything else was checked

    try:
        return Stylizer(device=device, weights=weights, threads=threads)
    except (DeviceError, WeightsError) as error:
        raise ConfigError([str(error)]) from None


def read_photo(photo: Path, size: int | None, *, enlarge: bool = True, location: bool = False) -> tuple[Picture, str]:
    """The photo, its long side scaled to `size` px (None: as it is), and its SHA-256. Raises JobError."""
    try:
        with photo.open("rb") as file:
            digest = sha256(file.fileno())
            limit, name = MAX_MEGAPIXELS, photo.name
            picture = read(file, max_megapixels=limit, size=size, enlarge=enlarge, location=location, name=name)
            return picture, digest
    except OSError as error:
        raise JobError(f"{error.filename}: {error.strerror}.", "Check the name and the rights.") from None


def paint(
    stylizer: "Stylizer",
    content: Picture,
    style: list[tuple[Path, float]],
    recipe: Recipe,
    show: Callable[[Step], None],
    before: Sequence[EvaluationRun] = (),
    *,
    checked: bool = False,
    film: bool = False,
) -> PaintResult[Pixels]:
    """The painting, (H, W, 3) in [0, 1]; `show` gets each step. `style`: files and their relative weights.

    `before`: compute in the same runs as an earlier painting. Raises ConfigError and JobError; if `checked`, also
    DegeneratePainting. `film`: the result has frames.
    """
    long_side = recipe.style_side(max(content.pixels.shape))
    try:
        mixed, sources = _style_pictures(style, long_side)
        steps = StepLog()

        from daemon.transfer.film import Film  # loads torch, as `stylizer` has

        camera = Film(*content.pixels.shape[:2]) if film else None

        def on_step(step: Step) -> None:
            steps.add(step._replace(frame=camera.frame(step)) if camera else step)
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


def _style_pictures(
    style: list[tuple[Path, float]], long_side: int
) -> tuple[list[tuple[Pixels, float]], list[StyleSource]]:
    """The pictures with their weights, scaled, and what the record says of them. Raises JobError and OSError."""
    mixed, sources = [], []
    for path, weight in style:
        with path.open("rb") as file:
            sources.append(StyleSource(picture_name(path), sha256(file.fileno()), weight))
            pixels = read(file, max_megapixels=MAX_MEGAPIXELS, size=long_side, name=path.name).pixels
            mixed.append((pixels, weight))
    return mixed, sources


def write(out: Path, result: Pixels, content: Picture, record: Provenance) -> None:
    """Write the painting to `out` as `record` says, whole or not at all. Raises JobError if the disk or the rights do
    not allow it."""
    temporary, file = out.with_name(f".{secrets.token_hex(6)}.tmp"), io.BytesIO()
    try:
        writing.write(
            file,
            result,
            content.alpha,
            format=record.format,
            quality=record.quality,
            dpi=record.dpi,
            metadata=content.metadata,
            record=record.to_json(),
        )
        write_atomically(out, file.getbuffer(), durable=True, temporary=temporary)
    except OSError as error:
        raise JobError(f"{out} cannot be written: {error.strerror}.", "Check the folder and its rights.") from None
