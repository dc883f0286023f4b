"""The layers of VGG19 by the paper's names, and where the features of a layer lie on the picture."""

import math
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

Pooling = Literal["average", "max"]
Border = Literal["zeros", "edge"]

# The layers of torchvision's `vgg19().features` by the paper's names: LAYERS.index(name) is N of `features.N`.
LAYERS: Final[tuple[str, ...]] = tuple(
    name
    for block, convolutions in enumerate((2, 2, 4, 4, 4), start=1)
    for name in (
        *(f"{kind}{block}_{i}" for i in range(1, convolutions + 1) for kind in ("conv", "relu")),
        f"pool{block}",
    )
)
WIDTHS: Final = (64, 128, 256, 512, 512)  # number of feature maps in each of the five blocks
SMALLEST: Final = 8  # px, the shortest side of a picture, whatever the network


class Layer(NamedTuple):
    """Where the features F (1, maps, H // stride, W // stride) of a layer lie on a picture of H × W px."""

    maps: int  # number of feature maps
    stride: int  # px of the picture from a feature to the next
    halo: int | None  # px along the edge of a cut-out, in which features differ from the whole picture's; None: all do


class Cut(NamedTuple):
    """How a picture is cut into tiles for some layers at once."""

    step: int  # px: tiles begin at multiples of it, and no side of a picture is shorter
    halo: int | None  # px of margin around a tile, at least 1; None: these layers cannot be computed in tiles


def cut(layers: Mapping[str, Layer], names: Collection[str]) -> Cut:
    """The cut for the layers `names` of a network."""
    used = [layers[name] for name in names]
    stride = math.lcm(*(layer.stride for layer in used))
    halos = [layer.halo for layer in used if layer.halo is not None]
    halo = -(-max(1, *halos) // stride) * stride if len(halos) == len(used) else None
    return Cut(-(-SMALLEST // stride) * stride, halo)


def _of_vgg19() -> dict[str, Layer]:
    found, stride, wide = {}, 1, 0  # wide: the halo in features of the layer
    for name in LAYERS:
        if name.startswith("pool"):
            stride, wide = stride * 2, -(-wide // 2)
        wide += name.startswith("conv")
        found[name] = Layer(WIDTHS[int(name[4]) - 1], stride, wide * stride)
    return found


VGG19: Final[Mapping[str, Layer]] = MappingProxyType(_of_vgg19())
