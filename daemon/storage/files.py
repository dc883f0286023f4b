"""The five folders under one root, and the few filesystem steps that every promise rests on.

Each step is durable when it returns: files and the directories that name them are fsynced. Nothing here ever
overwrites: a move onto a name that exists raises FileExistsError.
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
NAME_MAX = 255  # bytes of one name, on every filesystem we know
_NOREPLACE = 1  # linux/fs.h: RENAME_NOREPLACE
_AT_FDCWD = -100
_renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)


def sync(path: Path) -> None:
    """fsync a file or a directory."""
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
        each.mkdir(exist_ok=True)  # a file of that name is an error, a folder made meanwhile is not
        inherit_group(each, each.parent)
        sync(each.parent)


def inherit_group(made: int | Path, folder: Path) -> None:
    """Give what was made in `folder` that folder's group, if we may, so that whoever shares it can use it."""
    group = folder.stat().st_gid
    if os.stat(made).st_gid != group:
        with contextlib.suppress(PermissionError):
            os.chown(made, -1, group)


def move(source: Path, target: Path) -> None:
    """Rename, never onto an existing name (FileExistsError), and make both directories durable."""
    try:
        rename_new(source, target)
    except FileExistsError:
        if not os.path.samestat(source.lstat(), target.lstat()) or source.lstat().st_nlink < 2:
            raise
        source.unlink()  # a power loss made only one half of an earlier move durable
    sync(target.parent)
    if source.parent != target.parent:
        sync(source.parent)


def rename_new(source: Path, target: Path) -> None:
    """Rename in one step that fails with FileExistsError when `target` exists."""
    if _renameat2 is not None:
        paths = os.fsencode(source), os.fsencode(target)
        if _renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _NOREPLACE) == 0:
            return
        code = ctypes.get_errno()
        if code not in (errno.EINVAL, errno.ENOSYS):  # those: a filesystem or kernel without the flag
            raise OSError(code, os.strerror(code), str(source), None, str(target))
    if os.path.lexists(target):  # two steps; only our own lock on the root stands between them
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    source.rename(target)


def write_atomically(path: Path, text: str, temporary: Path) -> None:
    """Write `path` so that it holds the old text or the new, never a part. `temporary` lies beside it. OSError:
    nothing has changed."""
    with truncated_file(temporary, 0o666) as fd:
        write_all(fd, text.encode("utf-8", "surrogateescape"))
        os.fsync(fd)
    temporary.replace(path)
    sync(path.parent)


@contextlib.contextmanager
def truncated_file(path: Path, mode: int) -> Iterator[int]:
    """`path`, empty, open to write, and of its folder's group; after an OSError it is gone again."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        inherit_group(fd, path.parent)
        yield fd
    except OSError:
        with contextlib.suppress(OSError):
            path.unlink()
        raise
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes) -> None:
    """Every byte, in as many writes as it takes. OSError: some may have been written."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def free_name(name: str, is_free: Callable[[str], bool], longest_extra: int = 0) -> str:
    """`name`, or `stem-2.ext`, `stem-3.ext` …: the first that is free. Stems are cut so that the name and
    `longest_extra` more bytes fit in 255."""
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


BLOCK = 1 << 20  # bytes hashed at a time


def sha256(fd: int) -> str:
    """Of a whole open file, 64 hexadecimal digits; the descriptor's offset stays where it is. OSError."""
    total, offset = hashlib.sha256(), 0
    while block := os.pread(fd, BLOCK, offset):
        total.update(block)
        offset += len(block)
    return total.hexdigest()


class Handle:
    """An open file descriptor that is closed with its last owner and that `processes` can send along."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    @classmethod
    def open(cls, path: os.PathLike[str] | str, flags: int, mode: int = 0o666) -> Handle:
        """Open `path` by os.open's flags, never following a link in its last component."""
        return cls(os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, mode))

    def file(self, mode: str = "rb") -> BinaryIO:
        """A binary file object on a duplicate: closing it leaves this handle open; the offset is shared."""
        duplicate: Any = os.fdopen(os.dup(self.fd), mode)
        return duplicate  # type: ignore[no-any-return]

    def close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            self.close()
