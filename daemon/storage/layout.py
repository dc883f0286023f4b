"""The five folders below one root: their names, and whether styled can use them."""

import errno
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from daemon.errors import ConfigError
from daemon.storage.files import FULL, make, truncated_file, write_all, write_atomically
from daemon.text import escape

FORMAT = 1  # of work/: the jobs' records and the journal
PROBE = ".styled-probe-"


class Folders:
    """The paths below one root. The constructor touches nothing; `prepare` makes the folders and tries them."""

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
        """Make the missing folders and prove that files can be made and moved. Raises ConfigError with a line for
        every folder that fails, and OSError if the disk is full."""
        problems = []
        for folder in (*self.all, *(self.inbox / style for style in styles)):
            try:
                make(folder)
            except OSError as error:
                if error.errno in FULL:
                    raise  # the settings are right
                problems.append(f"root: cannot make the folder {folder}: {error.strerror}; make it, or give rights")
        if problems:
            raise ConfigError(problems)
        if problems := [*self._nested(), *self._unmovable(), *self._format()]:
            raise ConfigError(problems)

    def make(self, folder: Path) -> None:
        """mkdir -p below the root. Raises FileNotFoundError if work/ is gone: its disk may be gone, too, and nothing
        must be made where that disk was mounted."""
        if not self.work.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.work))
        make(folder)

    def trouble(self) -> str:
        """Why no photo at all can be worked on now; "" if photos can be. Writes a small file to find out."""
        for folder in (self.work, self.inbox):
            if not folder.is_dir():
                return f"{folder} is missing"
        probe = self.work / f"{PROBE}{secrets.token_hex(4)}"
        try:
            with truncated_file(probe, 0o600) as fd:
                write_all(fd, b"." * 4096)
                os.fsync(fd)
            probe.unlink()
        except OSError as error:
            return f"nothing can be written in {self.work} ({error.strerror})"
        return ""

    def locked_out(self, style: str, folder: str) -> str:
        """Which folder of this style styled has no right to write in; "" if a painting can be delivered."""
        for base in (self.outbox, self.done):
            place = base / style / folder
            if place.is_dir() and not os.access(place, os.W_OK | os.X_OK):
                return f"no right to write in {place}"
        return ""

    def room(self) -> tuple[int, int] | None:
        """How many (bytes, files) are free for outbox/; None if the filesystem does not say."""
        found = os.statvfs(self.outbox if self.outbox.is_dir() else self.root)
        if not found.f_blocks:
            return None
        return found.f_bavail * found.f_frsize, found.f_favail if found.f_files else 1

    def problems(self) -> list[str]:
        """What `prepare` would refuse about the folders that exist. Makes nothing."""
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
        """A real file is made in work/ and moved everywhere: rights lie (root, read-only mounts, ACLs)."""
        problems = []
        for left in (each for folder in self.all for each in folder.glob(f"{PROBE}*")):
            left.unlink(missing_ok=True)  # of a start that was killed
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
                write_atomically(self.version, f"{FORMAT}\n", durable=True)
                return []
            found = self.version.read_text(errors="replace").strip()
        except OSError as error:
            if error.errno in FULL:
                raise
            return [f"root: {self.version} cannot be read or made: {error.strerror}"]
        if found == str(FORMAT):
            return []
        return [f"root: {self.work} has format {escape(found[:20])}, and this styled knows {FORMAT}; use the newer one"]
