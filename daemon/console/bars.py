"""Progress bars of the commands that paint or fetch without the daemon. The number beside a bar is its percentage."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console as Terminal
from rich.progress import BarColumn, DownloadColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from daemon.text import one_line
from daemon.transfer.steps import Step


class Bars:
    """A bar for the picture that is being painted and, if there are several pictures, a bar for all of them."""

    def __init__(self, progress: Progress, pictures: int) -> None:
        self._progress = progress
        self._finished = 0
        self._all = progress.add_task("all", total=pictures, note="", visible=pictures > 1)
        self._pictures = pictures

    @contextlib.contextmanager
    def picture(self, name: str) -> Iterator[Callable[[Step], None]]:
        """The bar of one painting; yields the callback for its steps."""
        task = self._progress.add_task(one_line(name), total=1.0, note="")
        number = f"{self._finished + 1} of {self._pictures}"
        self._progress.update(self._all, note=number)

        def on_step(step: Step) -> None:
            self._progress.update(task, completed=step.done, note=f"loss {step.loss:.4g}")
            self._progress.update(self._all, completed=self._finished + step.done)

        try:
            yield on_step
        finally:
            self._progress.remove_task(task)

    def next(self) -> None:
        """The current picture is finished, painted or not."""
        self._finished += 1
        self._progress.update(self._all, completed=self._finished)


@contextlib.contextmanager
def bars(pictures: int) -> Iterator[Bars]:
    """Bars for so many pictures, on standard error, and only if it is a terminal."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
    )
    with _progress(*columns) as progress:
        yield Bars(progress, pictures)


@contextlib.contextmanager
def fetching(what: str) -> Iterator[Any]:
    """A progress bar for a download; yields the callback, which gets (bytes done, bytes in all)."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with _progress(*columns) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)


def _progress(*columns: Any) -> Progress:
    """Text that is printed meanwhile appears above the bars, or goes where standard output is redirected to."""
    terminal, redirect = Terminal(stderr=True), sys.stdout.isatty()
    return Progress(
        *columns, console=terminal, transient=True, redirect_stdout=redirect, disable=not terminal.is_terminal
    )
