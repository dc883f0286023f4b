"""The live view of a terminal."""

import io
import math
import re
import time

import pytest
from rich.cells import cell_len
from rich.console import Console as Terminal

from daemon.console.view import sparkline, view
from daemon.previews import Preview
from daemon.status import FinishedPainting, Status
from daemon.transfer.steps import Step


def a_preview(width: int = 96, height: int = 72) -> Preview:
    return Preview(width, height, bytes(3 * width * height))


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
    assert sum("98 %" in line for line in shown) == 3, "each job says how far it is"
    assert not any("\x1b" in line for line in shown), "a name's control characters are escaped"


def test_pictures_are_shown_only_where_they_can_be_recognised(busy: Status) -> None:
    assert max(line.count("▀") for line in lines(drawn(busy, 100, 40))) >= 36, "half blocks side by side"
    assert "▀" not in drawn(busy, 99, 40)
    assert "▀" not in drawn(busy, 100, 35)
    assert "▀" not in drawn(busy, 100, 40, pictures=False)


def test_the_bar_and_its_number_measure_the_same(board: Status) -> None:
    """Half of the evaluations can be a tenth of the work: those at a small size are quick."""
    board.step("1", Step(60, 120, 0.1, 2, 3, 0.10))
    row = next(line for line in lines(drawn(board, 120, 40)) if "鴨" in line)
    assert " 10 %" in row
    assert "60/120" not in row
    assert drawn(board, 120, 40).count("painting") == 1, "not watching, while a photo is painted"


def test_the_curve_starts_again_at_each_scale(board: Status) -> None:
    board.step("1", Step(40, 120, 0.05, 1, 3, 0.05))
    board.step("1", Step(41, 120, 0.9, 2, 3, 0.06))
    assert board.tasks()[0].losses == (0.9,)


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
    board.waiting = {}
    assert "an hour" not in " ".join(lines(drawn(board, 120, 40))), "nothing waits: no number that falls and falls"
