"""The record that each painting carries: how it was made, and all that is needed to make it again. Pure data.

A record is JSON in the painting's metadata. Anybody may have changed it, so reading a record checks every field.
Used in the daemon and by commands; imports assets, errors and transfer's recipe and steps.
"""

import dataclasses
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from daemon import __version__
from daemon.assets import STYLES
from daemon.errors import JobError
from daemon.filenames import OutputFormat
from daemon.text import weighted
from daemon.transfer.network.layers import LAYERS
from daemon.transfer.recipe import PRESETS, Recipe
from daemon.transfer.recipe import recipe as checked
from daemon.transfer.recipe_check import SETTINGS
from daemon.transfer.steps import EvaluationRun

LIBRARIES = ("torch", "numpy", "pillow", "pillow-heif")  # whose versions decide the pixels
CURVE = 60  # losses that a record keeps at most
MOST_DPI = 65_535  # that JPEG holds
MOST_EVALUATIONS = 100_000  # of one scale; no recipe of ours has more
# settings of `fine` that were removed before 0.1, each with the value that had no effect
GONE: Mapping[str, float] = MappingProxyType({"palette": 0.0, "contours": 0.0, "chroma": 1.0, "content_floor": 1.0})
PYRAMID = ("pyramid", "content_levels", "style_floor", "finest", "finer")
START = ("recolor", "achromatic", "grain", "style_size", "margin")
# settings that older records lack, each with the value that has no effect
NEWEST_RECIPE = {name: getattr(PRESETS["tutorial"], name) for name in PYRAMID + START} | {"precision": "full"}
LATER = ("dpi",)  # fields that older records lack
NEWER = "Another version of styled painted it, or its record was changed. Use the version that the record names."


@cache
def libraries() -> Mapping[str, str]:
    """The versions installed here, without importing the libraries."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True, slots=True)
class StyleSource:
    """One of the style's pictures. `name`: the name of its file, or builtin:NAME."""

    name: str
    sha256: str
    weight: float


