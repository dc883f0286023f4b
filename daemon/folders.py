"""The five folders under one root, and the few filesystem steps that every promise rests on.

Each step is durable when it returns: files and the directories that name them are fsynced. Nothing here ever
overwrites: a move onto a name that exists raises FileExistsError.
"""

import contextlib
import ctypes
import errno
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from daemon.errors import ConfigError
from daemon.names import shown

FORMAT = 1  # of work/: the records of jobs and the journal
FULL = (errno.ENOSPC, errno.EDQUOT)
PROBE = ".styled-probe-"
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
        self.journal = self.work / "journal"
        self.version = self.work / "version"

    @property
    def all(self) -> tuple[Path, ...]:
        return (self.inbox, self.outbox, self.failed, self.done, self.work)

    def prepare(self, styles: Iterable[str]) -> None:
        """Make what is missing and prove that files can be made and moved. ConfigError: every folder that fails.
        OSError: the disk is full."""
        problems = []
        for folder in (*self.all, *(self.inbox / style for style in styles)):
            try:
                make(folder)
            except OSError as error:
                if error.errno in FULL:
                    raise  # no fault of the settings
                problems.append(f"root: cannot make the folder {folder}: {error.strerror}; make it, or give rights")
        if problems:
            raise ConfigError(problems)
        if problems := [*self._nested(), *self._unmovable(), *self._format()]:
            raise ConfigError(problems)

    def make(self, folder: Path) -> None:
        """mkdir -p below the root. FileNotFoundError: work/ is gone, and so perhaps is the disk that it was on; then
        nothing is made where that disk was."""
        if not self.work.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.work))
        make(folder)

    def trouble(self) -> str:
        """Why no picture at all can be worked on now, "" if one can. Tries by writing a little."""
        for folder in (self.work, self.inbox):
            if not folder.is_dir():
                return f"{folder} is missing"
        probe = self.work / f"{PROBE}{secrets.token_hex(4)}"
        try:
            write_whole(probe, "." * 4096, probe.with_name(probe.name + ".tmp"))
        except OSError as error:
            return f"nothing can be written in {self.work} ({error.strerror})"
        finally:
            for each in (probe, probe.with_name(probe.name + ".tmp")):
                with contextlib.suppress(OSError):
                    each.unlink()
        return ""

    def locked_out(self, style: str, folder: str) -> str:
        """Where a painting of this style could not be delivered for want of rights, "" if it could."""
        for base in (self.outbox, self.done):
            place = base / style / folder
            if place.is_dir() and not os.access(place, os.W_OK | os.X_OK):
                return f"no right to write in {place}"
        return ""

    def room(self) -> tuple[int, int] | None:
        """Free (bytes, files) in outbox/; None where the filesystem does not say."""
        found = os.statvfs(self.outbox if self.outbox.is_dir() else self.root)
        if not found.f_blocks:
            return None
        return found.f_bavail * found.f_frsize, found.f_favail if found.f_files else 1

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
        for left in (each for folder in self.all for each in folder.glob(f"{PROBE}*")):
            left.unlink(missing_ok=True)  # a start that was killed in between
        probe = self.work / f"{PROBE}{secrets.token_hex(4)}"
        try:
            probe.touch(exist_ok=False)
        except OSError as error:
            if error.errno in FULL:
                raise
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

    def _format(self) -> list[str]:
        """Claim work/ for this version, or refuse one that a newer styled has written."""
        try:
            if not self.version.exists():
                write_whole(self.version, f"{FORMAT}\n", self.work / ".version.tmp")
                return []
            found = self.version.read_text(errors="replace").strip()
        except OSError as error:
            if error.errno in FULL:
                raise
            return [f"root: {self.version} cannot be read or made: {error.strerror}"]
        if found == str(FORMAT):
            return []
        return [f"root: {self.work} has format {shown(found[:20])}, and this styled knows {FORMAT}; use the newer one"]


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
        adopt(each, each.parent)
        sync(each.parent)


def adopt(made: int | Path, folder: Path) -> None:
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


def write_whole(path: Path, text: str, temporary: Path) -> None:
    """Write `path` so that it holds the old text or the new, never a part. `temporary` lies beside it. OSError:
    nothing has changed."""
    with made_anew(temporary, 0o666) as fd:
        write_all(fd, text.encode("utf-8", "surrogateescape"))
        os.fsync(fd)
    temporary.replace(path)
    sync(path.parent)


@contextlib.contextmanager
def made_anew(path: Path, mode: int) -> Iterator[int]:
    """`path`, empty, open to write, and of its folder's group; after an OSError it is gone again."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        adopt(fd, path.parent)
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
