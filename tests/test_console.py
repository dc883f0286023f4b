"""What a person sees: on a terminal, in a plain log, in the journal."""

import io
import logging
import os
from pathlib import Path

import pytest

from daemon import journald
from daemon.board import Board
from daemon.config import load
from daemon.console import Console
from daemon.transfer.recipe import Step

log = logging.getLogger("styled")


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def board() -> Board:
    board = Board(state="watching", device="a processor", weights="embedded", waiting={"alpha": 3, "beta": 0})
    board.begin("1", "alpha/Tübingen 鴨.jpg", "alpha")
    board.stage("1", "painting")
    board.step("1", Step(30, 120, 0.125, 1, 2, 0.25))
    board.count(delivered=2)
    return board


def test_elsewhere_than_on_a_terminal_there_are_plain_lines_without_colours_or_bars(root: Path, board: Board) -> None:
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
    root: Path, board: Board, monkeypatch: pytest.MonkeyPatch
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


def test_a_name_with_markup_is_text(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_it_fits_every_width(root: Path, board: Board, columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", columns)
    screen = Screen()
    with Console(load(root / "config.yaml"), stream=screen) as console:
        console.refresh(board)
    assert screen.getvalue()


def test_quiet_says_only_what_needs_a_person_and_verbose_says_more(root: Path, board: Board) -> None:
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
