"""Steps in folders that others may write to, at any moment: inbox/, outbox/, done/ and failed/.

Every step goes through a `Folder`, an open descriptor that was reached component by component, so that no link, FIFO or
swapped folder is followed, opened, waited for or overwritten. Files are made in work/, which belongs to the daemon
alone, and leave work/ by a rename that never overwrites. tests/docs/test_architecture.py forbids other ways.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from daemon.storage.files import FOLDER, Handle, inherit_group, sync_folder

DEEPEST = 80  # folders that `walk` goes down; those of an inbox end at 65
_NOREPLACE = 1  # linux/fs.h: RENAME_NOREPLACE
_renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)


class Folder:
    """An open folder. Its steps name an entry by one component; their OSErrors name the whole path."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.fd = fd

    @classmethod
    def open(cls, path: Path) -> Folder:
        """The folder at `path`, which may be reached through links: only the owner of the root can have made those
        links."""
        return cls(path, os.open(path, FOLDER))

    def enter(self, name: str, *, make: bool = False) -> Folder:
        """The folder `name` in this folder. `make`: make the folder durably if it is missing. Raises NotADirectoryError
        if something else, a link for example, has its name."""
        with self._naming(name):
            try:
                fd = self._open_folder(name)
            except FileNotFoundError:
                if not make:
                    raise
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, dir_fd=self.fd)
                fd = self._open_folder(name)
                inherit_group(fd, self.fd)
                self.sync()
        return Folder(self.path / name, fd)

    def _open_folder(self, name: str) -> int:
        try:
            return os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=self.fd)
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                raise NotADirectoryError(errno.ENOTDIR, "a file or a symbolic link is where a folder must be") from None
            raise

    def stat(self, name: str) -> os.stat_result:
        """The entry's own status; a link is not followed."""
        with self._naming(name):
            return os.stat(name, dir_fd=self.fd, follow_symlinks=False)

    def holds(self, name: str) -> bool:
        """Whether any entry has this name."""
        try:
            self.stat(name)
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return False
            raise
        return True

    def stamp(self, name: str) -> tuple[int, int]:
        """(size, mtime_ns): differs if another file was put in the place of this file."""
        status = self.stat(name)
        return status.st_size, status.st_mtime_ns

    def is_stamped(self, name: str, stamp: Sequence[int]) -> bool:
        """Whether the regular file `name` has this stamp."""
        with contextlib.suppress(FileNotFoundError):
            status = self.stat(name)
            return stat.S_ISREG(status.st_mode) and [status.st_size, status.st_mtime_ns] == list(stamp)
        return False

    def file(self, name: str) -> Handle:
        """The regular file `name`, open for reading. Never waits. Raises FileNotFoundError for every other kind."""
        with self._naming(name):
            try:
                handle = Handle(
                    os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.fd)
                )
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.ENXIO):  # a link, a socket
                    raise FileNotFoundError(errno.ENOENT, "it is not a regular file") from None
                raise
            if not stat.S_ISREG(os.fstat(handle.fd).st_mode):
                handle.close()
                raise FileNotFoundError(errno.ENOENT, "it is not a regular file")
            return handle

    def remove(self, name: str) -> None:
        """Remove the entry of this name, which is no folder; of a link, the link itself. Durable after `sync`."""
        with self._naming(name):
            os.unlink(name, dir_fd=self.fd)

    def entries(self) -> list[os.DirEntry[str]]:
        with os.scandir(self.fd) as found:
            return list(found)

    def walk(self, *, hidden: bool = True, depth: int = DEEPEST) -> Iterator[tuple[Folder, str]]:
        """Every regular file here and below, with the open folder that holds the file. Folders that cannot be read are
        passed over, and so are, unless `hidden`, names that begin with a dot."""
        entries: list[os.DirEntry[str]] = []
        with contextlib.suppress(OSError):
            entries = [each for each in self.entries() if hidden or not each.name.startswith(".")]
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                yield self, entry.name
            elif depth and entry.is_dir(follow_symlinks=False):
                try:
                    below = self.enter(entry.name)
                except OSError:
                    continue
                with below:
                    yield from below.walk(hidden=hidden, depth=depth - 1)

    def sync(self) -> None:
        """Make the names in this folder durable."""
        sync_folder(self.fd, self.path)

    @contextlib.contextmanager
    def _naming(self, name: str) -> Iterator[None]:
        if "/" in name or name in ("", ".", ".."):
            raise ValueError(f"{name!r} names no entry of a folder")
        try:
            yield
        except OSError as error:
            error.filename = str(self.path / name)
            raise

    def close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def move(source: Folder, name: str, target: Folder, new: str) -> None:
    """Rename durably. Raises FileExistsError if `target` has an entry `new`."""
    try:
        rename_new(source, name, target, new)
    except FileExistsError:
        ours, theirs = source.stat(name), target.stat(new)
        if not os.path.samestat(ours, theirs) or ours.st_nlink < 2:
            raise
        source.remove(name)  # both names are the same file: a power loss kept only one half of an earlier move
    target.sync()
    if source.path != target.path:
        source.sync()


def rename_new(source: Folder, name: str, target: Folder, new: str) -> None:
    """Rename in one step. Raises FileExistsError if `target` has an entry `new`."""
    if _renameat2 is not None:
        if _renameat2(source.fd, os.fsencode(name), target.fd, os.fsencode(new), _NOREPLACE) == 0:
            return
        code = ctypes.get_errno()
        if code not in (errno.EINVAL, errno.ENOSYS):  # these two: a filesystem or kernel without the flag
            raise OSError(code, os.strerror(code), str(source.path / name), None, str(target.path / new))
    if target.holds(new):  # two steps; only our lock on the root keeps another daemon out between them
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target.path / new))
    replace(source, name, target, new)


def replace(source: Folder, name: str, target: Folder, new: str) -> None:
    """Rename, and replace the entry `new` of `target`; if that is a link, the link itself."""
    os.rename(name, new, src_dir_fd=source.fd, dst_dir_fd=target.fd)


def adopt(file: Handle, folder: Folder) -> None:
    """Give a file that was made elsewhere the group and the access list of a file made in `folder`, as far as styled
    has the right."""
    inherit_group(file.fd, folder.fd)
    if hasattr(os, "getxattr"):
        with contextlib.suppress(OSError):  # the folder has no default list, or its filesystem knows none
            rights = bytearray(os.getxattr(folder.fd, "system.posix_acl_default"))
            for entry in range(4, len(rights), 8):  # linux/posix_acl_xattr.h: version; then tag, rights and id of each
                rights[entry + 2] &= 6  # a picture is no program
            os.setxattr(file.fd, "system.posix_acl_access", bytes(rights))
