"""What a page and a terminal show of a painting. Pure data, which crosses from the readers to the daemon."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preview:
    """A picture for a terminal: RGB, 8 bits each, row by row from the top."""

    width: int
    height: int
    rgb: bytes

    def pixel(self, x: int, y: int) -> tuple[int, int, int]:
        start = 3 * (y * self.width + x)
        red, green, blue = self.rgb[start : start + 3]
        return red, green, blue


@dataclass(frozen=True, slots=True)
class Thumbnails:
    """Small copies of a painting, and of its photo where there is one. `card` and `before` are WebP."""

    size: tuple[int, int]  # width, height of the painting itself
    card: bytes
    before: bytes  # the photo, b"" where there is none
    preview: Preview
    record: str = ""  # what the painting says of itself, where it was read from its file
