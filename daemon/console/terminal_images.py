"""Pictures in a terminal: half blocks everywhere, and real pixels by the protocols of kitty, iTerm2 and sixel."""

import base64
import fcntl
import os
import struct
import termios
import zlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import IO, Literal

from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderResult
from rich.control import Control
from rich.measure import Measurement
from rich.segment import ControlType, Segment
from rich.style import Style
from rich.text import Text

from daemon.previews import Preview

Protocol = Literal["kitty", "iterm2", "sixel"]
CHUNK = 4096  # characters of one escape of kitty's
CELL = 12  # px, the height of a character that a sixel picture must fit where the terminal does not tell its own
BARE = ("", "dumb", "linux", "unknown")  # terminals that write escape sequences out, whoever started them


def protocol(environment: Mapping[str, str] = os.environ) -> Protocol | None:
    """What this terminal says it can do. None: half blocks; so, too, within tmux and screen, which let none through.

    It is never asked: its answer would come in where a person types. TERM has the last word, because what a terminal
    has put into the environment is still there in another one that was started from it.
    """
    term, program = environment.get("TERM", ""), environment.get("TERM_PROGRAM", "")
    if term in BARE or term.startswith(("tmux", "screen")) or "TMUX" in environment or "STY" in environment:
        return None
    if term == "xterm-kitty" or "KITTY_WINDOW_ID" in environment or program == "ghostty" or "ghostty" in term:
        return "kitty"
    if program in ("iTerm.app", "WezTerm") or environment.get("LC_TERMINAL") == "iTerm2":
        return "iterm2"
    if term.startswith(("foot", "mlterm", "contour", "yaft")) or program == "mintty":
        return "sixel"
    return None


