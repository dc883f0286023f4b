"""From the tensor that is optimised to the picture that is shown: without its margin, in its own colours."""

from dataclasses import dataclass

from torch import Tensor

from . import colors
from .recipe import Recipe
from .targets import Picture, at_size, tensor


@dataclass(frozen=True, slots=True)
class Finish:
    """How the painting of one photo is finished, at any scale."""

    photo: Picture  # (H, W, 3)
    recipe: Recipe
    tint: colors.Tint | None  # of a black-and-white style

    def __call__(self, x: Tensor, fraction: float = 1.0) -> Picture:
        """x (1, 3, h, w), the photo's canvas at `fraction` of its size → picture (H · fraction, W · fraction, 3)."""
        margin = self.recipe.margin
        height, width = self.photo.shape[:2]
        rows, columns = (
            slice(round(margin * fraction), max(round((margin + length) * fraction), round(margin * fraction) + 1))
            for length in (height, width)
        )
        painting = x[0, :, rows, columns].permute(1, 2, 0).contiguous().cpu().numpy()
        if self.tint and self.recipe.keep_colors == "no":
            return self.tint.on(painting.mean(2, keepdims=True))
        if self.recipe.keep_colors != "luminance":
            return painting
        photo = at_size(tensor(self.photo, 1), painting.shape[:2])[0].permute(1, 2, 0).numpy()
        return colors.luminance(painting, photo)
