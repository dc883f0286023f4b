"""Counts the operations on the filesystem, to kill the process at the n-th or to know what a power loss would leave."""

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon.storage import folder as storage

# the calls of our code that change a filesystem or make a change durable
CHANGES = ("open", "write", "fsync", "mkdir", "rmdir", "unlink", "rename", "replace", "ftruncate", "chown")
# the same calls as the interpreter's audit names them: each must come from a call above
AUDITED = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.link", "os.symlink", "os.chown"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Tape:
    """Counts in this process from `start` on. `count`: operations that have begun."""

    def __init__(self, before: Callable[[int], None], after: Callable[[int, str, tuple[Any, ...]], None]) -> None:
        self.count = 0
        self._before = before
        self._after = after
        self._inside = False
        self._real = {name: getattr(os, name) for name in CHANGES}
        self._rename: Any = storage._renameat2

    def start(self) -> None:
        for name in CHANGES:
            setattr(os, name, self._counted(name, self._real[name]))
        storage._renameat2 = self._counted("renameat2", self._rename)
        _watch(self)

    def stop(self) -> None:
        for name, real in self._real.items():
            setattr(os, name, real)
        storage._renameat2 = self._rename
        _watch(None)

    def _counted(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **keywords: Any) -> Any:
            if name == "open" and not arguments[1] & WRITING:
                return real(*arguments, **keywords)
            self.count += 1
            number = self.count
            self._before(number)
            self._inside = True
            try:
                return real(*arguments, **keywords)
            finally:
                self._inside = False
                self._after(number, name, arguments)

        return step

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
        if (writes or event in AUDITED) and not self._inside:
            os._exit(66)  # the operation was not counted: CHANGES is incomplete


_running: Tape | None = None
_is_hooked = False


def _watch(tape: Tape | None) -> None:
    """All tapes share one audit hook: a hook cannot be removed."""
    global _running, _is_hooked
    _running = tape
    if not _is_hooked:
        _is_hooked = True
        sys.addaudithook(lambda event, arguments: _running.audit(event, arguments) if _running else None)


def killed_at(number: int, *, after: bool) -> Tape:
    """SIGKILL before or after the `number`-th operation."""

    def kill(now: int) -> None:
        if now == number:
            os.kill(os.getpid(), signal.SIGKILL)

    if after:
        return Tape(lambda now: None, lambda now, *_: kill(now))
    return Tape(kill, lambda now, *_: None)


@dataclass(slots=True)
class Durable:
    """What lies on the disk after a power loss: by inode, the contents of files and the entries of folders as of their
    last fsync."""

    root: int
    contents: dict[int, tuple[bytes, int]] = field(default_factory=dict)  # bytes, mtime_ns
    entries: dict[int, dict[str, int]] = field(default_factory=dict)

    def copy(self) -> "Durable":
        return Durable(self.root, dict(self.contents), dict(self.entries))

    def lay_out(self, target: Path) -> None:
        """Make this tree below `target`, an empty folder; an inode that two folders name becomes a hard link."""
        self._folder(self.root, target, {})

    def _folder(self, inode: int, path: Path, made: dict[int, Path]) -> None:
        for name, child in self.entries.get(inode, {}).items():
            if child in self.entries:
                (path / name).mkdir()
                self._folder(child, path / name, made)
            elif child in made:
                os.link(made[child], path / name)
            else:
                data, mtime = self.contents.get(child, (b"", 0))
                (path / name).write_bytes(data)
                os.utime(path / name, ns=(mtime, mtime))
                made[child] = path / name


class Power:
    """Knows at each moment of this process what is durable. Contents are durable after an fsync of the file, names
    after an fsync of the folder or, with `names`, at once."""

    def __init__(self, root: Path, *, names: bool) -> None:
        self.root = root
        self.names = names
        self.moments: list[Durable] = []
        self._held: list[int] = []  # open files: the filesystem gives their inodes to no other file
        self.now = Durable(root.stat().st_ino)
        for folder, _, files in os.walk(root):
            self._sync_folder(Path(folder))
            for name in files:
                self._sync_file(Path(folder, name))
        self.tape = Tape(lambda number: None, self._after)

    def _after(self, number: int, name: str, arguments: tuple[Any, ...]) -> None:
        if name == "fsync":
            path = Path(os.readlink(f"/proc/self/fd/{arguments[0]}"))
            if path.is_dir():
                self._sync_folder(path)
            elif path.exists():
                self._sync_file(path)
        self.tape.stop()
        for folder, _, files in os.walk(self.root):
            inode = os.stat(folder).st_ino
            if inode not in self.now.entries:  # made just now; on the disk it is empty
                self.now.entries[inode] = {}
                self._hold(Path(folder))
            if self.names:
                self._sync_folder(Path(folder))
            for file in files:
                inode = os.lstat(os.path.join(folder, file)).st_ino
                if inode not in self.now.contents:
                    self.now.contents[inode] = (b"", 0)
                    self._hold(Path(folder, file))
        self.tape.start()
        self.moments.append(self.now.copy())

    def _hold(self, path: Path) -> None:
        self._held.append(os.open(path, os.O_RDONLY | os.O_NONBLOCK))

    def _sync_folder(self, path: Path) -> None:
        if path.is_relative_to(self.root):
            self.now.entries[path.stat().st_ino] = {entry.name: entry.inode() for entry in os.scandir(path)}

    def _sync_file(self, path: Path) -> None:
        status = path.stat()
        self.now.contents[status.st_ino] = path.read_bytes(), status.st_mtime_ns

    def close(self) -> None:
        for fd in self._held:
            os.close(fd)