def cell_height(stream: IO[str]) -> int:
    """px of a character on the terminal behind `stream`."""
    try:
        rows, _, _, height = struct.unpack("HHHH", fcntl.ioctl(stream.fileno(), termios.TIOCGWINSZ, bytes(8)))
    except (OSError, ValueError):
        return CELL
    return int(height // rows) if rows and height >= rows * 4 else CELL


class HalfBlocks:
    """A picture of two pixels a character, within `columns` and `lines`, at the top left of them."""

    def __init__(self, preview: Preview, columns: int, lines: int) -> None:
        self._preview, self._columns, self._lines = preview, columns, lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in _half_blocks(self._preview, min(self._columns, options.max_width), self._lines):
            yield from line
            yield Segment.line()

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        columns = min(self._columns, options.max_width)
        return Measurement(columns, columns)


class Inline:
    """A picture in real pixels with a caption beside it, `lines` high, for the lines that scroll away."""

    def __init__(self, preview: Preview, caption: Text, how: Protocol, cell: int = CELL, lines: int = 6) -> None:
        self._preview, self._caption, self._how, self._cell, self._lines = preview, caption, how, cell, lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, height, lines = self._preview.width, self._preview.height, self._lines
        columns = max(1, min(round(2 * lines * width / height), options.max_width // 2))
        for _ in range(lines):  # so that the screen has scrolled before the picture is placed
            yield Segment.line()
        yield Control((ControlType.CURSOR_UP, lines)).segment
        drawn = pixels(self._preview, self._how, columns, lines, self._cell)
        yield Segment(f"\x1b7{drawn}\x1b8", None, [(ControlType.BELL,)])
        for number in range(lines):
            yield Segment(" " * (columns + 2))
            if number == lines // 2:
                yield from console.render(self._caption, options.update(width=options.max_width - columns - 2))
            else:
                yield Segment.line()


def pixels(preview: Preview, how: Protocol, columns: int, lines: int, cell: int = CELL) -> str:
    """The escape sequence that draws `preview` over so many columns and lines from the cursor on, and no more."""
    if how == "kitty":
        return "".join(_kitty(preview, columns, lines))
    if how == "iterm2":
        data = base64.b64encode(png(preview)).decode()
        return f"\x1b]1337;File=inline=1;width={columns};height={lines};preserveAspectRatio=0:{data}\x07"
    return "".join(_sixel(preview, lines * cell))


def png(preview: Preview) -> bytes:
    """The smallest encoder there is: the daemon has no other."""
    stride = 3 * preview.width
    rows = b"".join(b"\0" + preview.rgb[start : start + stride] for start in range(0, len(preview.rgb), stride))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", preview.width, preview.height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def _kitty(preview: Preview, columns: int, lines: int) -> Iterator[str]:
    """Kitty's graphics protocol: raw RGB, placed without moving the cursor, no answer wanted."""
    data = base64.b64encode(preview.rgb).decode()
    keys = f"a=T,f=24,s={preview.width},v={preview.height},c={columns},r={lines},C=1,"
    for start in range(0, len(data), CHUNK):
        more = int(start + CHUNK < len(data))
        yield f"\x1b_G{keys}q=2,m={more};{data[start : start + CHUNK]}\x1b\\"
        keys = ""


def _sixel(preview: Preview, most: int) -> Iterator[str]:
    """DEC's sixels in 216 colours: bands of six rows, in each every colour once; no higher than `most` px.

    A higher one, or a band begun below it, would scroll the screen at its foot.
    """
    height = max(6, most // 6 * 6)
    width = max(1, preview.width * height // preview.height)
    across = [x * preview.width // width for x in range(width)]
    rows = [[_level(preview.pixel(x, y)) for x in across] for y in range(preview.height)]
    levels = [rows[y * preview.height // height] for y in range(height)]
    used = sorted({level for row in levels for level in row})
    yield f'\x1bP0;1q"1;1;{width};{height}'
    for level in used:
        yield f"#{level};2;{level // 36 * 20};{level // 6 % 6 * 20};{level % 6 * 20}"
    for top in range(0, height, 6):
        band = levels[top : top + 6]
        yield "-" if top else ""
        for level in sorted({level for row in band for level in row}):
            masks = [sum((row[x] == level) << bit for bit, row in enumerate(band)) for x in range(width)]
            yield f"#{level}{''.join(_runs(masks))}$"
    yield "\x1b\\"


def _level(colour: tuple[int, int, int]) -> int:
    red, green, blue = (round(value / 51) for value in colour)
    return red * 36 + green * 6 + blue


def _runs(masks: list[int]) -> Iterator[str]:
    start = 0
    for x in range(1, len(masks) + 1):
        if x == len(masks) or masks[x] != masks[start]:
            character, count = chr(63 + masks[start]), x - start
            yield f"!{count}{character}" if count > 3 else character * count
            start = x


@lru_cache(64)
def _half_blocks(preview: Preview, columns: int, lines: int) -> tuple[tuple[Segment, ...], ...]:
    """Each line padded to `columns`; missing lines are blank above the picture."""
    share = min(columns / preview.width, 2 * lines / preview.height)
    width, height = max(1, round(preview.width * share)), max(1, round(preview.height * share))
    small = [[_mean(preview, x, y, width, height) for x in range(width)] for y in range(height)]
    made = []
    for y in range(0, height, 2):
        upper, lower = small[y], small[y + 1] if y + 1 < height else [None] * width
        styles = (Style(color=a, bgcolor=b) for a, b in zip(upper, lower, strict=True))
        made.append((*(Segment("▀", style) for style in styles), Segment(" " * (columns - width))))
    return (*[(Segment(" " * columns),)] * (lines - len(made)), *made)


def _mean(preview: Preview, x: int, y: int, width: int, height: int) -> Color:
    """The mean colour of what lies under pixel (x, y) of a copy of width x height pixels."""
    left, right = x * preview.width // width, max((x + 1) * preview.width // width, x * preview.width // width + 1)
    top, below = y * preview.height // height, max((y + 1) * preview.height // height, y * preview.height // height + 1)
    under = [preview.pixel(i, j) for j in range(top, below) for i in range(left, right)]
    red, green, blue = (sum(values) // len(under) for values in zip(*under, strict=True))
    return Color.from_rgb(red, green, blue)
