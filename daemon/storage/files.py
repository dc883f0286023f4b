"""Steps on the daemon's own files, and what all steps on files share: durable writes, free names, open files.

Paths are used for what belongs to the daemon alone: work/, the root and the folders right below it. In folders that
others may write to, every step goes through `folder.Folder`. `make` and a durable `write_atomically` are on the disk
when they return: the files and the folders that name them are fsynced.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from daemon.events import Event, about
from daemon.text import escape

log = logging.getLogger("styled")

FULL = (errno.ENOSPC, errno.EDQUOT)
NAME_MAX = 255  # bytes of a name, on most filesystems; filesystems that encrypt names allow fewer
BLOCK = 1 << 20  # bytes hashed at a time
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# errors by which filesystems say that they cannot fsync a folder
_REFUSALS = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EBADF)
_unsynced: set[int] = set()  # devices whose refusal was logged


def sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, FOLDER)
    try:
        sync_folder(fd, folder)
    finally:
        os.close(fd)


def sync_folder(fd: int, path: Path) -> None:
    """fsync an open folder; `path` is its name in the log. Where the filesystem cannot do that (older SMB, sshfs), a
    line of the log says once what is not promised there. Raises OSError if the disk fails."""
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        device, name = os.fstat(fd).st_dev, escape(str(path))
        if device not in _unsynced:
            _unsynced.add(device)
            said = "the disk of %s does not sync folders (%s): a power loss may undo the last moves of files there"
            log.warning(said, name, error.strerror, extra=about(Event.UNSYNCED, path=name))


def make(folder: Path) -> None:
    """mkdir -p that survives a power loss."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(exist_ok=True)  # a file of that name is an error, a folder that appeared meanwhile is not
        parent = os.open(each.parent, FOLDER)
        try:
            made = Handle(os.open(each, FOLDER))
            inherit_group(made.fd, parent)
            sync_folder(parent, each.parent)
        finally:
            os.close(parent)


def inherit_group(made: int, folder: int | Path) -> None:
    """Give a new file or folder the group of its folder, if styled has the right, so that the people who share the
    folder can use it."""
    group = os.stat(folder).st_gid
    if os.fstat(made).st_gid != group:
        with contextlib.suppress(OSError):
            os.chown(made, -1, group)


def write_atomically(
    path: Path, data: str | bytes | memoryview, *, durable: bool, temporary: Path | None = None
) -> None:
    """Replace `path` so that readers find the old content or the new content, never a part of either.

    `durable`: the new content survives a power loss from here on. `temporary`: the hidden file on the same filesystem
    that is written first; by default `.NAME.tmp` beside `path`. Raises OSError if nothing was changed.
    """
    temporary = temporary or path.with_name(f".{path.name}.tmp")
    with truncated_file(temporary, 0o666) as fd:
        write_all(fd, data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data)
        if durable:
            os.fsync(fd)
        temporary.replace(path)
    if durable:
        sync(path.parent)


@contextlib.contextmanager
def truncated_file(path: Path, mode: int) -> Iterator[int]:
    """The descriptor of `path`, empty, open for writing, in the group of its folder. An exception removes the file."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        inherit_group(fd, path.parent)
        yield fd
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink()
        raise
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write every byte, in as many writes as the system needs. Raises OSError, after which some bytes may be
    written."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def free_name(name: str, is_free: Callable[[str], bool], longest_extra: int = 0, longest: int = NAME_MAX) -> str:
    """The first free name of `name`, `stem-2.ext`, `stem-3.ext` …. The stem is cut so that the name and
    `longest_extra` more bytes fit in `longest` bytes."""
    stem, ext = os.path.splitext(name)
    number = 1
    while True:
        tail = ("" if number == 1 else f"-{number}") + ext
        room = longest - longest_extra - len(os.fsencode(tail))
        while len(os.fsencode(stem)) > room:
            stem = stem[:-1]
        if is_free(stem + tail):
            return stem + tail
        number += 1


def sha256(fd: int) -> str:
    """SHA-256 of an open file, 64 hexadecimal digits. The descriptor's offset does not move. Raises OSError."""
    total, offset = hashlib.sha256(), 0
    while block := os.pread(fd, BLOCK, offset):
        total.update(block)
        offset += len(block)
    return total.hexdigest()


class Handle:
    """An open file descriptor, which is closed when its last owner goes. `daemon.processes` can send it to a child."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    @classmethod
    def open(cls, path: os.PathLike[str] | str, flags: int, mode: int = 0o666) -> Handle:
        """Open `path` with the flags of os.open. A link as the last component is not followed: OSError."""
        return cls(os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, mode))

    def file(self, mode: str = "rb") -> BinaryIO:
        """A binary file object on a duplicate: closing the object leaves this handle open; both share the offset."""
        duplicate: Any = os.fdopen(os.dup(self.fd), mode)
        return duplicate  # type: ignore[no-any-return]

    def close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            self.close()
