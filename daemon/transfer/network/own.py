"""A network of your own in place of VGG19.

A network says where the features of each layer lie, in `layers`, and computes the features by name. A `Layer` has the
number of feature maps, the stride (px of the picture from a feature to the next) and the halo: how many px from the
edge of a cut-out a feature still differs from the feature of the whole picture. A layer sees half of its receptive
field to each side; that is its halo. The recipe names the layers that are compared. For example:

    import dataclasses

    import numpy as np
    import torch
    from torch import nn
    from daemon.transfer import PRESETS, Layer, Stylizer

    class Small(nn.Module):
        layers = {                             # from the picture down
            "fine": Layer(maps=16, stride=1, halo=2),
            "coarse": Layer(maps=32, stride=2, halo=4),
        }

        def __init__(self):
            super().__init__()
            self.first = nn.Conv2d(3, 16, 5, padding=2, padding_mode="replicate")
            self.second = nn.Conv2d(16, 32, 4, stride=2, padding=1, padding_mode="replicate")

        def features(self, x, names):          # x (1, 3, H, W) in [0, 1] → {name: (1, maps, H // stride, W // stride)}
            fine = self.first(x - 0.5).relu()
            found = {"fine": fine}
            if "coarse" in names:
                found["coarse"] = self.second(fine).relu()
            return found

    torch.manual_seed(0)
    own = (("fine", 0.5), ("coarse", 0.5))
    recipe = dataclasses.replace(PRESETS["draft"], style_layers=own, content_layers=(("coarse", 1.0),))
    photo = np.random.default_rng(0).random((48, 64, 3), dtype=np.float32)
    style = np.random.default_rng(1).random((64, 64, 3), dtype=np.float32)
    painting = Stylizer(device="cpu", network=Small()).paint(photo, style, recipe)

For torchvision's VGG16, whose layers down to relu3_3 lie as those of VGG19, `network.layers.VGG19` has the numbers.

`features` may return more layers than were asked for, and a row or a column more than H // stride. Pad each
convolution, so that there are not fewer. No layer may change the features of another in place: torchvision's ReLUs do,
unless `inplace` is False. Torch derives the features by x, so compute them without `no_grad`. A module is moved to the
Stylizer's device and set to evaluation (`eval`). The recipe's pooling and border are VGG19's alone.

`halo=None` is for layers in which every feature sees the whole picture (instance normalisation, attention). Such a
network paints no picture that does not fit into memory whole. With a halo, a large picture is computed in tiles, as
with VGG19; a halo that is too small leaves seams.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Protocol

import torch
from torch import Tensor

from .layers import Border, Layer, Pooling

Add = Callable[[str, Tensor | None], Tensor | None]
SURPLUS = 1  # rows and columns of features more than H // stride that are left out


class Network(Protocol):
    """What a network of the caller's has."""

    @property
    def layers(self) -> Mapping[str, Layer]:
        """Every layer that a recipe may name, from the picture down."""

    def features(self, x: Tensor, names: Collection[str], /) -> Mapping[str, Tensor]:
        """x (1, 3, H, W) in [0, 1] → {name: F (1, maps, H // stride, W // stride)}, at least for `names`."""


class Extractor(Protocol):
    """What the loss needs of a network: VGG and OwnNetwork."""

    @property
    def layers(self) -> Mapping[str, Layer]: ...

    def features(self, x: Tensor, layers: Collection[str], pooling: Pooling, border: Border) -> dict[str, Tensor]: ...

    def forward(
        self, x: Tensor, layers: Collection[str], pooling: Pooling, border: Border
    ) -> tuple[dict[str, Tensor], Callable[[Add], Tensor]]: ...


class OwnNetwork:
    """A network of the caller's, as the loss needs it; autograd finds the way back."""

    def __init__(self, network: Network, device: torch.device) -> None:
        """Raises ValueError if a layer's numbers cannot be."""
        self.layers = dict(network.layers)
        for name, layer in self.layers.items():
            if min(layer.maps, layer.stride) < 1 or (layer.halo or 0) < 0:
                raise ValueError(
                    f"network: {name}: {layer} needs maps and stride of at least 1, and a halo of 0 or more"
                )
        if isinstance(network, torch.nn.Module):
            network.to(device).eval()
        self._network = network

    def features(self, x: Tensor, layers: Collection[str], pooling: Pooling, border: Border) -> dict[str, Tensor]:
        """{layer: F} as in Network, without a way back. `pooling` and `border` are VGG19's."""
        with torch.no_grad():
            return self._found(x.clone(), layers)  # a copy, in case the network writes to its input

    def forward(
        self, x: Tensor, layers: Collection[str], pooling: Pooling, border: Border
    ) -> tuple[dict[str, Tensor], Callable[[Add], Tensor]]:
        """{layer: F}, and the way back from their derivatives to x, as VGG's."""
        with torch.enable_grad():
            y = x.detach().clone().requires_grad_()
            found = self._found(y * 1, layers)  # a leaf may not be written to; the copy may
        for name, F in found.items():
            if not F.requires_grad:
                raise ValueError(
                    f"network: {name} comes without a gradient; compute it from x, without no_grad or detach"
                )

        def back(add: Add) -> Tensor:
            by_layer = {name: add(name, None) for name in found}
            (g,) = torch.autograd.grad(list(found.values()), y, list(by_layer.values()))
            return g.contiguous()

        return {name: F.detach() for name, F in found.items()}, back

    def _found(self, x: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        given = self._network.features(x, list(layers))
        return {name: _fitted(given.get(name), name, self.layers[name], x) for name in layers}


def _fitted(F: Tensor | None, name: str, layer: Layer, x: Tensor) -> Tensor:
    """F (1, maps, H // stride, W // stride), without surplus. Raises ValueError if F does not lie as `layer` says."""
    if F is None:
        raise ValueError(f"network: features() returns no {name}, which is in its layers")
    height, width = (length // layer.stride for length in x.shape[2:])
    more = (F.shape[-2] - height, F.shape[-1] - width) if F.dim() == 4 else (-1, -1)
    if F.shape[:2] != (1, layer.maps) or min(more) < 0 or max(more) > SURPLUS:
        where = f"{name} of a picture of {x.shape[2]} × {x.shape[3]} px has the shape {tuple(F.shape)}"
        wanted = f"{(1, layer.maps, height, width)} by {layer}"
        raise ValueError(f"network: {where}, not {wanted}; correct `layers`, or pad the convolutions")
    return F[..., :height, :width]
