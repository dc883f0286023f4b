"""One daemon per root, also if two hosts share the root."""

import contextlib
import fcntl
import os
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path

from daemon.errors import ConfigError, StartLater
from daemon.storage.files import Handle

BEATS = 10  # seconds: an idle daemon writes its status every 5 s (status.HEARTBEAT_SECONDS)


class Lock:
    """A lock on a file, which ends with its process; no child inherits the lock. Some filesystems do not show a lock to
    other hosts. There, a daemon of another host is recognised by its heartbeat: it keeps rewriting status.json beside
    the lock."""

    def __init__(self, path: Path, wait: Callable[[float], object] = time.sleep) -> None:
        self.path = path
        self._wait = wait
        self._fd = -1

    def acquire(self) -> None:
        """Raises StartLater if another daemon has this root, ConfigError if the file cannot be opened, OSError if its
        folder is missing."""
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except PermissionError as error:
            raise ConfigError([f"root: {self.path} cannot be opened: {error.strerror}; give rights"]) from None
        try:
            if holder := self._holder(fd, fcntl.LOCK_EX):
                root = self.path.parent.parent
                raise StartLater([f"root: {root} is already looked after by {holder}; stop that daemon first"])
            with contextlib.suppress(OSError):  # on a full disk others do not learn our name
                os.ftruncate(fd, 0)
                os.pwrite(fd, f"styled, process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd

    def release(self) -> None:
        if self._fd >= 0:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = -1

    @property
    def acquired(self) -> bool:
        return self._fd >= 0

    def is_held(self) -> bool:
        """Whether a process, on this host or another one, holds the lock now."""
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return False
        try:
            return bool(self._holder(fd, fcntl.LOCK_SH))
        finally:
            os.close(fd)

    def is_ours(self) -> bool:
        """Whether the file that we hold is still the file that another daemon would try, which is false once work/ was
        replaced."""
        try:
            return os.path.samestat(os.fstat(self._fd), self.path.stat())
        except OSError:
            return False

    def _holder(self, fd: int, how: int) -> str:
        """Who else holds the lock; "" if the lock was free: `fd` holds it now, if the filesystem has locks."""
        holder = os.pread(fd, 200, 0).decode(errors="replace").strip()
        is_trusted = True
        try:
            fcntl.flock(fd, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return holder or "another process"
        except OSError:  # a filesystem without locks
            is_trusted = False
        return holder if holder and not (is_trusted and _is_here(holder)) and self._beats() else ""

    def _beats(self) -> bool:
        """Whether the holder is still at work, that is, has not signed off."""
        before = self._heartbeat()
        for _ in range(BEATS):
            self._wait(1.0)
            if self._heartbeat() != before:
                return True
        return False

    def _heartbeat(self) -> tuple[int, int] | None:
        try:  # open, not stat: a network filesystem asks its server again for an open
            file = Handle.open(self.path.with_name("status.json"), os.O_RDONLY)
            status = os.fstat(file.fd)
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns


def _is_here(holder: str) -> bool:
    """Whether the holder runs or ran on this host. The locks of this host end with their processes."""
    host = re.search(r" on (\S+)$", holder)
    return host is None or host[1] == socket.gethostname()
