"""The paper in torch, numpy in and numpy out: `Stylizer(device=…, weights=…).paint(content, style, recipe)`.

Importing this package does not import torch; using `Stylizer` does.
"""

import os
from typing import TYPE_CHECKING, Any

from .errors import DeviceError, RecipeError, TooLargeError, WeightsError
from .network.weights import Weights
from .recipe import PRESETS, Recipe, deepest_layer, require
from .steps import Step

if TYPE_CHECKING:
    from .devices import every_device
    from .stylizer import Stylizer

__all__ = [
    "PRESETS",
    "DeviceError",
    "Recipe",
    "RecipeError",
    "Step",
    "Stylizer",
    "TooLargeError",
    "Weights",
    "WeightsError",
    "deepest_layer",
    "every_device",
    "require",
]


def __getattr__(name: str) -> Any:
    if name in ("Stylizer", "every_device"):
        # Read once, when torch loads: threads that spin while they wait for each other gain a third on a quiet
        # machine, and where anything else wants the cores everything takes up to ten times as long.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        # Likewise: a GPU's memory breaks up less when tiles and levels of many shapes follow one another.
        if "PYTORCH_ALLOC_CONF" not in os.environ:  # the same setting's newer name
            os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
        from . import devices, stylizer

        return stylizer.Stylizer if name == "Stylizer" else devices.every_device
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
