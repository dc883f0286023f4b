"""What the page shows beside the paintings: its title, the styles' pictures, and the photos that wait or failed."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from daemon.storage.files import Handle
from daemon.storage.folder import Folder
from daemon.text import escape

SHOWN = 50  # photos of each kind that the page names
READ = 4096  # bytes of a reason


@dataclass(frozen=True, slots=True)
class Board:
    """The page's facts as the daemon knows them now. Names are below inbox/, escaped."""

    title: str = "Paintings"
    styles: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)  # the pictures of each style
    running: bool = True  # False in the last page before a daemon ends
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


def failures(failed: Folder) -> list[Failure]:
    """The photos in failed/ that have a reason beside them, the newest first."""
    return sorted(_failures(failed), key=lambda each: each.at, reverse=True)


def _failures(failed: Folder) -> Iterator[Failure]:
    for folder, name in failed.walk(hidden=False):
        photo = name.removesuffix(".txt")
        try:
            if photo == name or not folder.holds(photo):
                continue
            text, at = _read(folder.file(name))
        except OSError:
            continue
        lines = [line.strip() for line in text.splitlines()]  # as reason_text in jobs/delivery.py writes them
        reason = " ".join(line for line in lines[2:4] if line) or " ".join(lines[:1])
        yield Failure(escape(os.path.relpath(folder.path / photo, failed.path)), escape(reason), at)


def _read(file: Handle) -> tuple[str, int]:
    """The beginning of a file, and when it was written."""
    return os.pread(file.fd, READ, 0).decode("utf-8", "replace"), round(os.fstat(file.fd).st_mtime)
