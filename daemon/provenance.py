"""How a painting came to be: the record that each one carries, enough to make it again. Pure data.

It travels as JSON inside the painting's own metadata. What reads it back trusts nothing: anyone may have written it.
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
from typing import Any, Literal, get_args, get_origin, get_type_hints

from daemon import __version__
from daemon.assets import STYLES
from daemon.errors import JobError
from daemon.transfer.network.layers import LAYERS
from daemon.transfer.recipe import PRESETS, Recipe
from daemon.transfer.recipe import recipe as checked
from daemon.transfer.steps import EvaluationRun

LIBRARIES = ("torch", "torchvision", "numpy", "pillow", "pillow-heif")  # those that touch a pixel
SETTINGS = ("style_weight", "content_weight", "smoothness", "style_scale", "seed", "start", "keep_colors")
CURVE = 60  # losses at most that are kept of all steps
MOST_EVALUATIONS = 100_000  # of one scale; more is no recipe of ours
NEWER = "It was made by another version of styled, or its record was changed. Use the version that it names."


@cache
def libraries() -> Mapping[str, str]:
    """The versions installed here, without importing any of them."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True, slots=True)
class StyleSource:
    """One of the pictures that the style was made of. `name`: the file's own, or builtin:NAME."""

    name: str
    sha256: str
    weight: float


@dataclass(frozen=True, slots=True)
class Provenance:
    """All that decides about a painting's pixels, and what is worth knowing besides. Paths stay at home."""

    source: str  # the photo's own name, as it was dropped
    source_sha256: str
    style: str
    pictures: tuple[StyleSource, ...]
    recipe: Recipe
    size: tuple[int, int]  # width, height of the painting
    format: str  # png, jpeg, webp
    quality: int
    weights: str  # embedded, imagenet or a file's name
    weights_sha256: str
    device: str  # cpu, cuda:0 …
    device_name: str
    threads: int  # of the CPU; another number, other bits
    steps: int
    loss: float  # of the last step
    terms: Mapping[str, float]  # that it is the sum of: `style relu1_1` …, `palette`, `content relu2_2` …, `contours`
    stretches: tuple[EvaluationRun, ...]  # how it was computed, whole or in tiles; another way, other last bits
    curve: tuple[float, ...]  # losses over the steps, thinned out
    seconds: float  # of painting alone
    mask_sha256: str = ""  # of the mask that left a part of the photo as it was
    painted: str = dataclasses.field(default_factory=lambda: time.strftime("%Y-%m-%dT%H:%M:%S%z"))
    version: str = __version__
    libraries: Mapping[str, str] = dataclasses.field(default_factory=libraries)

    def to_json(self) -> str:
        """ASCII, on one line."""
        return json.dumps(self.as_dict(), separators=(",", ":"))

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, text: str) -> "Provenance":
        """JobError: it is no such record, or one that this version cannot understand."""
        try:
            said = json.loads(text)
            said = {field.name: said[field.name] for field in dataclasses.fields(cls)}
            said["recipe"] = _recipe(said["recipe"])
            said["pictures"] = tuple(_source(**picture) for picture in said["pictures"])
            said["terms"] = {str(name): _number(loss) for name, loss in said["terms"].items()}
            said["stretches"] = tuple(_stretch(**stretch) for stretch in said["stretches"])
            said["size"], said["curve"] = _size(said["size"]), tuple(float(loss) for loss in said["curve"])
            said |= {name: float(said[name]) for name in ("loss", "seconds")}
            said |= {name: int(said[name]) for name in ("quality", "threads", "steps")}
            said["libraries"] = {str(name): str(version) for name, version in said["libraries"].items()}
            texts = {f.name for f in dataclasses.fields(cls) if f.type is str}
            said |= {name: str(said[name]) for name in texts}
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
            raise JobError(f"Its record cannot be understood ({type(error).__name__}: {error}).", NEWER) from None
        return cls(**said)


def picture_name(path: Path) -> str:
    """What a record calls a style picture: it says nothing of where on a machine the file lies."""
    return f"builtin:{path.stem}" if path.parent == STYLES else path.name


