"""The journal stays as long as what there is to explain: the lines of jobs of which nothing lies in done/ or failed/
any more give way to one line that counts them. What is kept is kept byte for byte.

It begins beside a daemon at work: what is appended meanwhile goes behind what was kept, and the new journal takes the
old one's name in one step.
"""

import os
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from daemon.jobs.journal import COUNTED, ENDINGS, Entry, Event, Journal, line, parse
from daemon.storage.files import truncated_file, write_all
from daemon.storage.layout import Folders

BLOCK = 1 << 20  # bytes written at a time
COUNTS = ("delivered", "failed", "gone")


def compact(journal: Journal, folders: Folders) -> int:
    """Returns how many jobs' lines went; none go from a journal with damaged lines, which `styled doctor` names.
    OSError: nothing has changed."""
    length = journal.mended()
    closed = _closed(journal.path, length, folders) if length else {}
    if len(closed) < 2:  # one line for one or two would save nothing
        return 0
    temporary = leftover(folders)
    with truncated_file(temporary, 0o664) as fd:
        write_all(fd, line(Event(round(time.time(), 3), "", COUNTED, _counts(closed))))
        block = b""
        for data, event in _lines(journal.path, length):
            if event is not None and event.job not in closed:
                block += data
            if len(block) > BLOCK:
                write_all(fd, block)
                block = b""
        write_all(fd, block)
        journal.exchange(temporary, fd, length)
    return len(closed)


def leftover(folders: Folders) -> Path:
    """What a crash in the middle leaves; it means nothing."""
    return folders.work / f".{folders.journal.name}.tmp"


def _closed(path: Path, length: int, folders: Folders) -> dict[str, Entry]:
    """The jobs that are over and have no file left, and the counts of those before them; none if a line is damaged.

    A job whose folder is still in work/ may end once more after a crash. None does that is closed now.
    """
    ended: dict[str, Entry] = {}
    for _, event in _lines(path, length):
        if event is None:
            return {}
        if event.what in (*ENDINGS, COUNTED):
            kept = {name: event.facts[name] for name in ("files", *COUNTS) if name in event.facts}
            ended[event.job] = Entry(event.job, event.at, event.what, kept)
    at_work = {entry.name for entry in os.scandir(folders.work) if entry.is_dir()}
    return {
        job: entry
        for job, entry in ended.items()
        if job not in at_work and not any(is_there(folders.root / name, its) for name, its in _files(entry).items())
    }


def _counts(closed: dict[str, Entry]) -> dict[str, int]:
    total = dict.fromkeys(COUNTS, 0)
    for entry in closed.values():
        if entry.state == COUNTED:
            for name in COUNTS:
                total[name] += entry.facts[name]
        elif entry.state != "returned":
            total[entry.state] += 1
            total["gone"] += len(_files(entry))
    return total


def _files(entry: Entry) -> dict[str, Sequence[int]]:
    found: dict[str, Sequence[int]] = entry.facts.get("files", {})
    return found


def is_there(path: Path, its: Sequence[int]) -> bool:
    """Whether the file of that (size, mtime_ns) still lies there."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and [status.st_size, status.st_mtime_ns] == list(its)


def _lines(path: Path, length: int) -> Iterator[tuple[bytes, Event | None]]:
    with path.open("rb") as file:
        while file.tell() < length:
            data = file.readline()
            yield data, parse(data.removesuffix(b"\n"))
