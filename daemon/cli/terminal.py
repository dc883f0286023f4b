"""What all commands share: how they print, and which config.yaml they use."""

import errno
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from daemon.text import duration, one_line

if TYPE_CHECKING:
    from daemon.config.models import Config


def say(lines: Iterable[str]) -> None:
    """Print each text on a single line, whatever the names of files in it."""
    text = "\n".join(map(one_line, lines))
    try:
        print(text, flush=True)
    except BrokenPipeError:  # the reader has enough, as in `styled status | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(*lines: str) -> None:
    """Print on standard error why the command ends."""
    from daemon.console.console import complain

    complain(*lines)


def agrees(question: str) -> bool:
    """Whether a person at the terminal says yes; False without a terminal."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    return typer.confirm(one_line(question), err=True)


def chosen(path: Path | None) -> Path:
    """The config.yaml to use: `path`, or the file in this folder, or the service's. If the last two both exist, say
    which is used.

    Raises ConfigError if there is no such file.
    """
    from daemon.config.load import SYSTEM_CONFIG, find

    found = find(path)
    if path is None and found != SYSTEM_CONFIG and os.path.lexists(SYSTEM_CONFIG):
        complain(f"This command uses {found.absolute()}; for the service: --config {SYSTEM_CONFIG}")
    return found


def in_force(path: Path | None) -> "Config":
    """The settings that a command answers by: the settings of the config.yaml that `chosen` finds or, if the daemon
    refused that file as it is now, the settings that the daemon runs with. Then say why the file was refused.

    Raises ConfigError if the file is wrong and no daemon has ever accepted it, PermissionError if this user may not
    read it.
    """
    from daemon.cli.output import NOT_RUNNING, read_status
    from daemon.config.load import load
    from daemon.config.saved import saved_for
    from daemon.errors import ConfigError

    file = chosen(path)
    try:
        config = load(file)
        status = read_status(config.root)
        problems = tuple(status.get("rejected", ()))
        known = saved_for(file) if status["state"] == NOT_RUNNING else None
        if known and known.root != config.root and read_status(known.root)["state"] != NOT_RUNNING:
            complain(f"{file} names another root by now; the daemon works on {known.root} until its next start.")
            return known
    except ConfigError as error:
        problems = error.problems
        if (last := saved_for(file)) is None:
            if not os.access(file, os.R_OK) and not os.access(file.absolute().parent, os.R_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file)) from None
            raise
        config = last
    if problems:
        complain(f"{file} is not in force; this answer is by the settings that the daemon took before:")
        complain(*(f"  {problem}" for problem in problems))
        config = saved_for(file) or config
    return config


def nearest(path: Path | None) -> "Config | None":
    """The settings of the config.yaml that `chosen` finds; None if there is no file and none was named."""
    from daemon.config.load import SYSTEM_CONFIG, load

    there = path or Path("config.yaml").is_file() or SYSTEM_CONFIG.is_file()
    return load(chosen(path)) if there else None


def sum_lines(painted: int, failed: int, seconds: float) -> list[str]:
    """How a run of several pictures ended."""
    many = "1 painting" if painted == 1 else f"{painted:,} paintings"
    return [f"{many} in {duration(seconds)} of painting" + (f"; {failed:,} failed" if failed else "")]
