"""`styled repaint`: make a painting again from its record."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from daemon.assets import STYLES
from daemon.cli.output import read_provenance
from daemon.cli.paint import MAX_MEGAPIXELS, paint, read_photo, stylizer_for, with_mask, write
from daemon.cli.paint_plan import KINDS, check_target
from daemon.config.models import Config
from daemon.console.bars import bars
from daemon.errors import ConfigError, JobError
from daemon.filenames import MASK, extension
from daemon.pictures.reading import Picture, read
from daemon.provenance import Provenance, libraries, ways
from daemon.storage.files import sha256
from daemon.text import words
from daemon.transfer.errors import WeightsError
from daemon.transfer.network.weights import describe

if TYPE_CHECKING:
    from daemon.transfer import Stylizer


@dataclass(frozen=True, slots=True)
class Comparison:
    """A painting beside its repainted copy."""

    same: bool  # every pixel, bit for bit
    largest: int  # difference of a pixel's channel, 0 … 255
    differing: tuple[str, ...]  # what has changed since: versions, device, tiles


def repaint(
    painting: Path, source: Path, out: Path, style: Sequence[Path], config: Config | None, *, overwrite: bool
) -> Comparison:
    """Make `painting` again from its photo `source` into `out`. Raises JobError or ConfigError.

    `style`: files to search for its style pictures, besides the built-in pictures and those of `config`.
    """
    was = read_provenance(painting)
    if was.gone:
        raise JobError(
            f"It was painted with settings that this version no longer has: {words(was.gone, 'and')}.",
            f"Use the version of {was.painted[:10]}, or paint the photo again with a preset of today.",
        )
    check_target(out, [painting, source, source.with_name(source.name + MASK), *style], overwrite=overwrite)
    kind = KINDS[extension(out.name)]
    if kind != was.format:
        raise JobError(f"The painting is {was.format}, {out.name} would be {kind}.", "Choose the same ending.")
    content = _photo(was, source)
    sources = list(zip(_found(was, style, config), (each.weight for each in was.pictures), strict=True))
    stylizer = _stylizer(was, config)
    mask = _mask(was, source)
    with bars(1) as bar, bar.picture(out.name) as show:
        result = paint(stylizer, content, sources, was.recipe, show, was.stretches)
    if mask is not None:
        result = with_mask(result, content, mask)
    now = result.provenance(
        source=was.source,
        source_sha256=was.source_sha256,
        style=was.style,
        size=was.size,
        kind=was.format,
        quality=was.quality,
        dpi=was.dpi,
    )
    write(out, result.painting, content, now)
    return _compared(painting, out, was, now)


def _photo(was: Provenance, source: Path) -> Picture:
    """The photo. Raises JobError if `source` is not the photo of the record."""
    content, digest = read_photo(source, max(was.size))
    if digest != was.source_sha256:
        raise JobError(
            f"{source} is not the photo it was painted from, {was.source}.",
            f"Find the file whose SHA-256 is {was.source_sha256}; originals go to done/.",
        )
    return content


def _stylizer(was: Provenance, config: Config | None) -> "Stylizer":
    """A stylizer on the same kind of device, with as many threads. Raises JobError if the weights are not those of the
    record."""
    stylizer = stylizer_for(_device(was), _weights(was, config), was.threads)
    if stylizer.weights.sha256 != was.weights_sha256:
        name = "styled weights" if was.weights == "imagenet" else "weights: FILE in config.yaml"
        raise JobError(f"Its weights are others, {was.weights} {was.weights_sha256}.", f"Use: {name}")
    return stylizer


def _mask(was: Provenance, source: Path) -> Path | None:
    """The mask beside the photo; None if the painting had none. Raises JobError if the mask is missing or changed."""
    mask = source.with_name(source.name + MASK)
    if was.mask_sha256 and was.mask_sha256 not in _hashed([mask], {was.mask_sha256}):
        raise JobError(f"The mask is missing: {mask}.", f"Find the file of SHA-256 {was.mask_sha256}.")
    return mask if was.mask_sha256 else None


def _found(was: Provenance, style: Sequence[Path], config: Config | None) -> list[Path]:
    """The files of the style's pictures, found by their hashes. Raises JobError if a picture is missing."""
    configured = (p.file for each in (config.styles.values() if config else ()) for p in each.all_pictures)
    known = _hashed([*style, *sorted(STYLES.iterdir()), *configured], {each.sha256 for each in was.pictures})
    missing = [each for each in was.pictures if each.sha256 not in known]
    if missing:
        names = words([f"{each.name} (SHA-256 {each.sha256})" for each in missing], "and")
        raise JobError(f"The style's picture is missing: {names}.", "Say where the file is: --style FILE")
    return [known[each.sha256] for each in was.pictures]


def _hashed(paths: Iterable[Path], wanted: set[str]) -> dict[str, Path]:
    """The wanted files by their hashes; a file that cannot be read is passed over."""
    found: dict[str, Path] = {}
    for path in paths:
        if wanted <= found.keys():
            break
        try:
            with path.open("rb") as file:
                digest = sha256(file.fileno())
        except OSError:
            continue
        if digest in wanted:
            found.setdefault(digest, path)
    return found


def _device(was: Provenance) -> str:
    return "cuda" if was.device.startswith("cuda") else was.device


def _weights(was: Provenance, config: Config | None) -> str:
    if was.weights in ("embedded", "imagenet"):
        try:
            describe(was.weights)  # never from the network
        except WeightsError as error:
            raise ConfigError([f"weights: {error}"]) from None
        return was.weights
    if config is not None and config.weights not in ("auto", "embedded", "imagenet"):
        return config.weights
    raise ConfigError([f"weights: the painting was made with {was.weights}; name that file in config.yaml"])


def _compared(painting: Path, out: Path, was: Provenance, now: Provenance) -> Comparison:
    before, after = _pixels(painting), _pixels(out)
    if before.shape != after.shape:
        raise JobError(f"{out} has another size than {painting}.", "Its record may belong to another picture.")
    largest = round(float(np.abs(before - after).max()) * 255)
    differing = [
        f"{name} {was.libraries.get(name, '?')} then, {version} now"
        for name, version in libraries().items()
        if was.libraries.get(name) != version
    ]
    if was.device_name != now.device_name:
        differing.append(f"{was.device_name} then, {now.device_name} now")
    if was.stretches != now.stretches:
        differing.append(f"computed {ways(was.stretches)} then, {ways(now.stretches)} now")
    return Comparison(bool((before == after).all()), largest, tuple(differing))


def _pixels(path: Path) -> "np.typing.NDArray[np.float32]":
    with path.open("rb") as file:
        return read(file, max_megapixels=MAX_MEGAPIXELS, name=path.name).pixels
