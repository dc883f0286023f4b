"""Small copies of a painting, for the gallery's page and for a terminal. Pure data, sent by readers to the daemon."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preview:
    """A picture for a terminal: RGB, 8 bits per channel, row by row from the top."""

    width: int
    height: int
    rgb: bytes

    def pixel(self, x: int, y: int) -> tuple[int, int, int]:
        """(red, green, blue), 0 … 255."""
        start = 3 * (y * self.width + x)
        red, green, blue = self.rgb[start : start + 3]
        return red, green, blue


@dataclass(frozen=True, slots=True)
class Thumbnails:
    """Small copies of a painting, and of its photo if the photo is there. `card` and `before` are WebP."""

    size: tuple[int, int]  # width, height of the painting itself
    card: bytes
    before: bytes  # the photo; b"" without a photo
    preview: Preview
    record: str = ""  # how the painting was made, if it was read from its file
