"""All that the daemon shows while it runs: a live view on a terminal, plain lines elsewhere, entries in the journal.

The rest of the daemon only logs and updates the Status; only this module prints.
"""

import contextlib
import logging
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from rich.console import Console as Terminal
from rich.console import RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from daemon.config.models import Config
from daemon.console import journald
from daemon.console.event_file import EventFile
from daemon.console.view import view
from daemon.events import Event, about
from daemon.status import Status
from daemon.text import duration, escape_lines, one_line

log = logging.getLogger("styled")
SHORT = 1.0  # a shorter wait is not mentioned
_LOOKS = {logging.DEBUG: "dim", logging.INFO: "", logging.WARNING: "yellow", logging.ERROR: "red"}
# sd-daemon(3)
_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class Console(logging.Handler):
    """Shows log records and, on a terminal, the status below them. Use as a context manager."""

    def __init__(
        self,
        config: Config | None = None,
        *,
        verbosity: int = 0,
        stream: IO[str] | None = None,
        events: Path | None = None,
    ) -> None:
        """`verbosity`: -1 shows warnings and errors only, 1 shows debug messages too. `events`: see EventFile."""
        super().__init__({-1: logging.WARNING, 0: logging.INFO}.get(verbosity, logging.DEBUG))
        self._config = config
        self._terminal = Terminal(file=stream or sys.stderr, highlight=False)
        self._journal = journald.goes_there(self._terminal.file)
        self._live: Live | None = None
        self._greeted = False
        self._handlers: list[logging.Handler] = [self, *([EventFile(events)] if events else [])]
        if self._terminal.is_terminal and verbosity >= 0:
            self._live = Live(console=self._terminal, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        for handler in self._handlers:
            log.addHandler(handler)
        self._before = log.level, log.propagate
        log.setLevel(min(self.level, logging.INFO))
        log.propagate = False
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            with contextlib.suppress(OSError):  # the terminal was closed
                self._live.stop()
        for handler in self._handlers:
            log.removeHandler(handler)
        level, log.propagate = self._before
        log.setLevel(level)

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + logging.Formatter().formatException(record.exc_info)
        text, tail = escape_lines(text), one_line(_tail(record, text))
        with contextlib.suppress(OSError):  # the reader of the log has gone, or the log's disk is full
            if self._live is not None and getattr(record, "event", "") == Event.READY:
                return  # the greeting says the same
            if self._terminal.is_terminal:
                self._terminal.print(_line(record, text, tail))
            else:
                self._print_plain(record, f"{text} {tail}" if tail else text)

    def refresh(self, status: Status) -> None:
        """Draw `status`; the service calls this several times a second."""
        if status.state == "watching" and not self._greeted and self._config is not None:
            self._greeted = True
            if self._live is not None:
                self._terminal.print(_greeting(self._config, status))
            facts = "; ".join(f"{name} {value}" for name, value in _facts(self._config, status))
            log.info("ready: %s", facts, extra=about(Event.READY))
        if self._live is not None:
            with contextlib.suppress(OSError):
                width, height = self._terminal.size
                colourful = self._terminal.color_system == "truecolor" and not self._terminal.no_color
                self._live.update(view(status, width, height, pictures=colourful), refresh=True)

    def _print_plain(self, record: logging.LogRecord, text: str) -> None:
        priority = _PRIORITIES.get(record.levelno, 5)
        if self._journal and journald.send(text, priority, _fields(record)):
            return
        before = f"<{priority}>"
        if not self._journal:
            level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
            before = time.strftime("%Y-%m-%d %H:%M:%S ") + level
        for line in text.split("\n"):
            print(f"{before}{line}", file=self._terminal.file, flush=True)


def complain(*lines: str) -> None:
    """Print on standard error what ends the command; in the journal, one entry of priority error."""
    priority, safe = _PRIORITIES[logging.ERROR], [one_line(line) for line in lines]
    if not journald.goes_there(sys.stderr):
        print(*safe, sep="\n", file=sys.stderr)
    elif not journald.send("\n".join(safe), priority, {}):
        print(*(f"<{priority}>{line}" for line in safe), sep="\n", file=sys.stderr)


def _tail(record: logging.LogRecord, text: str) -> str:
    """How long a painting took and, unless `text` names it, where its file is: `in 12 s → outbox/starry/a.jpg`."""
    seconds, path = getattr(record, "seconds", None), getattr(record, "path", None)
    waited = getattr(record, "waited", 0.0)
    parts = [f"in {duration(seconds)}"] if seconds is not None else []
    parts += [f"after waiting {duration(waited)}"] if waited >= SHORT else []
    return " ".join([*parts, *([f"→ {path}"] if path and str(path) not in text else [])])


def _fields(record: logging.LogRecord) -> dict[str, object]:
    """The fields by which `journalctl` can select entries."""
    names = ("event", "style", "file", "seconds", "waited")
    known = {f"STYLED_{name.upper()}": "path" if name == "file" else name for name in names}
    return {field: one_line(str(getattr(record, name))) for field, name in known.items() if hasattr(record, name)}


def _line(record: logging.LogRecord, text: str, tail: str) -> Text:
    line = Text(time.strftime("%H:%M:%S  "), style="dim")
    if hasattr(record, "seconds"):
        line.append("✓ ", style="green").append(text)
    else:
        mark = {logging.ERROR: "✗ ", logging.WARNING: "! "}.get(record.levelno, "")
        line.append(mark + text, style=_LOOKS.get(record.levelno, ""))
    return line.append(f" {tail}", style="dim") if tail else line


def _greeting(config: Config, status: Status) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_column(overflow="fold")
    for name, value in _facts(config, status):
        grid.add_row(name, Text(one_line(value)))
    return Panel(grid, title="[bold]styled[/]", title_align="left", border_style="blue", expand=False)


def _facts(config: Config, status: Status) -> list[tuple[str, str]]:
    styles = [f"{name} (default)" if name == config.default_style else name for name in config.styles]
    page = config.root / "outbox/index.html"
    return [
        ("device", status.device),
        ("weights", status.weights),
        ("styles", ", ".join(styles)),
        ("drop", f"{config.root / 'inbox'}/<style>/"),
        ("collect", f"{config.root / 'outbox'}/<style>/"),
        *([("gallery", str(page)), ("in a browser", page.as_uri())] if config.gallery.page else []),
    ]
