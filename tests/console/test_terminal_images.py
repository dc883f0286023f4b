"""Pictures in a terminal."""

import io

from rich.console import Console as Terminal

from daemon.console.terminal_images import HalfBlocks
from daemon.previews import Preview


def test_half_blocks_show_the_picture() -> None:
    red_and_blue = Preview(96, 72, (b"\xff\x00\x00" * 48 + b"\x00\x00\xff" * 48) * 72)
    terminal = Terminal(width=40, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    with terminal.capture() as capture:
        terminal.print(HalfBlocks(red_and_blue, 10, 4), end="")
    (*_, last) = capture.get().strip("\n").split("\n")
    assert last.count("▀") == 10
    assert last.index("38;2;255;0;0") < last.index("38;2;0;0;255")
