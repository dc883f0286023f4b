"""Neural style transfer in torch, arrays or pictures of Pillow in, arrays out.

    import numpy as np
    from PIL import Image
    from daemon.transfer import PRESETS, Stylizer

    photo = np.random.default_rng(0).random((48, 64, 3), dtype=np.float32)  # (H, W, 3) sRGB in [0, 1]
    style = np.random.default_rng(1).random((64, 64, 3), dtype=np.float32)
    stylizer = Stylizer(device="cpu", weights="embedded")
    painting = stylizer.paint(photo, style, PRESETS["draft"])
    assert painting.shape == photo.shape

    picture = Image.fromarray((painting * 255).round().astype("uint8"))  # a picture of Pillow; .save("painting.png")
    again = stylizer.paint(picture, picture.rotate(90), PRESETS["draft"])

A loss of your own: see terms.py. A network of your own in place of VGG19: see network/own.py.

Paints in painter processes. Imports `daemon.assets` and nothing else of the daemon. Importing this package does not
import torch; using `Stylizer` or `every_device` does. Read `losses.total` first: it is the whole loss as a sum.

Departures from the paper (Gatys, Ecker and Bethge, arXiv:1508.06576), each marked on its line:

In all presets, features are normalised as ImageNet's were; VGG19 is cut after the deepest layer in use; a projection
keeps pixels within [0, 1], and the curvature pairs come from the steps after the projection. `tutorial` does not start
from the photograph itself, but from the photograph in the style's spectrum (colours and contrast at each frequency). It
spends its first fifth on an eased loss, in which no direction of a Gram matrix counts far more than the others. `gatys`
paints at a quarter and a half of the size, then at the full size, from the photograph in the style's colours, with a
little total variation, and with the border of `fine`.

`fine` and `draft` compare style and content at several sizes of the picture at once, in every evaluation (Snelgrove
2017): for a painting of 512 px these are the full size, a half, a quarter and an eighth. Each doubling of the
painting's size adds a level, so that strokes keep their proportion to the picture. The photograph is first recoloured
to the mean and covariance of the style's colours, by the linear map that moves colours least; the painting starts from
this picture. The style is compared by centred Gram matrices and, apart from them, the means, at relu1_1, relu2_1 and
relu3_1, each error relative to the energy of its target. The content is compared at relu2_1 and relu3_1. The loss also
contains a little total variation. A little noise on the start gives flat areas strokes to begin with (`gatys`, too). At
the border, every convolution repeats the edge pixels instead of adding zeros, and the photograph is continued by its
mirror image while it is painted, so that no border shows. With a black-and-white style the photograph is painted in
luminance and then gets the tint of the style: cream paper stays cream, and there are no coloured fringes. A spot of
colour in such a style (a red seal) is left out. From 1024 px on, `fine` paints at a smaller size first (512 to 1023
px), and each larger painting starts from the painting of half the size. `draft` does the same with fewer evaluations,
most of them at a quarter and a half of the first size, and with less content.
"""

import os
from typing import TYPE_CHECKING, Any

from .errors import DeviceError, RecipeError, TooLargeError, WeightsError
from .network.layers import Layer
from .network.weights import Weights
from .recipe import PRESETS, Recipe, deepest_layer, require
from .steps import Step

if TYPE_CHECKING:
    from .devices import every_device
    from .stylizer import Stylizer

__all__ = [
    "PRESETS",
    "DeviceError",
    "Layer",
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
        # Torch reads these once, too. A GPU's memory breaks up less when tiles and levels of many shapes follow.
        if not {"PYTORCH_ALLOC_CONF", "PYTORCH_HIP_ALLOC_CONF"} & os.environ.keys():  # other names of the same setting
            os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
        # cuDNN keeps a plan of 200 KB for each size of each layer: 10,000 by default, which fill 2 GB of memory.
        os.environ.setdefault("TORCH_CUDNN_V8_API_LRU_CACHE_LIMIT", "2000")
        os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")  # what Apple's GPUs lack, the CPU computes
        from . import devices, stylizer

        return stylizer.Stylizer if name == "Stylizer" else devices.every_device
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
