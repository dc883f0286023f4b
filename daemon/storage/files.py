"""The few filesystem steps that every promise rests on.

`make`, `move` and a durable `write_atomically` are on the disk when they return: the files and the folders that name
them are fsynced. `move` and `rename_new` never overwrite: they raise FileExistsError if the target exists.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

FULL = (errno.ENOSPC, errno.EDQUOT)
NAME_MAX = 255  # bytes of one name, on every filesystem that we know
BLOCK = 1 << 20  # bytes hashed at a time
_NOREPLACE = 1  # linux/fs.h: RENAME_NOREPLACE
_AT_FDCWD = -100
_renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)


def sync(path: Path) -> None:
    """fsync a file or a folder."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make(folder: Path) -> None:
    """mkdir -p that survives a power loss."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(exist_ok=True)  # a file of that name is an error, a folder that appeared meanwhile is not
        inherit_group(each, each.parent)
        sync(each.parent)


def inherit_group(made: int | Path, folder: Path) -> None:
    """Give a new file or folder the group of its `folder`, if we may: people who share the folder can then use it."""
    group = folder.stat().st_gid
    if os.stat(made).st_gid != group:
        with contextlib.suppress(OSError):
            os.chown(made, -1, group)


def move(source: Path, target: Path) -> None:
    """Rename durably. Raises FileExistsError if `target` exists."""
    try:
        rename_new(source, target)
    except FileExistsError:
        if not os.path.samestat(source.lstat(), target.lstat()) or source.lstat().st_nlink < 2:
            raise
        source.unlink()  # both names are the same file: a power loss kept only one half of an earlier move
    sync(target.parent)
    if source.parent != target.parent:
        sync(source.parent)


def rename_new(source: Path, target: Path) -> None:
    """Rename in one step. Raises FileExistsError if `target` exists."""
    if _renameat2 is not None:
        paths = os.fsencode(source), os.fsencode(target)
        if _renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _NOREPLACE) == 0:
            return
        code = ctypes.get_errno()
        if code not in (errno.EINVAL, errno.ENOSYS):  # these two: a filesystem or kernel without the flag
            raise OSError(code, os.strerror(code), str(source), None, str(target))
    if os.path.lexists(target):  # two steps; only our lock on the root keeps another daemon out between them
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    source.rename(target)


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
    """Write every byte, in as many writes as the system needs. Raises OSError; some bytes may then be written."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def free_name(name: str, is_free: Callable[[str], bool], longest_extra: int = 0) -> str:
    """The first free name of `name`, `stem-2.ext`, `stem-3.ext` …. The stem is cut so that the name and
    `longest_extra` more bytes fit in 255 bytes."""
    stem, ext = os.path.splitext(name)
    number = 1
    while True:
        tail = ("" if number == 1 else f"-{number}") + ext
        room = NAME_MAX - longest_extra - len(os.fsencode(tail))
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
    """An open file descriptor. It is closed with its last owner; `daemon.processes` can send it to a child."""

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
