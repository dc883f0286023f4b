"""What every command says on the terminal, and which config.yaml it uses."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.text import duration, one_line

if TYPE_CHECKING:
    from daemon.config.models import Config


def say(lines: Iterable[str]) -> None:
    """Print each on one line, whatever the names of files in it."""
    print("\n".join(map(one_line, lines)))


def complain(*lines: str) -> None:
    """Print on standard error what ends the command."""
    from daemon.console.console import complain

    complain(*lines)


def chosen(path: Path | None) -> Path:
    """The config.yaml to use: `path`, or the one here, or the service's. Where both are there, say which is used.

    Raises ConfigError if there is none.
    """
    from daemon.config.load import SYSTEM_CONFIG, find

    found = find(path)
    if path is None and found != SYSTEM_CONFIG and os.path.lexists(SYSTEM_CONFIG):
        complain(f"This command uses {found.absolute()}; for the service: --config {SYSTEM_CONFIG}")
    return found


def nearest(path: Path | None) -> "Config | None":
    """The settings of the config.yaml that `chosen` finds; None if there is none and none was named."""
    from daemon.config.load import SYSTEM_CONFIG, load

    there = path or Path("config.yaml").is_file() or SYSTEM_CONFIG.is_file()
    return load(chosen(path)) if there else None


def sum_lines(painted: int, failed: int, seconds: float) -> list[str]:
    """How a run of several pictures ended."""
    many = "1 painting" if painted == 1 else f"{painted:,} paintings"
    return [f"{many} in {duration(seconds)} of painting" + (f"; {failed:,} failed" if failed else "")]