@dataclass(frozen=True, slots=True)
class Provenance:
    """Everything that decides a painting's pixels, and some other facts; no path on the user's machine."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    source: str  # the name of the photo, as it was dropped
    source_sha256: str
    style: str
    pictures: tuple[StyleSource, ...]
    recipe: Recipe
    size: tuple[int, int]  # width, height of the painting
    format: OutputFormat
    quality: int
    weights: str  # embedded, imagenet or a file's name
    weights_sha256: str
    device: str  # cpu, cuda:0 …
    device_name: str
    threads: int  # of the CPU; they decide the last bits
    steps: int
    loss: float  # of the last step
    terms: Mapping[str, float]  # whose sum is the loss: `style relu1_1` …, `content relu2_1` …
    stretches: tuple[EvaluationRun, ...]  # computed whole or in tiles, which decides the last bits
    curve: tuple[float, ...]  # the losses of some of the steps, evenly chosen
    seconds: float  # of painting only
    dpi: int | None = None  # pixels per inch of a print
    mask_sha256: str = ""  # of the mask that protects a part of the photo; "": no mask
    painted: str = dataclasses.field(default_factory=lambda: time.strftime("%Y-%m-%dT%H:%M:%S%z"))
    version: str = __version__
    libraries: Mapping[str, str] = dataclasses.field(default_factory=libraries)
    gone: tuple[str, ...] = ()  # settings of its recipe that this version no longer has; only in a record that was read

    def to_json(self) -> str:
        """ASCII, on one line."""
        return json.dumps(self.as_dict(), separators=(",", ":"))

    def as_dict(self) -> dict[str, Any]:
        """What a record holds."""
        return {name: value for name, value in dataclasses.asdict(self).items() if name != "gone"}

    @classmethod
    def from_json(cls, text: str) -> "Provenance":
        """Read a record that anybody may have written. Raises JobError if it is no record that this version knows."""
        try:
            found = json.loads(text)
            names = {field.name for field in dataclasses.fields(cls)} - {"gone"}  # a later version may add
            fields = {name: found[name] for name in names if name in found or name not in LATER}
            recipe = fields["recipe"]
            fields["gone"] = tuple(name for name, nothing in GONE.items() if recipe.get(name, nothing) != nothing)
            fields["recipe"] = NEWEST_RECIPE | {name: value for name, value in recipe.items() if name not in GONE}
            if missing := {field.name for field in dataclasses.fields(Recipe)} - fields["recipe"].keys():
                raise ValueError(f"the recipe lacks {', '.join(sorted(missing))}")
            if not all(isinstance(fields["recipe"][name], bool) for name in ("matched", "normalized")):
                raise ValueError("matched and normalized are true or false")  # for pydantic, "yes" is true, too
            record = _types().validate_python(fields)
            _check_ranges(record)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            why = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            why = f"{type(error).__name__}: {error}"
        else:
            return record
        raise JobError(f"Its record cannot be understood ({why}).", NEWER)


@cache
def _types() -> TypeAdapter[Provenance]:
    """Checks the types of all fields, also of the recipe; built when the first record is read."""
    return TypeAdapter(Provenance)


def _check_ranges(record: Provenance) -> None:
    """Raises ValueError if a value has the right type but cannot be part of a recipe or a painting."""
    recipe = record.recipe
    layers = (*recipe.style_layers, *recipe.content_layers)
    if not {name for name, _ in layers} <= set(LAYERS):
        raise ValueError("unknown layers")
    numbers = [getattr(recipe, field.name) for field in dataclasses.fields(recipe) if field.type is float]
    weights = [*(weight for _, weight in layers), *(picture.weight for picture in record.pictures)]
    if not all(math.isfinite(number) and number >= 0 for number in (*numbers, *weights, *record.terms.values())):
        raise ValueError("a number is negative or not finite")
    if recipe.eased > 1 or not all(0 < fraction <= 1 for fraction, _ in recipe.scales):
        raise ValueError("eased or scales out of range")
    counts = [count - 1 for count in (*(count for _, count in recipe.scales), *recipe.finer)]
    counts += [recipe.history, recipe.pyramid - 1, recipe.margin, len(recipe.content_levels) - 1]
    if not all(math.isfinite(number) and number >= 0 for number in (recipe.recolor or 0.0, *recipe.content_levels)):
        raise ValueError("recolor or content_levels out of range")
    for run in record.stretches:
        counts += [run.scale, run.history, run.evaluations, (run.side or 1) if run.side != 0 else -1]
    if not all(0 <= count <= MOST_EVALUATIONS for count in counts):
        raise ValueError("scales, history or stretches out of range")
    if record.dpi is not None and not 1 <= record.dpi <= MOST_DPI:
        raise ValueError("dpi out of range")
    if min(record.size) < 1:
        raise ValueError("the size is not positive")
    checked(**{name: getattr(recipe, name) for name in SETTINGS})  # the rules for users' settings


def picture_name(path: Path) -> str:
    """The name of a style picture in a record; its folder stays private."""
    return f"builtin:{path.stem}" if path.parent == STYLES else path.name


def ways(stretches: Sequence[EvaluationRun]) -> str:
    """How a painting was computed, for a person: for each scale, whole or in tiles, with how many evaluations."""
    by_scale: dict[int, list[str]] = {}
    for each in stretches:
        where = "whole" if each.side is None else f"in tiles of {each.side} px"
        precise = ", in bfloat16" if each.half else ""
        by_scale.setdefault(each.scale, []).append(f"{each.evaluations} {where}, {each.history} pairs{precise}")
    return "; ".join(f"scale {scale}: {', then '.join(parts)}" for scale, parts in by_scale.items())


def summed(terms: Mapping[str, float]) -> Mapping[str, float]:
    """The terms of a loss, with the layers added up: style, content, total variation."""
    total: dict[str, float] = {}
    for name, loss in terms.items():
        kind = name.rpartition(" ")[0] if name.rpartition(" ")[2] in LAYERS else name
        total[kind] = total.get(kind, 0.0) + loss
    return total


def own_settings(recipe: Recipe) -> list[str]:
    """The preset, and each setting that differs from the preset's."""
    preset = PRESETS.get(recipe.preset)
    own = {name: value for name in SETTINGS if (value := getattr(recipe, name)) != getattr(preset, name, None)}
    return [recipe.preset, *(f"{n} {weighted(v) if isinstance(v, tuple) else v}" for n, v in own.items())]


def thinned(losses: Sequence[float], most: int = CURVE) -> tuple[float, ...]:
    """At most `most` of the losses, evenly chosen, with the first and the last; rounded to four digits."""
    if len(losses) > most:
        losses = [losses[round(place * (len(losses) - 1) / (most - 1))] for place in range(most)]
    return tuple(float(f"{loss:.4g}") for loss in losses)
