"""What a person sees: on a terminal, in a plain log, in the journal."""

import base64
import fcntl
import io
import logging
import math
import os
import pty
import re
import struct
import termios
import time
from pathlib import Path

import pytest
from PIL import Image
from rich.cells import cell_len
from rich.console import Console as Terminal

from daemon.config.load import load
from daemon.console import journald
from daemon.console.console import Console
from daemon.console.terminal_images import CELL, HalfBlocks, cell_height, pixels, protocol
from daemon.console.view import sparkline, view
from daemon.previews import Preview
from daemon.status import FinishedPainting, Status
from daemon.transfer.steps import Step

log = logging.getLogger("styled")


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def board() -> Status:
    board = Status(state="watching", device="a processor", weights="embedded", waiting={"alpha": 3, "beta": 0})
    board.begin("1", "alpha/Tübingen 鴨.jpg", "alpha")
    board.stage("1", "painting")
    board.step("1", Step(30, 120, 0.125, 1, 2, 0.25))
    board.count(delivered=2)
    return board


def test_elsewhere_than_on_a_terminal_there_are_plain_lines_without_colours_or_bars(root: Path, board: Status) -> None:
    out = io.StringIO()
    with Console(load(root / "config.yaml"), stream=out) as console:
        console.refresh(board)
        console.refresh(board)
        log.info("painted %s", "alpha/a.jpg", extra={"path": "outbox/alpha/a.jpg", "seconds": 12.3})
        log.error("failed %s", "alpha/b.jpg")
        log.debug("not said")
    lines = out.getvalue().splitlines()
    assert len(lines) == 3
    assert "ready: device a processor; weights embedded; styles alpha (default), beta" in lines[0]
    assert lines[1].endswith("painted alpha/a.jpg in 12 s → outbox/alpha/a.jpg")
    assert lines[2].endswith("error: failed alpha/b.jpg")
    assert "\x1b" not in out.getvalue()


