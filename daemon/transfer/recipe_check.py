"""What is wrong with a recipe. Pure Python."""

import math
import reprlib
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, Final

from .network.layers import LAYERS

CHOICES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "start": ("content", "noise", "style"),
        "keep_colors": ("no", "luminance", "statistics"),
        "precision": ("auto", "full"),
    }
)
FACTORS: Final = ("style_weight", "content_weight", "smoothness", "style_scale")
LAYERS_OF: Final = ("style_layers", "content_layers")
SETTINGS: Final = (*FACTORS, "seed", *CHOICES, *LAYERS_OF, "scales")  # what a user sets
MOST_WEIGHT: Final = 1e6
LEAST_SHARE: Final = 0.001  # of the full size
MOST_SCALES, MOST_EVALUATIONS = 50, 10_000  # scales of a recipe (old records have many), evaluations of a scale
ALTERNATIVES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"pooling": ("average", "max"), "border": ("zeros", "edge"), "statistic": ("gram", "covariance")}
)


def problems_of(settings: Mapping[str, Any], layers: Collection[str] | None = LAYERS) -> list[str]:
    """What is wrong with a user's settings, each with its name; []: nothing. `layers`: see layers_problem."""
    return [problem for name, value in settings.items() if (problem := _problem(name, value, layers))]


def problems_of_the_algorithm(recipe: Any) -> list[str]:
    """What is wrong with the fields of a Recipe that only a programmer sets."""
    problems = []
    for name, choices in ALTERNATIVES.items():
        if getattr(recipe, name) not in choices:
            problems.append(f"{name}: {getattr(recipe, name)!r} is not one of {', '.join(choices)}")
    for name in ("alpha", "beta", "tv", "achromatic", "margin", "eased", "history"):
        if not _is_number(getattr(recipe, name)):
            problems.append(f"{name}: {getattr(recipe, name)!r} is not a number of at least 0")
    for name in ("style_size", "finest"):
        if not _is_number(getattr(recipe, name)) or not getattr(recipe, name):
            problems.append(f"{name}: {getattr(recipe, name)!r} is not a number above 0")
    if not _is_number(recipe.style_floor) or not 0 < recipe.style_floor <= 1:
        problems.append(f"style_floor: {recipe.style_floor!r} is not a number above 0, at most 1")
    if not _is_count(recipe.pyramid):
        problems.append(f"pyramid: {recipe.pyramid!r} is not a whole number of at least 1")
    return problems


def as_pairs(value: Any) -> Any:
    """{a: 1, b: 2} or [[a, 1], [b, 2]] as ((a, 1), (b, 2)); anything else as it is."""
    if isinstance(value, Mapping):
        return tuple(value.items())
    if isinstance(value, list | tuple):
        return tuple(tuple(each) if isinstance(each, list) else each for each in value)
    return value


def layers_problem(pairs: Any, layers: Collection[str] | None = LAYERS) -> str:
    """Why these pairs of layer and weight cannot be the layers of a recipe; "" if they can.

    `layers`: of the network; None: of any network.
    """
    if not _are_pairs(pairs):
        return "write layers with their weights, such as {relu1_1: 0.5, relu3_1: 0.5}"
    names = [name for name, _ in pairs]
    for name, weight in pairs:
        if not isinstance(name, str) or (layers is not None and name not in layers):
            if layers not in (None, LAYERS):
                return f"{_short(name)} is no layer of this network; its layers are {', '.join(layers)}"
            known = "1_1, 1_2, 2_1, 2_2, 3_1 to 3_4, 4_1 to 4_4 or 5_1 to 5_4"
            return f"{_short(name)} is no layer of VGG19; write conv or relu with {known}, or pool1 to pool5"
        if not _is_number(weight) or weight > MOST_WEIGHT:
            return f"{_short(weight)} cannot be the weight of {name}; write a number from 0 to {MOST_WEIGHT:.0f}"
        if names.count(name) > 1:
            return f"{name} is there twice; keep one"
    return "" if any(weight for _, weight in pairs) else "every weight is 0; give at least one layer more than 0"


def scales_problem(scales: Any) -> str:
    """Why these pairs of share and evaluations cannot be the scales of a recipe; "" if they can."""
    if not _are_pairs(scales) or len(scales) > MOST_SCALES:
        right = "shares of the size with their evaluations, such as [[0.5, 40], [1, 100]]"
        return f"write {right}, at most {MOST_SCALES} of them"
    before = 0.0
    for share, count in scales:
        if not _is_number(share) or not LEAST_SHARE <= share <= 1:
            return f"{_short(share)} cannot be a share of the size; write a number from {LEAST_SHARE} to 1"
        if not _is_count(count) or count > MOST_EVALUATIONS:
            right = f"a whole number from 1 to {MOST_EVALUATIONS}"
            return f"{_short(count)} cannot be the evaluations at the share {share:g}; write {right}"
        if share <= before:
            return f"the share {share:g} follows {before:g}; write the shares from the smallest to the largest"
        before = share
    return "" if before == 1 else f"the last share is {before:g}; end with the full size, such as [1, 100]"


def _are_pairs(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and all(isinstance(e, tuple) and len(e) == 2 for e in value)


def _short(value: Any) -> str:
    """A value as the user wrote it, in a few words, however long it is."""
    if isinstance(value, list | tuple | Mapping):
        return "a list or a group"
    return "nothing" if value is None else reprlib.repr(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _problem(name: str, value: Any, layers: Collection[str] | None) -> str | None:
    """What is wrong with a setting; None: nothing."""
    if name in CHOICES:
        choices = CHOICES[name]
        return None if value in choices else f"{name}: {value!r} is not one of {', '.join(choices)}"
    if name in LAYERS_OF or name == "scales":
        problem = scales_problem(value) if name == "scales" else layers_problem(value, layers)
        return f"{name}: {problem}" if problem else None
    if name == "seed":
        whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
        return None if whole else f"seed: {value!r} is not a whole number from 0 to 2⁶³ − 1"
    if name not in FACTORS:
        return f"{name}: no such setting"
    if not _is_number(value) or (name == "style_scale" and value == 0):
        return f"{name}: {value!r} is not a number {'above' if name == 'style_scale' else 'of at least'} 0"
    return None
