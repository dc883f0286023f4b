"""Pictures in a terminal: half blocks, two pixels a character, which every terminal with colours can show."""

from functools import lru_cache

from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.style import Style

from daemon.previews import Preview


class HalfBlocks:
    """A picture at the bottom left of a space of `columns` x `lines` characters, as large as its shape allows."""

    def __init__(self, preview: Preview, columns: int, lines: int) -> None:
        self._preview, self._columns, self._lines = preview, columns, lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in _half_blocks(self._preview, min(self._columns, options.max_width), self._lines):
            yield from line
            yield Segment.line()

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        columns = min(self._columns, options.max_width)
        return Measurement(columns, columns)


@lru_cache(64)
def _half_blocks(preview: Preview, columns: int, lines: int) -> tuple[tuple[Segment, ...], ...]:
    """`lines` lines of `columns` characters each: blank lines, then the picture, filled up with spaces."""
    share = min(columns / preview.width, 2 * lines / preview.height)
    width, height = max(1, round(preview.width * share)), max(1, round(preview.height * share))
    small = [[_mean(preview, x, y, width, height) for x in range(width)] for y in range(height)]
    picture = []
    for y in range(0, height, 2):
        upper, lower = small[y], small[y + 1] if y + 1 < height else [None] * width
        styles = (Style(color=a, bgcolor=b) for a, b in zip(upper, lower, strict=True))
        picture.append((*(Segment("▀", style) for style in styles), Segment(" " * (columns - width))))
    return (*[(Segment(" " * columns),)] * (lines - len(picture)), *picture)


def _mean(preview: Preview, x: int, y: int, width: int, height: int) -> Color:
    """The mean colour of the preview's pixels under pixel (x, y) of a copy of `width` x `height` pixels."""
    left, right = x * preview.width // width, max((x + 1) * preview.width // width, x * preview.width // width + 1)
    top, below = y * preview.height // height, max((y + 1) * preview.height // height, y * preview.height // height + 1)
    under = [preview.pixel(i, j) for j in range(top, below) for i in range(left, right)]
    red, green, blue = (sum(values) // len(under) for values in zip(*under, strict=True))
    return Color.from_rgb(red, green, blue)
