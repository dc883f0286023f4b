"""What is wrong with a recipe. Pure Python."""

import math
from collections.abc import Mapping
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
SETTINGS: Final = (*CHOICES, *FACTORS, "seed")  # what a user sets
ALTERNATIVES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"pooling": ("average", "max"), "border": ("zeros", "edge"), "statistic": ("gram", "covariance")}
)


def problems_of(settings: Mapping[str, Any]) -> list[str]:
    """What is wrong with a user's settings, each with its name; []: nothing."""
    return [problem for name, value in settings.items() if (problem := _problem(name, value))]


def problems_of_the_algorithm(recipe: Any) -> list[str]:
    """What is wrong with the fields of a Recipe that only a programmer sets."""
    problems = []
    for name in ("style_layers", "content_layers"):
        layers = getattr(recipe, name)
        is_pairs = isinstance(layers, tuple) and all(isinstance(each, tuple) and len(each) == 2 for each in layers)
        if not is_pairs or not layers or not all(each in LAYERS and _is_number(w) for each, w in layers):
            problems.append(f"{name}: {layers!r} is not ((layer, weight), …) of layers such as {LAYERS[1]}")
    for name, choices in ALTERNATIVES.items():
        if getattr(recipe, name) not in choices:
            problems.append(f"{name}: {getattr(recipe, name)!r} is not one of {', '.join(choices)}")
    for name in ("alpha", "beta", "tv", "achromatic", "margin", "eased", "history"):
        if not _is_number(getattr(recipe, name)):
            problems.append(f"{name}: {getattr(recipe, name)!r} is not a number of at least 0")
    scales = recipe.scales
    if not scales or not all(_is_number(share) and 0 < share <= 1 and _is_count(count) for share, count in scales):
        problems.append(f"scales: {scales!r} is not ((fraction up to 1, evaluations), …)")
    if not _is_count(recipe.pyramid):
        problems.append(f"pyramid: {recipe.pyramid!r} is not a whole number of at least 1")
    return problems


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and value >= 1


def _problem(name: str, value: Any) -> str | None:
    """What is wrong with a setting; None: nothing."""
    if name in CHOICES:
        choices = CHOICES[name]
        return None if value in choices else f"{name}: {value!r} is not one of {', '.join(choices)}"
    if name == "seed":
        whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
        return None if whole else f"seed: {value!r} is not a whole number from 0 to 2⁶³ − 1"
    if name not in FACTORS:
        return f"{name}: no such setting"
    if not _is_number(value) or (name == "style_scale" and value == 0):
        return f"{name}: {value!r} is not a number {'above' if name == 'style_scale' else 'of at least'} 0"
    return None
