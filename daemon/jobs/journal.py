"""work/journal: what happened to each photo, one checksummed line per event, appended as it happens.

The folders decide the state of a job; the journal counts and explains. A line is `<CRC-32 in hex> <JSON>`:

    claimed    the photo's sha256, size and mtime_ns, as soon as the photo is in work/
    delivered  the painting and the archived files, {path below the root: [size, mtime_ns]}
    failed     the archived files and the reason; both with `seen`, see seen_time
    returned   put back into the inbox
    counted    how many jobs were delivered and failed of which no file is left (see journal_compaction)

A job's last line, with all lines before it, is durable before the job's folder in work/ goes away. After a crash, a job
may have two last lines; the later line counts. A power loss may leave a torn last line.
"""

import contextlib
import json
import os
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon.jobs.seen_time import SeenTime
from daemon.storage.files import sync, write_all

ENDINGS = ("delivered", "failed", "returned")
COUNTED = "counted"
BLOCK = 1 << 20  # bytes copied at a time
TAIL = 1 << 16  # bytes at the end that are checked before the first line is appended


@dataclass(frozen=True, slots=True)
class Event:
    """One line. `at`: seconds since 1970."""

    at: float
    job: str
    what: str
    facts: dict[str, Any]


@dataclass(slots=True)
class Entry:
    """All that the journal says about one job."""

    job: str
    at: float = 0.0  # of its last event
    state: str = "claimed"
    facts: dict[str, Any] = field(default_factory=dict)


class Journal:
    """Writes the journal of one root. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen_time = SeenTime(path.with_name("clock"))
        self._lock = threading.Lock()
        self._sound = False  # the last line is known to be whole

    def write(self, what: str, job: str, **facts: object) -> None:
        """Append one line. A line that ends its job is durable from here on. Raises OSError if nothing was appended."""
        if what in ENDINGS:
            facts["seen"] = round(self.seen_time.now(), 1)
        data = line(Event(round(time.time(), 3), job, what, facts))
        with self._lock:
            is_new = not self.path.exists()
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o664)
            try:
                if not self._sound:
                    truncate_torn_tail(fd)
                before = os.fstat(fd).st_size
                self._sound = False
                if os.write(fd, data) < len(data):  # the disk is full
                    os.ftruncate(fd, before)
                    os.write(fd, data)  # raises the reason, or succeeds now
                if what in ENDINGS:
                    os.fsync(fd)
                self._sound = True
            finally:
                os.close(fd)
            if is_new:
                sync(self.path.parent)

    def begin(self) -> None:
        """Make an empty journal if there is no journal, so that every reader finds a file. A full disk is no error."""
        with contextlib.suppress(OSError):
            os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o664))

    def sound_length(self) -> int:
        """Cut off a torn last line. Returns the journal's length in bytes, 0 if there is no journal yet."""
        with self._lock:
            try:
                fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
            except FileNotFoundError:
                return 0
            try:
                if not self._sound:
                    truncate_torn_tail(fd)
                    self._sound = True
                return os.fstat(fd).st_size
            finally:
                os.close(fd)

    def replace_prefix(self, path: Path, fd: int, length: int) -> None:
        """Replace the journal's first `length` bytes by the file `path`, open for writing as `fd`: the lines behind
        them are appended to that file, and it gets the journal's name. Raises OSError if nothing was changed."""
        with self._lock, self.path.open("rb") as old:
            old.seek(length)
            while data := old.read(BLOCK):
                write_all(fd, data)
            os.fsync(fd)
            path.replace(self.path)
            sync(path.parent)


def line(event: Event) -> bytes:
    text = json.dumps({"at": event.at, "job": event.job, "what": event.what, **event.facts}, separators=(",", ":"))
    data = text.encode("ascii")
    return b"%08x %s\n" % (zlib.crc32(data), data)


def parse(data: bytes) -> Event | None:
    """The event of a line without its end; None if the line is torn or damaged."""
    with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
        if data[8:9] == b" " and int(data[:8], 16) == zlib.crc32(data[9:]):
            facts = json.loads(data[9:])
            return Event(float(facts.pop("at")), str(facts.pop("job")), str(facts.pop("what")), facts)
    return None


def truncate_torn_tail(fd: int) -> None:
    """Cut off the part of a last line that a crash left, so that the next line begins a new line."""
    length = os.fstat(fd).st_size
    start = max(0, length - TAIL)
    tail = os.pread(fd, TAIL, start)
    if not tail:
        return
    ends = [place + 1 for place, byte in enumerate(tail) if byte == 0x0A]
    begins = [0, *ends[:-1]]
    for begin, end in zip(reversed(begins), reversed(ends), strict=False):
        if parse(tail[begin : end - 1]) is not None:
            if start + end < length:
                os.ftruncate(fd, start + end)
            return
    if start == 0 and not ends:
        os.ftruncate(fd, 0)  # the first line was torn
    elif not tail.endswith(b"\n"):
        os.write(fd, b"\n")  # other damage: nothing is cut, `styled doctor` names the line


def read(path: Path) -> Iterator[tuple[int, Event | None]]:
    """Every line's number, from 1, and event; None for a damaged line. A torn last line is left out."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        damaged: list[int] = []  # only a torn end has no whole line behind it
        for number, data in enumerate(file, start=1):
            event = parse(data.removesuffix(b"\n")) if data.endswith(b"\n") else None
            if event is None:
                damaged.append(number)
                continue
            yield from ((each, None) for each in damaged)
            damaged.clear()
            yield number, event


def entries(path: Path) -> tuple[dict[str, Entry], list[int]]:
    """All jobs by id, in the order of their first lines, and the numbers of damaged lines."""
    found: dict[str, Entry] = {}
    damaged = []
    for number, event in read(path):
        if event is None:
            damaged.append(number)
            continue
        entry = found.setdefault(event.job, Entry(event.job))
        entry.at = event.at
        entry.facts |= event.facts
        if event.what in (*ENDINGS, COUNTED):
            entry.state = event.what
    return found, damaged


def tried_again(jobs: Mapping[str, Entry]) -> set[str]:
    """The failed jobs whose picture, the same file from the same place, was claimed again by a later job."""
    last: dict[tuple[object, object], str] = {}
    for job, entry in jobs.items():
        if "sha256" in entry.facts:
            last[_picture(entry)] = job
    return {job for job, entry in jobs.items() if entry.state == "failed" and last.get(_picture(entry), job) != job}


def _picture(entry: Entry) -> tuple[object, object]:
    return entry.facts.get("sha256"), entry.facts.get("picture")


def split_damaged(path: Path) -> tuple[bytes, bytes]:
    """All sound lines, and all damaged ones."""
    sound, damaged = b"", b""
    for data in path.read_bytes().splitlines(keepends=True):
        if data.endswith(b"\n") and parse(data[:-1]) is not None:
            sound += data
        else:
            damaged += data
    return sound, damaged
