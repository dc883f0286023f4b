"""The layers of VGG19 by the paper's names, and their widths."""

from typing import Final

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
