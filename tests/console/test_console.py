"""What the daemon shows: on a terminal, in a plain log, in the journal."""

import io
import logging
import os
from pathlib import Path

import pytest

from daemon.config.load import load
from daemon.console import journald
from daemon.console.console import Console
from daemon.previews import Preview
from daemon.status import FinishedPainting, Status

log = logging.getLogger("styled")


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_elsewhere_than_on_a_terminal_there_are_plain_lines_without_colours_or_bars(root: Path, board: Status) -> None:
    out = io.StringIO()
    with Console(load(root / "config.yaml"), stream=out) as console:
        console.refresh(board)
        console.refresh(board)
        log.info("painted %s", "alpha/a.jpg", extra={"path": "outbox/alpha/a.jpg", "seconds": 12.3})
        log.error("failed %s", "alpha/b.jpg")
        log.warning("%s", "inbox/x: left alone", extra={"path": "inbox/x"})
        log.debug("not said")
    lines = out.getvalue().splitlines()
    assert len(lines) == 4
    assert "ready: device a processor; weights embedded; styles alpha (default), beta" in lines[0]
    assert lines[1].endswith("painted alpha/a.jpg in 12 s → outbox/alpha/a.jpg")
    assert lines[2].endswith("error: failed alpha/b.jpg")
    assert lines[3].endswith("warning: inbox/x: left alone"), "the path once"
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
    for expected in ("Tübingen 鴨.jpg", " 25 %", "loss 0.125", "3 waiting (alpha 3)", "2 painted", "1 min 15 s"):
        assert expected in text, expected
    assert "styled" in text
    assert "outbox/index.html" in text, "where the gallery is, …"
    assert "file:///" in text, "… also as a link"
    assert "ready:" not in text, "the greeting says that"


@pytest.mark.parametrize(
    ("environment", "pictures"),
    [
        ({"COLORTERM": "truecolor"}, True),
        ({"COLORTERM": "truecolor", "NO_COLOR": "1"}, False),
        ({"COLORTERM": ""}, False),  # 256 colours
    ],
)
def test_paintings_are_shown_in_full_colour_or_not_at_all(
    board: Status, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], pictures: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in ({"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"} | environment).items():
        monkeypatch.setenv(name, value)
    board.show(FinishedPainting("alpha/a.jpg", "alpha", 1.0, Preview(4, 4, bytes(48))))
    screen = Screen()
    with Console(stream=screen) as console:
        console.refresh(board)
    assert ("▀" in screen.getvalue()) == pictures


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
    assert lines[-1] == "<2>    RuntimeError: a bug"
    assert all(line.startswith("<2>") for line in lines[1:])


def test_what_leaves_the_console_is_harmless_and_escaped_once() -> None:
    out = io.StringIO()
    with Console(stream=out):
        log.warning("look at %s", "a\x1b[2J\udcff\\x1b.jpg", extra={"path": "b\x07\n.jpg"})
    assert out.getvalue().endswith("look at a\\x1b[2J\\xff\\x1b.jpg → b\\x07\\n.jpg\n")


def test_no_name_in_a_message_begins_a_line_of_the_log() -> None:
    out = io.StringIO()
    with Console(stream=out):
        log.warning("after %s: %s", "x.jpg", "no such file: y\nFORGED painted z.jpg\r\x85FORGED")
    first, second = out.getvalue().splitlines()
    assert first.endswith("warning: after x.jpg: no such file: y")
    assert second.endswith("warning:     FORGED painted z.jpg\\r\\x85FORGED")


class ClosedScreen(Screen):
    is_gone = False

    def write(self, text: str) -> int:
        if self.is_gone:
            raise OSError(5, "Input/output error")
        return super().write(text)


def test_a_terminal_that_was_closed_is_no_error(board: Status, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    screen = ClosedScreen()
    with Console(stream=screen) as console:
        console.refresh(board)
        screen.is_gone = True
        log.warning("nobody reads this")
        console.refresh(board)


def test_after_the_console_the_log_is_as_it_was() -> None:
    before = log.level, log.propagate, [*log.handlers]
    with Console(stream=io.StringIO(), verbosity=1):
        assert (log.level, log.propagate, [*log.handlers]) != before
    assert (log.level, log.propagate, log.handlers) == before
