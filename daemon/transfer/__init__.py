"""Neural style transfer in torch, arrays in and out: `Stylizer(device=…, weights=…).paint(content, style, recipe)`.

Paints in painter processes. Imports `daemon.assets` and nothing else of the daemon. Importing this package does not
import torch; using `Stylizer` or `every_device` does. Read `losses.total` first: it is the whole loss as a sum.
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
        # OpenMP reads this once, when torch loads. Threads that spin while they wait for each other gain a third on a
        # quiet machine, but where other programs want the cores a painting takes up to ten times as long.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        # Torch reads this once, too. A GPU's memory breaks up less when tiles and levels of many shapes follow.
        if "PYTORCH_ALLOC_CONF" not in os.environ:  # the newer name of the same setting
            os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
        from . import devices, stylizer

        return stylizer.Stylizer if name == "Stylizer" else devices.every_device
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