def ways(stretches: Sequence[EvaluationRun]) -> str:
    """How a painting was computed, for a person: by scale, whole or in tiles, with how many evaluations."""
    said: dict[int, list[str]] = {}
    for each in stretches:
        where = "whole" if each.side is None else f"in tiles of {each.side} px"
        said.setdefault(each.scale, []).append(f"{each.evaluations} {where}, {each.history} pairs")
    return "; ".join(f"scale {scale}: {', then '.join(parts)}" for scale, parts in said.items())


def summed(terms: Mapping[str, float]) -> Mapping[str, float]:
    """A loss's terms, those of the layers added up: style, palette, content, contours, total variation."""
    total: dict[str, float] = {}
    for name, loss in terms.items():
        kind = name.rpartition(" ")[0] if name.rpartition(" ")[2] in LAYERS else name
        total[kind] = total.get(kind, 0.0) + loss
    return total


def own_settings(recipe: Recipe) -> list[str]:
    """The preset, and what is set otherwise than it would be."""
    preset = PRESETS.get(recipe.preset)
    own = [name for name in SETTINGS if getattr(recipe, name) != getattr(preset, name, None)]
    return [recipe.preset, *(f"{name} {getattr(recipe, name)}" for name in own)]


def thinned(losses: Sequence[float], most: int = CURVE) -> tuple[float, ...]:
    """At most `most` of the losses, evenly, with the first and the last; to four digits."""
    if len(losses) > most:
        losses = [losses[round(place * (len(losses) - 1) / (most - 1))] for place in range(most)]
    return tuple(float(f"{loss:.4g}") for loss in losses)


def _recipe(said: Any) -> Recipe:
    """ValueError, TypeError, KeyError: it is none."""
    names = [field.name for field in dataclasses.fields(Recipe)]
    said = {"contours": 0.0, "chroma": 1.0, **said}  # which the first records had no words for
    if set(said) != set(names):
        raise ValueError(f"the recipe has other settings: {', '.join(sorted(set(said) ^ set(names)))}")
    for name in ("style_layers", "content_layers"):
        said[name] = tuple((LAYERS[LAYERS.index(layer)], _number(weight)) for layer, weight in said[name])
    said["scales"] = tuple((_number(fraction), int(count)) for fraction, count in said["scales"])
    if not all(0 < fraction <= 1 and 0 < count <= MOST_EVALUATIONS for fraction, count in said["scales"]):
        raise ValueError("scales out of range")
    checked(**{name: said[name] for name in SETTINGS})  # by the rules that hold for anybody's
    kinds = get_type_hints(Recipe)
    said |= {name: _number(said[name]) for name, kind in kinds.items() if kind is float}
    said |= {"preset": str(said["preset"]), "history": int(said["history"])}
    if not 0 <= said["history"] <= MOST_EVALUATIONS or said["eased"] > 1 or not isinstance(said["matched"], bool):
        raise ValueError("history, eased or matched out of range")
    if said["chroma"] < 1:
        raise ValueError("chroma out of range")
    for name, kind in kinds.items():
        if get_origin(kind) is Literal:
            known = get_args(kind)
            said[name] = known[known.index(said[name])]
    return Recipe(**said)


def _source(name: Any, sha256: Any, weight: Any) -> StyleSource:
    return StyleSource(str(name), str(sha256), _number(weight))


def _stretch(scale: Any, side: Any, keep: Any, history: Any, evaluations: Any) -> EvaluationRun:
    numbers = {"scale": scale, "history": history, "evaluations": evaluations} | (
        {} if side is None else {"side": side}
    )
    if not all(type(number) is int and 0 <= number <= MOST_EVALUATIONS for number in numbers.values()) or side == 0:
        raise ValueError("stretches out of range")
    return EvaluationRun(scale, side, bool(keep), history, evaluations)


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"{value!r} is no number of at least 0")
    return number


def _size(value: Any) -> tuple[int, int]:
    width, height = (int(side) for side in value)
    if min(width, height) < 1:
        raise ValueError(f"no picture is {width} x {height}")
    return width, height
