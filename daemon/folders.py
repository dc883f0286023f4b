"""The five folders under one root, and the few filesystem steps that every promise rests on.

Each step is durable when it returns: files and the directories that name them are fsynced. Nothing here ever
overwrites: a move onto a name that exists raises FileExistsError.
"""

import ctypes
import errno
import fcntl
import os
import secrets
import socket
from collections.abc import Callable, Iterable
from pathlib import Path

from daemon.errors import ConfigError

NAME_MAX = 255  # bytes of one name, on every filesystem we know
_NOREPLACE = 1  # linux/fs.h: RENAME_NOREPLACE
_AT_FDCWD = -100
_renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)


class Folders:
    """Where everything lies. Making the object touches nothing; `prepare` makes the folders and tries them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.inbox = root / "inbox"
        self.outbox = root / "outbox"
        self.failed = root / "failed"
        self.done = root / "done"
        self.work = root / "work"

    @property
    def all(self) -> tuple[Path, ...]:
        return (self.inbox, self.outbox, self.failed, self.done, self.work)

    def prepare(self, styles: Iterable[str]) -> None:
        """Make what is missing and prove that files can be made and moved. ConfigError: every folder that fails."""
        problems = []
        for folder in (*self.all, *(self.inbox / style for style in styles)):
            try:
                make(folder)
            except OSError as error:
                problems.append(f"root: cannot make the folder {folder}: {error.strerror}; make it, or give rights")
        if problems:
            raise ConfigError(problems)
        if problems := [*self._nested(), *self._unmovable()]:
            raise ConfigError(problems)

    def problems(self) -> list[str]:
        """What `prepare` would refuse of the folders that exist, without making any."""
        if not self.root.exists():
            return []
        return [*self._nested(), *self._rights()]

    def _nested(self) -> list[str]:
        real = {folder: folder.resolve() for folder in self.all}
        return [
            f"root: {inner} lies inside {outer} (by way of a link?); each of the five folders must be its own"
            for outer in self.all
            for inner in self.all
            if inner != outer and real[inner].is_relative_to(real[outer])
        ]

    def _rights(self) -> list[str]:
        return [
            f"root: no right to write in {folder}; give it to the user that runs styled"
            for folder in self.all
            if folder.exists() and not os.access(folder, os.R_OK | os.W_OK | os.X_OK)
        ]

    def _unmovable(self) -> list[str]:
        """Rights lie (root, read-only mounts, ACLs), so a file is really made in work/ and moved everywhere."""
        problems = []
        probe = self.work / f".probe-{secrets.token_hex(4)}"
        try:
            probe.touch(exist_ok=False)
        except OSError as error:
            return [f"root: cannot write in {self.work}: {error.strerror}; give rights to the user that runs styled"]
        for folder in (self.inbox, self.outbox, self.failed, self.done):
            target = folder / probe.name
            try:
                probe.rename(target)
                target.rename(probe)
            except OSError as error:
                if error.errno == errno.EXDEV:
                    why = "they are on different filesystems; the whole root must be one filesystem"
                else:
                    why = f"{error.strerror}; give rights to the user that runs styled"
                problems.append(f"root: cannot move files between {self.work} and {folder}: {why}")
        probe.unlink(missing_ok=True)
        return problems


class Lock:
    """One daemon per root: the lock dies with its process and no child inherits it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1

    def acquire(self) -> None:
        """ConfigError, naming the holder: another daemon has this root."""
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(fd, 200).decode(errors="replace").strip() or "another process"
            os.close(fd)
            raise ConfigError(
                [f"root: {self.path.parent.parent} is already looked after by {holder}; stop that daemon first"]
            ) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"styled, process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        self._fd = fd

    def release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    @property
    def acquired(self) -> bool:
        return self._fd >= 0

    def is_held(self) -> bool:
        """Whether some process holds it now."""
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(fd)
        return False


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
        sync(each.parent)


def move(source: Path, target: Path) -> None:
    """Rename, never onto an existing name (FileExistsError), and make both directories durable."""
    rename_new(source, target)
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


def write_whole(path: Path, text: str, temporary: Path) -> None:
    """Write `path` so that it holds the old text or the new, never a part. `temporary` lies beside it."""
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    with os.fdopen(fd, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
        file.flush()
        os.fsync(fd)
    temporary.replace(path)
    sync(path.parent)


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
