"""Compaction keeps the journal short: a single line with counts replaces the lines of all jobs that have no file left
in done/ or failed/. All other lines are kept byte for byte.

Compaction runs while the daemon works: lines that are appended meanwhile go behind the kept lines, and the new journal
replaces the old journal in one step.
"""

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from daemon.jobs.journal import COUNTED, ENDINGS, Entry, Event, Journal, line, parse, tried_again
from daemon.storage.files import truncated_file, write_all
from daemon.storage.layout import Folders

BLOCK = 1 << 20  # bytes written at a time
KEPT = ("files", "sha256", "picture", "size", "mtime_ns", "delivered", "failed", "gone")  # facts that are needed here
COUNTS = ("delivered", "failed", "gone")


def compact(journal: Journal, folders: Folders) -> int:
    """Returns how many jobs' lines were removed: 0 if a line is damaged, which `styled doctor` reports. Raises OSError
    if nothing was changed."""
    length = journal.sound_length()
    closed = _closed(journal.path, length, folders) if length else {}
    if len(closed) < 2:  # the counting line would save nothing
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
        journal.replace_prefix(temporary, fd, length)
    return len(closed)


def leftover(folders: Folders) -> Path:
    """The temporary file that a crash during compaction leaves; it may be removed."""
    return folders.work / f".{folders.journal.name}.tmp"


def _closed(path: Path, length: int, folders: Folders) -> dict[str, Entry]:
    """The ended jobs without a file left, and earlier counting lines; nothing if a line is damaged. A job with a folder
    in work/ is not among them: after a crash the job may end again. Nor is a failed job whose picture is about to be
    tried again: the picture is counted once, with the later job."""
    jobs: dict[str, Entry] = {}
    for _, event in _lines(path, length):
        if event is None:
            return {}
        entry = jobs.setdefault(event.job, Entry(event.job))
        entry.facts |= {name: event.facts[name] for name in KEPT if name in event.facts}
        if event.what in (*ENDINGS, COUNTED):
            entry.state = event.what
    again = tried_again(jobs)
    at_work = {entry.name for entry in os.scandir(folders.work) if entry.is_dir()}
    closed = {
        job: entry
        for job, entry in jobs.items()
        if entry.state != "claimed" and job not in at_work and not _has_files(folders, entry)
    }
    for job in again & closed.keys():
        closed[job].state = "returned"  # its picture is counted with the later job
    failed = {job for job, entry in closed.items() if entry.state == "failed"}
    if failed and (stamps := _waiting(folders)):
        failed = {job for job in failed if (closed[job].facts.get("size"), closed[job].facts.get("mtime_ns")) in stamps}
        return {job: entry for job, entry in closed.items() if job not in failed}
    return closed


def _waiting(folders: Folders) -> set[tuple[int, int]]:
    """(size, mtime_ns) of each file in inbox/ and in work/."""
    found = set()
    for top in (folders.inbox, folders.work):  # in the order in which a photo moves, so that no photo is missed
        with folders.enter(top) as place:
            for folder, name in place.walk():
                with contextlib.suppress(FileNotFoundError):
                    found.add(folder.stamp(name))
    return found


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


def _has_files(folders: Folders, entry: Entry) -> bool:
    return any(is_there(folders, folders.root / name, stamp) for name, stamp in _files(entry).items())


def _files(entry: Entry) -> dict[str, Sequence[int]]:
    found: dict[str, Sequence[int]] = entry.facts.get("files", {})
    return found


def is_there(folders: Folders, path: Path, stamp: Sequence[int]) -> bool:
    """Whether the file with this stamp, (size, mtime_ns), still lies at `path`, behind no link."""
    try:
        with folders.enter(path.parent) as folder:
            return folder.is_stamped(path.name, stamp)
    except (OSError, ValueError):
        return False


def _lines(path: Path, length: int) -> Iterator[tuple[bytes, Event | None]]:
    with path.open("rb") as file:
        while file.tell() < length:
            data = file.readline()
            yield data, parse(data.removesuffix(b"\n"))
