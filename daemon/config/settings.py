"""The settings that a picture is painted with, after all places that give settings were merged."""

from dataclasses import dataclass

from daemon.config.print_size import PrintSize, print_size
from daemon.transfer.recipe import Recipe


def auto_size(device: str) -> int:
    """`size: auto` in pixels: the longest side that a photo is reduced to on this device ("cpu", "cuda:0" …)."""
    return 512 if device == "cpu" else 1024


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a picture: its style's and its own, merged."""

    size: int | str  # px, the long side; auto; original; or a print
    recipe: Recipe

    @property
    def print(self) -> PrintSize | None:
        """The print that the painting is made for; None if the size is given in pixels."""
        return print_size(self.size) if isinstance(self.size, str) else None

    def long_side(self, device: str) -> int | None:
        """The long side in pixels that the photo is scaled to on this device; None: the photo keeps its size. For a
        print, the longest side that the paper allows, see PrintSize.long_side."""
        if isinstance(self.size, int):
            return self.size
        if self.print is not None:
            return self.print.long
        return auto_size(device) if self.size == "auto" else None
