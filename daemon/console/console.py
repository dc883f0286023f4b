"""Everything a person sees while it runs: a live view on a terminal, plain lines elsewhere, journald's priorities.

The rest of the daemon only logs and keeps the board; this is the one place that prints.
"""

import contextlib
import logging
import sys
import time
from collections.abc import Iterator
from types import TracebackType
from typing import IO, Any, Self

from rich.console import Console as Terminal
from rich.console import RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from daemon.config.models import Config
from daemon.console import journald
from daemon.console.terminal_images import Inline, cell_height, protocol
from daemon.console.view import view
from daemon.status import FinishedPainting, Status
from daemon.text import duration, escape
from daemon.transfer.steps import Step

log = logging.getLogger("styled")
_LOOKS = {logging.DEBUG: "dim", logging.INFO: "", logging.WARNING: "yellow", logging.ERROR: "red"}
# sd-daemon(3)
_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class Console(logging.Handler):
    """Shows log lines and, on a terminal, the board below them. Use as a context manager."""

    def __init__(self, config: Config | None = None, *, verbosity: int = 0, stream: IO[str] | None = None) -> None:
        super().__init__({-1: logging.WARNING, 0: logging.INFO}.get(verbosity, logging.DEBUG))
        self._config = config
        self._terminal = Terminal(file=stream or sys.stderr, highlight=False)
        self._journal = journald.goes_there(self._terminal.file)
        self._live: Live | None = None
        self._greeted = verbosity < 0
        self._pixels = protocol() if self._terminal.is_terminal else None
        self._pictured = 0.0  # up to which painting, by its time, pictures were shown
        if self._terminal.is_terminal and verbosity >= 0:
            self._live = Live(console=self._terminal, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        log.addHandler(self)
        log.setLevel(min(self.level, logging.INFO))
        log.propagate = False
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
        log.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + logging.Formatter().formatException(record.exc_info)
        with contextlib.suppress(OSError):  # nobody listens any more, or the log's own disk is full
            if self._terminal.is_terminal:
                self._terminal.print(_line(record, text))
            else:
                self._plain(record, text)

    def refresh(self, board: Status) -> None:
        """Draw the board as it is now; the service calls this several times a second."""
        if board.state == "watching" and not self._greeted and self._config is not None:
            self._greeted = True
            if self._terminal.is_terminal:
                self._terminal.print(_greeting(self._config, board))
            else:
                log.info("ready: %s", _one_line(self._config, board))
        if self._live is not None:
            with contextlib.suppress(OSError):
                self._draw(board, self._live)

    def _draw(self, board: Status, live: Live) -> None:
        """The live view, and above it, where real pixels can be shown, each painting once."""
        finished = board.shown()
        if self._pixels is not None:
            for painting in reversed(finished):
                if painting.at > self._pictured:
                    cell = cell_height(self._terminal.file)
                    self._terminal.print(Inline(painting.preview, _caption(painting), self._pixels, cell))
        self._pictured = max((painting.at for painting in finished), default=self._pictured)
        width, height = self._terminal.size
        pictures = self._pixels is None and self._terminal.color_system in ("256", "truecolor")
        live.update(view(board, width, height, pictures=pictures), refresh=True)

    def _plain(self, record: logging.LogRecord, text: str) -> None:
        tail = _tail(record)
        text += f" {tail}" if tail else ""
        priority = _PRIORITIES.get(record.levelno, 5)
        if self._journal and journald.send(text, priority, _fields(record)):
            return
        before = f"<{priority}>"
        if not self._journal:
            level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
            before = time.strftime("%Y-%m-%d %H:%M:%S ") + level
        for line in text.splitlines():
            print(f"{before}{line}", file=self._terminal.file, flush=True)


def complain(text: str) -> None:
    """On standard error, what ends the command; in the journal as an error."""
    priority = _PRIORITIES[logging.ERROR]
    if not journald.goes_there(sys.stderr):
        print(text, file=sys.stderr)
    elif not journald.send(text, priority, {}):
        print("\n".join(f"<{priority}>{line}" for line in text.splitlines()), file=sys.stderr)


@contextlib.contextmanager
def painting(name: str) -> Iterator[Any]:
    """A bar for one picture painted without the daemon; gives the callback for its steps."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[said]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Terminal(stderr=True), transient=True) as bar:
        task = bar.add_task(escape(name), total=1.0, said="")

        def on_step(step: Step) -> None:
            bar.update(task, completed=step.done, said=f"step {step.step}/{step.steps}  loss {step.loss:.4g}")

        yield on_step


@contextlib.contextmanager
def fetching(what: str) -> Iterator[Any]:
    """A bar for a download; gives the callback for (bytes done, bytes in all)."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Terminal(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)


def _tail(record: logging.LogRecord) -> str:
    seconds, path = getattr(record, "seconds", None), getattr(record, "path", None)
    parts = [f"in {duration(seconds)}"] if seconds is not None else []
    return " ".join([*parts, *([f"→ {path}"] if path else [])])


def _fields(record: logging.LogRecord) -> dict[str, object]:
    """What `journalctl` can select by."""
    known = {"STYLED_STYLE": "style", "STYLED_FILE": "path", "STYLED_SECONDS": "seconds"}
    return {field: getattr(record, name) for field, name in known.items() if hasattr(record, name)}


def _line(record: logging.LogRecord, text: str) -> Text:
    line = Text(time.strftime("%H:%M:%S  "), style="dim")
    mark = {logging.ERROR: "✗ ", logging.WARNING: "! "}.get(record.levelno, "")
    if hasattr(record, "seconds"):
        mark = "✓ "
        line.append(mark, style="green")
        line.append(text)
    else:
        line.append(mark + text, style=_LOOKS.get(record.levelno, ""))
    if tail := _tail(record):
        line.append(" " + tail, style="dim")
    return line


def _caption(painting: FinishedPainting) -> Text:
    line = Text(escape(painting.name), style="bold", no_wrap=True, overflow="ellipsis")
    return line.append(f"  {duration(painting.seconds)}", style="not bold dim")


def _greeting(config: Config, board: Status) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_column(overflow="fold")
    for name, value in _facts(config, board):
        grid.add_row(name, value)
    return Panel(grid, title="[bold]styled[/]", title_align="left", border_style="blue", expand=False)


def _facts(config: Config, board: Status) -> list[tuple[str, str]]:
    styles = [f"{name} (default)" if name == config.default_style else name for name in config.styles]
    return [
        ("device", board.device),
        ("weights", board.weights),
        ("styles", ", ".join(styles)),
        ("drop", f"{config.root / 'inbox'}/<style>/"),
        ("collect", f"{config.root / 'outbox'}/<style>/"),
    ]


def _one_line(config: Config, board: Status) -> str:
    return "; ".join(f"{name} {value}" for name, value in _facts(config, board))
