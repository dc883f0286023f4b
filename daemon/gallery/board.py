"""What the page shows beside the paintings: its title, the styles' pictures, and the photos that wait or failed."""

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from daemon.storage.files import Handle
from daemon.text import escape

SHOWN = 50  # photos of each kind that the page names
READ = 4096  # bytes of a reason


@dataclass(frozen=True, slots=True)
class Board:
    """As the daemon knows it now. Names are below inbox/, escaped."""

    title: str = "Paintings"
    styles: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)  # the pictures of each
    running: bool = True  # False in the last page of a daemon that ends
    working: tuple[str, ...] = ()  # photos in hand
    waiting: int = 0  # photos in the inbox
    upcoming: tuple[str, ...] = ()  # the first of them
    growing: tuple[tuple[str, str], ...] = ()  # photos that are not complete, each with the reason
    trouble: str = ""  # why nothing is painted although photos wait
    failures: int = 0  # photos that failed since the daemon started


@dataclass(frozen=True, slots=True)
class Failure:
    """A photo in failed/."""

    name: str  # below failed/, escaped
    reason: str  # one line, escaped
    at: int  # seconds since 1970


def failures(failed: Path) -> list[Failure]:
    """The photos in failed/ that have a reason beside them, the newest first."""
    return sorted(_failures(failed), key=lambda each: each.at, reverse=True)


def _failures(failed: Path) -> Iterator[Failure]:
    for folder, folders, names in os.walk(failed):
        folders[:] = [name for name in folders if not name.startswith(".")]
        there = set(names)
        for name in names:
            photo = name.removesuffix(".txt")
            if photo == name or photo not in there:
                continue
            try:
                text, at = _read(Path(folder, name))
            except OSError:
                continue
            lines = [line.strip() for line in text.splitlines()]  # reason_text in jobs/delivery.py wrote them
            reason = " ".join(line for line in lines[2:4] if line) or " ".join(lines[:1])
            yield Failure(escape(os.path.relpath(os.path.join(folder, photo), failed)), escape(reason), at)


def _read(path: Path) -> tuple[str, int]:
    """The beginning of a regular file, and when it was written. Raises OSError."""
    file = Handle.open(path, os.O_RDONLY | os.O_NONBLOCK)
    status = os.fstat(file.fd)
    if not stat.S_ISREG(status.st_mode):
        raise FileNotFoundError(path)
    return os.pread(file.fd, READ, 0).decode("utf-8", "replace"), round(status.st_mtime)