def test_a_terminal_shows_the_job_in_hand_and_what_waits(
    root: Path, board: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    screen = Screen()
    with Console(load(root / "config.yaml"), stream=screen) as console:
        console.refresh(board)
        log.info("painted %s", "alpha/a.jpg", extra={"path": "x", "seconds": 75})
    text = screen.getvalue()
    for expected in ("Tübingen 鴨.jpg", "step 30/120", "loss 0.125", "3 waiting (alpha 3)", "2 painted", "1 min 15 s"):
        assert expected in text, expected
    assert "styled" in text


def test_a_name_with_markup_is_text(board: Status, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    board.begin("2", "alpha/[bold red]x[/].jpg", "alpha")
    screen = Screen()
    with Console(stream=screen) as console:
        console.refresh(board)
        log.warning("look at %s", "[blink]y[/].jpg")
    assert "[bold red]x[/].jpg" in screen.getvalue()
    assert "[blink]y[/].jpg" in screen.getvalue()


@pytest.mark.parametrize("columns", ["20", "40", "200"])
def test_it_fits_every_width(root: Path, board: Status, columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", columns)
    screen = Screen()
    with Console(load(root / "config.yaml"), stream=screen) as console:
        console.refresh(board)
    assert screen.getvalue()


def test_quiet_says_only_what_needs_a_person_and_verbose_says_more(root: Path, board: Status) -> None:
    said = {}
    for verbosity in (-1, 0, 1):
        out = io.StringIO()
        with Console(load(root / "config.yaml"), verbosity=verbosity, stream=out) as console:
            console.refresh(board)
            for level in (logging.DEBUG, logging.INFO, logging.WARNING):
                log.log(level, "said")
        said[verbosity] = len(out.getvalue().splitlines())
    assert said == {-1: 1, 0: 3, 1: 4}


def test_every_line_in_the_journal_has_its_priority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journald, "ADDRESS", str(tmp_path / "nobody listens here"))
    with (tmp_path / "journal").open("w+") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        with Console(stream=stream):
            log.info("painted")
            try:
                raise RuntimeError("a bug")
            except RuntimeError:
                log.critical("broke down", exc_info=True)
        stream.seek(0)
        lines = stream.read().splitlines()
    assert lines[0] == "<6>painted"
    assert lines[-1] == "<2>RuntimeError: a bug"
    assert all(line.startswith("<2>") for line in lines[1:])


def a_preview(width: int = 96, height: int = 72) -> Preview:
    """Left half red, right half blue."""
    row = b"\xff\x00\x00" * (width // 2) + b"\x00\x00\xff" * (width - width // 2)
    return Preview(width, height, row * height)


def drawn(board: Status, width: int, height: int, *, pictures: bool = True) -> str:
    terminal = Terminal(width=width, height=height, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    with terminal.capture() as capture:
        terminal.print(view(board, width, height, pictures=pictures), end="")
    return capture.get()


def lines(text: str) -> list[str]:
    return re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()


@pytest.fixture
def busy(board: Status) -> Status:
    """10,000 waiting in twenty styles, three jobs in hand, eight finished; names of all kinds."""
    board.waiting = {f"style-{number}": 500 for number in range(20)}
    for number, name in enumerate(("alpha/😀👩‍👩‍👧 party.jpg", "alpha/\x1b[2J\udcff\n.jpg", "alpha/" + "鴨" * 200)):
        board.begin(f"job-{number}", name, "alpha")
        board.stage(f"job-{number}", "painting")
        for step in range(1, 60):
            board.step(f"job-{number}", Step(step, 60, 5.0 / step, 1, 1, step / 60))
        board.show(FinishedPainting(name, "alpha", 75.0, a_preview()))
    return board


@pytest.mark.parametrize("width", [60, 79, 80, 100, 200])
@pytest.mark.parametrize("height", [10, 24, 50])
def test_whatever_waits_the_view_fits_its_window(busy: Status, width: int, height: int) -> None:
    shown = lines(drawn(busy, width, height))
    assert all(cell_len(line) <= width for line in shown), max(cell_len(line) for line in shown)
    assert len(shown) <= max(height, 12)
    assert any("10,000 waiting" in line for line in shown)
    assert sum("59/60" in line for line in shown) == 3, "each job says how far it is"
    assert not any("\x1b" in line for line in shown), "a name's control characters are escaped"


def test_pictures_are_left_out_of_narrow_and_of_colourless_windows(busy: Status) -> None:
    assert "▀" in drawn(busy, 100, 40)
    assert "▀" not in drawn(busy, 79, 40)
    assert "▀" not in drawn(busy, 100, 20)
    assert "▀" not in drawn(busy, 100, 40, pictures=False)


def test_half_blocks_show_the_picture() -> None:
    terminal = Terminal(width=40, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    with terminal.capture() as capture:
        terminal.print(HalfBlocks(a_preview(), 10, 4), end="")
    (*_, last) = capture.get().strip("\n").split("\n")
    assert last.count("▀") == 10
    assert last.index("38;2;255;0;0") < last.index("38;2;0;0;255")


def test_the_curve_falls_by_orders_of_magnitude() -> None:
    assert sparkline([1000.0, 100.0, 10.0, 1.0], 24) == "█▆▃▁"
    assert len(sparkline([1 / n for n in range(1, 500)], 24)) == 24
    assert sparkline([1.0], 24) == sparkline([], 24) == sparkline([math.nan, math.inf], 24) == ""
    assert sparkline([2.0, 2.0], 24) == "▁▁"


def test_the_rate_tells_when_all_will_be_done(board: Status) -> None:
    now = time.monotonic()
    for age in (1800, 1200, 600):
        board.show(FinishedPainting("a", "alpha", 1.0, a_preview(2, 2), now - age))
    text = " ".join(lines(drawn(board, 120, 40)))
    assert "4.0 an hour" in text
    assert "done in 45 min" in text


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({"TERM": "foot"}, "sixel"),
        ({"TERM": "xterm-256color"}, None),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "iterm2"),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, "iterm2"),
        ({"TERM": "xterm-ghostty"}, "kitty"),
        ({"TERM": "tmux-256color", "KITTY_WINDOW_ID": "1"}, None),
        ({"TERM": "screen.xterm-256color", "LC_TERMINAL": "iTerm2"}, None),
        ({"TERM": "xterm-256color", "STY": "1.tty", "TERM_PROGRAM": "iTerm.app"}, None),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/tmux-1000/default,1,0"}, None),
        ({"TERM": "dumb", "KITTY_WINDOW_ID": "1"}, None),
        ({"TERM": "linux", "TERM_PROGRAM": "iTerm.app"}, None),
        ({}, None),
    ],
)
def test_the_terminals_own_protocol_is_found(environment: dict[str, str], expected: str | None) -> None:
    assert protocol(environment) == expected


def test_kitty_gets_the_pixels_in_chunks() -> None:
    preview = a_preview()
    sent = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", pixels(preview, "kitty", 16, 6))
    assert base64.b64decode("".join(data for _, data in sent)) == preview.rgb
    assert len(sent) > 2
    assert [keys for keys, _ in sent[1:]] == ["q=2,m=1"] * (len(sent) - 2) + ["q=2,m=0"], "nothing else may follow"
    assert all(len(data) == 4096 for _, data in sent[:-1]), "a multiple of four, and no more"
    assert sent[0][0] == "a=T,f=24,s=96,v=72,c=16,r=6,C=1,q=2,m=1"


def test_iterm2_gets_a_png() -> None:
    before, _, data = pixels(a_preview(), "iterm2", 16, 6).partition(":")
    assert before == "\x1b]1337;File=inline=1;width=16;height=6;preserveAspectRatio=0"
    assert data.endswith("\x07")
    data = data.removesuffix("\x07")
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert image.tobytes() == a_preview().rgb


def test_sixels_paint_every_pixel_once() -> None:
    text = pixels(a_preview(8, 6), "sixel", 4, 2, 6)
    start, end = '\x1bP0;1q"1;1;16;12', "\x1b\\"
    assert text.startswith(start)
    assert text.endswith(end)
    body = re.sub(r"#\d+;2;[\d;]+", "", text.removeprefix(start).removesuffix(end))
    assert body.count("-") == 1, "two bands, and none begun below them"
    painted = 0
    for run, character in re.findall(r"(?:!(\d+))?([?-~])", re.sub(r"#\d+", "", body)):
        painted += int(run or 1) * (ord(character) - 63).bit_count()
    assert painted == 16 * 12


@pytest.mark.parametrize(("cell", "expected"), [(20, 120), (7, 42), (1, 6)])
def test_sixels_stay_within_their_lines(cell: int, expected: int) -> None:
    found = re.match(r'\x1bP0;1q"1;1;(\d+);(\d+)', pixels(a_preview(96, 72), "sixel", 16, 6, cell))
    assert found is not None
    assert (int(found[1]), int(found[2])) == (expected * 96 // 72, expected)


def test_the_height_of_a_character_is_the_terminals_own_or_a_small_one() -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours), os.fdopen(theirs, "w") as terminal:
        for size, expected in (((24, 80, 640, 480), 20), ((24, 80, 0, 0), CELL)):
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *size))
            assert cell_height(terminal) == expected
    assert cell_height(io.StringIO()) == CELL


def test_a_terminal_with_pixels_shows_each_painting_once(board: Status, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TERM": "xterm-kitty", "COLUMNS": "100", "LINES": "40"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TMUX", raising=False)
    screen = Screen()
    with Console(stream=screen) as console:
        board.show(FinishedPainting("alpha/a.jpg", "alpha", 1.0, a_preview()))
        console.refresh(board)
        console.refresh(board)
        board.show(FinishedPainting("alpha/b.jpg", "alpha", 1.0, a_preview()))
        console.refresh(board)
    assert screen.getvalue().count("a=T,f=24") == 2
