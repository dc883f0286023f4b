"""The five folders as a user sees them: files dropped, files found, and whether everything adds up."""

import os
from collections.abc import Callable
from pathlib import Path

from daemon.config.load import load
from daemon.jobs.audit import examine
from tests.support.samples import jpeg


def drop(root: Path, *names: str, style: str = "alpha", content: bytes = b"", end: bytes = b"") -> None:
    """Photos in the inbox, each another picture unless `content` is given; `end` is appended to each."""
    for number, name in enumerate(names):
        path = root / "inbox" / style / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((content or jpeg(seed=number)) + end)


def below(folder: Path) -> list[Path]:
    """Every file below, while a daemon works there: a folder that goes meanwhile is passed over; rglob fails at it."""
    return [Path(parent, name) for parent, _, found in os.walk(folder) for name in found]


def files(root: Path, *folders: str) -> set[str]:
    """Paths below `root` of every file in these folders, except the gallery's."""
    found = {str(path.relative_to(root)) for folder in folders for path in below(root / folder)}
    return {path for path in found if not path.startswith("outbox/.gallery/") and path != "outbox/index.html"}


def names(folder: Path) -> set[str]:
    """Paths below `folder` of every file in it, except the gallery's."""
    return {path.partition("/")[2] for path in files(folder.parent, folder.name)}


def leftovers(root: Path) -> set[str]:
    """The files of jobs in work/; the daemon's own files lie at its top."""
    return {path for path in files(root, "work") if path.count("/") > 1}


def painted(root: Path, name: str, style: str = "alpha") -> Callable[[], bool]:
    """Whether this painting lies in the outbox, as a condition to wait for."""
    return (root / "outbox" / style / name).exists


def adds_up(root: Path) -> None:
    """`styled doctor` counts every photo and finds nothing wrong."""
    report = examine(load(root / "config.yaml"))
    assert report.adds_up, report
    assert not report.findings
