"""What every command says on the terminal, and which config.yaml it uses."""

import os
from collections.abc import Iterable
from pathlib import Path

from daemon.text import one_line


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
