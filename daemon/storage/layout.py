"""The five folders below one root: their names, and whether styled can use them."""

import contextlib
import errno
import logging
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from daemon.errors import ConfigError, StartLater
from daemon.events import Event, about
from daemon.filenames import composed
from daemon.storage.files import FULL, NAME_MAX, truncated_file, write_all, write_atomically
from daemon.storage.files import make as make_path
from daemon.storage.folder import Folder, rename_new
from daemon.text import escape

log = logging.getLogger("styled")

FORMAT = 1  # of work/: the jobs' records and the journal
PROBE = ".styled-probe-"
DISKS = "they are on different filesystems; the whole root must be one filesystem"
# errors that stay until a person changes something; other errors of a disk may pass
REFUSALS = frozenset(
    (errno.EACCES, errno.EPERM, errno.EXDEV, errno.ENOTDIR, errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL)
)


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
        """Make the missing folders and prove that files can be made and moved. Raises ConfigError with a line for every
        folder that fails, and StartLater if the disk fails."""
        if problems := self.problems():
            raise ConfigError(problems)
        for folder in self.all:
            with _disk_trouble(folder):
                make_path(folder)
        if problems := self.problems():
            raise ConfigError(problems)
        with _disk_trouble(self.version):
            self._close_work()
            if not self.version.exists():
                write_atomically(self.version, f"{FORMAT}\n", durable=True)
        for style in styles:
            self._prepare_style(style)

    def _close_work(self) -> None:
        """Let only its owner write in work/, whatever the umask and the rights of the root are."""
        status = self.work.stat()
        if status.st_uid == os.geteuid() and status.st_mode & 0o022:
            mode = stat.S_IMODE(status.st_mode) & ~0o022
            try:
                os.chmod(self.work, mode)
            except PermissionError:  # RestrictSUIDSGID= of systemd refuses the setgid bit, which work/ can do without
                with contextlib.suppress(PermissionError):  # a filesystem without modes
                    os.chmod(self.work, mode & 0o777)

    def _prepare_style(self, style: str) -> None:
        """Make the style's folder in the inbox. Other users who may write in inbox/ can prevent that, which stops
        nothing else."""
        try:
            if not os.path.lexists(self.spelled(self.inbox / style)):
                self.enter(self.inbox / style, make=True).close()
        except OSError as error:
            if error.errno in FULL:
                raise StartLater([f"root: {escape(str(self.root))}: {error.strerror}"]) from None
            place = escape(str(error.filename or self.inbox / style))
            said = "%s: the folder of the style %s cannot be made: %s"
            log.warning(said, place, escape(style), error.strerror, extra=about(Event.LEFT_ALONE, path=place))

    def enter(self, place: Path, *, make: bool = False) -> Folder:
        """The open folder `place`, one of the five or below one of them, reached from there through no link.

        `make`: make what is missing, but raise FileNotFoundError if work/ is: its disk may be gone, and nothing must be
        made where that disk was mounted. Raises NotADirectoryError if a link or a file is in the way.
        """
        top = self._top(place)
        if make and not self.work.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.work))
        if make:
            make_path(top)
        here = Folder.open(top)
        for name in place.relative_to(top).parts:
            with here as parent:
                here = parent.enter(name, make=make)
        return here

    def spelled(self, place: Path) -> Path:
        """The path as the disk spells it: if no entry has exactly this name, an entry that looks the same to people
        counts. A name without such an entry stays as it is."""
        found = self._top(place)
        for name in place.relative_to(found).parts:
            if not name.isascii() and not os.path.lexists(found / name):
                with contextlib.suppress(OSError):
                    name = next((each for each in os.listdir(found) if composed(each) == composed(name)), name)
            found /= name
        return found

    def obstacle(self, place: Path) -> str:
        """Why no file can be moved into the folder `place`; "" if nothing is known to prevent that. A missing folder is
        no obstacle. Makes nothing."""
        here, top = place, self._top(place)
        while True:
            try:
                folder = self.enter(here)
                break
            except FileNotFoundError:
                if here == top:
                    return ""  # a missing folder is made again
                here = here.parent
            except OSError as error:
                return f"{escape(str(error.filename))}: {error.strerror}"
        with folder:
            if not os.access(".", os.W_OK | os.X_OK, dir_fd=folder.fd):
                return f"no right to write in {escape(str(here))}"
            if os.fstat(folder.fd).st_dev != os.stat(self.work).st_dev:
                return f"{escape(str(here))} is another filesystem than {escape(str(self.work))}; use one for both"
        return ""

    @property
    def longest_name(self) -> int:
        """Bytes of a file's name that the filesystem allows."""
        with contextlib.suppress(OSError):
            return min(os.pathconf(self.work, "PC_NAME_MAX"), NAME_MAX)
        return NAME_MAX

    def _top(self, place: Path) -> Path:
        for top in self.all:
            if place.is_relative_to(top):
                return top
        raise ValueError(f"{place} lies in none of the five folders")

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

    def room(self) -> tuple[int, int] | None:
        """How many (bytes, files) are free for outbox/; None if the filesystem does not say."""
        found = os.statvfs(self.outbox if self.outbox.is_dir() else self.root)
        if not found.f_blocks:
            return None
        return found.f_bavail * found.f_frsize, found.f_favail if found.f_files else 1

    def problems(self) -> list[str]:
        """Why `prepare` would refuse the folders. Makes no folder, and no file that stays. Raises StartLater if the
        disk fails."""
        if flaws := [flaw for folder in self.all if (flaw := _flaw(folder))]:
            return [f"root: {flaw}" for flaw in dict.fromkeys(flaws)]
        if problems := [*self._nested(), *self._format()]:
            return problems
        if all(folder.is_dir() for folder in self.all):
            with _disk_trouble(self.work):
                return self._unmovable()
        disks = {_nearest(folder).stat().st_dev: folder for folder in self.all}
        if len(disks) < 2:
            return []
        one, other, *_ = disks.values()
        return [_unmovable(one, other, DISKS)]

    def _nested(self) -> list[str]:
        real = {folder: folder.resolve() for folder in self.all}
        return [
            f"root: {inner} lies inside {outer} (by way of a link?); each of the five folders must be its own"
            for outer in self.all
            for inner in self.all
            if inner != outer and real[inner].is_relative_to(real[outer])
        ]

    def _unmovable(self) -> list[str]:
        """Make a real file in work/ and move it to each folder: mode bits do not tell (root, read-only mounts,
        ACLs)."""
        problems = []
        for folder in self.all:
            with self.enter(folder) as here:
                for entry in here.entries():
                    if entry.name.startswith(PROBE):  # of a start that was killed
                        with contextlib.suppress(OSError):  # or a folder of the user's with such a name
                            here.remove(entry.name)
        with self.enter(self.work) as work:
            name = f"{PROBE}{secrets.token_hex(4)}"
            os.close(os.open(work.path / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            for folder in (self.inbox, self.outbox, self.failed, self.done):
                try:
                    with self.enter(folder) as other:
                        rename_new(work, name, other, name)
                        rename_new(other, name, work, name)
                except FileNotFoundError:
                    break  # `styled check` and a reload meet: each takes the other's probe for an old one
                except OSError as error:
                    why = f"{error.strerror}; give rights to the user that runs styled"
                    problems.append(_unmovable(self.work, folder, DISKS if error.errno == errno.EXDEV else why))
            with contextlib.suppress(FileNotFoundError):
                work.remove(name)
        return problems

    def _format(self) -> list[str]:
        """Refuse a work/ that a newer styled has written."""
        found = str(FORMAT)
        with contextlib.suppress(FileNotFoundError), _disk_trouble(self.version), self.version.open("rb") as file:
            found = file.read(100).decode(errors="replace").strip()
        if found == str(FORMAT):
            return []
        return [f"root: {self.work} has format {escape(found[:20])}, and this styled knows {FORMAT}; use the newer one"]


@contextlib.contextmanager
def _disk_trouble(path: Path) -> Iterator[None]:
    """Raises ConfigError if the system refuses a step at `path`, and StartLater if the disk cannot do it now."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        why = f"root: {escape(str(error.filename or path))} cannot be made or used: {error.strerror}"
        if error.errno not in REFUSALS:
            raise StartLater([why]) from None
        raise ConfigError([f"{why}; give rights to the user that runs styled"]) from None


def _flaw(folder: Path) -> str:
    """Why `folder` cannot be used or made; "" if it can."""
    nearest = _nearest(folder)
    if not os.path.isdir(nearest):
        return f"cannot make the folder {escape(str(folder))}: {escape(str(nearest))} is no folder; take it away"
    if os.access(nearest, os.R_OK | os.W_OK | os.X_OK):
        return ""
    return f"no right to write in {escape(str(nearest))}; give it to the user that runs styled"


def _nearest(folder: Path) -> Path:
    """The folder or, if there is none, the next above it that is there."""
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    return folder


def _unmovable(one: Path, other: Path, why: str) -> str:
    return f"root: cannot move files between {escape(str(one))} and {escape(str(other))}: {why}"
