"""One daemon per root, also when two hosts share it."""

import contextlib
import fcntl
import os
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path

from daemon.errors import ConfigError

BEATS = 10  # seconds: an idle daemon writes its status every 5 s (status.HEARTBEAT_SECONDS)


class Lock:
    """It dies with its process and no child inherits it. On filesystems that keep locks to the host that took
    them, another host's daemon is known by its heartbeat: status.json beside the lock, which it keeps writing."""

    def __init__(self, path: Path, wait: Callable[[float], object] = time.sleep) -> None:
        self.path = path
        self._wait = wait
        self._fd = -1

    def acquire(self) -> None:
        """ConfigError: another daemon has this root, or the file cannot be opened. OSError: its folder is missing."""
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except PermissionError as error:
            raise ConfigError([f"root: {self.path} cannot be opened: {error.strerror}; give rights"]) from None
        try:
            if holder := self._holder(fd, fcntl.LOCK_EX):
                raise self._refusal(holder)
            with contextlib.suppress(OSError):  # a full disk: then nobody learns our name
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
        """Whether some process, here or on another host, holds it now."""
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            return bool(self._holder(fd, fcntl.LOCK_SH))
        finally:
            os.close(fd)

    def is_ours(self) -> bool:
        """Whether the file that we hold still is the one that others would try: work/ may have been made anew."""
        try:
            return os.path.samestat(os.fstat(self._fd), self.path.stat())
        except OSError:
            return False

    def _holder(self, fd: int, how: int) -> str:
        """Who else holds it; "" if nobody does, and then `fd` has it, as far as the filesystem keeps locks."""
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
        """Whether the holder, who did not sign off, is still at work."""
        before = self._heartbeat()
        for _ in range(BEATS):
            self._wait(1.0)
            if self._heartbeat() != before:
                return True
        return False

    def _heartbeat(self) -> tuple[int, int] | None:
        try:  # opened, because a network filesystem looks again for that, and not for a stat
            fd = os.open(self.path.with_name("status.json"), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None
        try:
            status = os.fstat(fd)
            return status.st_ino, status.st_mtime_ns
        finally:
            os.close(fd)

    def _refusal(self, holder: str) -> ConfigError:
        root = self.path.parent.parent
        return ConfigError([f"root: {root} is already looked after by {holder}; stop that daemon first"])


def _is_here(holder: str) -> bool:
    """Whether it ran on this host, whose locks tell the living from the dead."""
    host = re.search(r" on (\S+)$", holder)
    return host is None or host[1] == socket.gethostname()
