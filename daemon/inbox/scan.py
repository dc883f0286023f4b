"""What lies in the inbox: every entry with what would become of it. One walk serves the daemon, `check` and `why`.

Nothing is opened but folders, each beneath its parent's descriptor and never through a symbolic link, so that
neither a link nor one swapped in at the last moment leads outside.
"""

import contextlib
import difflib
import errno
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from daemon.filenames import MASK, SIDECAR, companion_of, ignored_reason, is_photo, is_picture
from daemon.text import escape

DEEPEST = 64  # folders below a style's; deeper ones are a loop of mounts or a mistake
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Signature(NamedTuple):
    """A file's identity and state, as far as they can be seen without reading it."""

    device: int
    inode: int
    size: int  # bytes
    mtime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Signature":
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class InboxPhoto:
    """A photo in the inbox. `folder` is relative to its style's folder, "" at the top; `companions` are the names
    of its sidecar and mask, where present, and `beside` their signatures."""

    style: str
    folder: str
    name: str
    path: str
    signature: Signature
    companions: tuple[str, ...] = ()
    beside: tuple[Signature, ...] = ()


class Fate(Enum):
    """What becomes of an entry of the inbox."""

    PHOTO = "photo"  # painted once it has settled
    COMPANION = "companion"  # goes with its photo, or waits for it
    LEFT_ALONE = "left alone"  # by a rule
    NO_STYLE = "no style"  # a folder in inbox/ that names no style
    TROUBLE = "trouble"  # cannot be looked into


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the inbox. `why` is for a person to read; `arrival` is set for photos only."""

    path: str
    fate: Fate
    why: str
    arrival: InboxPhoto | None = None

    @property
    def verdict(self) -> str:
        """`why`, said of the entry in a sentence's second half."""
        return f"left alone: {self.why}" if self.fate in (Fate.LEFT_ALONE, Fate.NO_STYLE) else self.why


@dataclass(frozen=True, slots=True)
class Place:
    """Where the walk is: `style` is None in inbox/ itself."""

    path: str
    style: str | None
    folder: str
    depth: int


class InboxScan:
    """One reading of the inbox. OSError from iterating: inbox/ itself is missing or cannot be read."""

    def __init__(self, inbox: Path, styles: Collection[str], default_style: str) -> None:
        self.inbox = str(inbox)
        self.styles = styles
        self.default_style = default_style
        self.identity = (0, 0)  # (st_dev, st_ino) of the folder that was read

    def __iter__(self) -> Iterator[Entry]:
        # inbox/ itself may be a link: the user's own decision, unlike what is dropped into it
        top = os.open(self.inbox, _FOLDER & ~os.O_NOFOLLOW)
        try:
            status = os.fstat(top)
            self.identity = status.st_dev, status.st_ino
            yield from self._read(top, Place(self.inbox, None, "", 0))
        finally:
            os.close(top)

    def _read(self, fd: int, place: Place) -> Iterator[Entry]:
        files: dict[str, os.DirEntry[str]] = {}
        folders: list[str] = []
        with os.scandir(fd) as found:
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                elif entry.is_file(follow_symlinks=False):
                    files[entry.name] = entry
                else:
                    yield _special(place, entry)
        for name, entry in files.items():
            if is_photo(name):
                yield from self._photo(place, entry, files)
            else:
                yield _other(place, name, files)
        for name in folders:
            yield from self._folder(fd, place, name)

    def _photo(self, place: Place, entry: os.DirEntry[str], files: dict[str, os.DirEntry[str]]) -> Iterator[Entry]:
        style = self.default_style if place.style is None else place.style
        path = os.path.join(place.path, entry.name)
        try:
            signature = Signature.of(entry.stat(follow_symlinks=False))
        except FileNotFoundError:
            return  # gone since the listing
        except OSError as error:
            yield Entry(path, Fate.TROUBLE, f"cannot be looked at: {error.strerror}")
            return
        names, beside = [], []
        for name in (entry.name + SIDECAR, entry.name + MASK):
            if name in files:
                with contextlib.suppress(OSError):  # gone, too: the photo stays
                    beside.append(Signature.of(files[name].stat(follow_symlinks=False)))
                    names.append(name)
        arrival = InboxPhoto(style, place.folder, entry.name, path, signature, tuple(names), tuple(beside))
        yield Entry(path, Fate.PHOTO, f"to be painted in the style {style}", arrival)

    def _folder(self, parent: int, place: Place, name: str) -> Iterator[Entry]:
        path = os.path.join(place.path, name)
        if place.style is None and name in self.styles:
            inner = Place(path, name, "", 0)
        elif why := ignored_reason(name):
            yield Entry(path, Fate.LEFT_ALONE, why)
            return
        elif place.style is None:
            yield Entry(path, Fate.NO_STYLE, no_style(name, self.styles))
            return
        else:
            inner = Place(path, place.style, os.path.join(place.folder, name), place.depth + 1)
        try:
            fd = _open_folder(name, parent, self.identity[0], inner.depth)
            try:
                yield from self._read(fd, inner)
            finally:
                os.close(fd)
        except (FileNotFoundError, NotADirectoryError):
            return  # gone, or replaced, since the listing
        except OSError as error:
            yield Entry(path, Fate.TROUBLE, f"cannot be looked into: {error.strerror or error}")


def _open_folder(name: str, parent: int, device: int, depth: int) -> int:
    """Its descriptor. OSError: no rights, no folder, or not ours to look into."""
    if depth > DEEPEST:
        raise OSError(errno.EMLINK, f"it lies more than {DEEPEST} folders deep")
    fd = os.open(name, _FOLDER, dir_fd=parent)
    if os.fstat(fd).st_dev != device:
        os.close(fd)
        raise OSError(errno.EXDEV, "it is another filesystem, from which nothing can be moved in one step")
    return fd


def look(inbox: Path, styles: Collection[str], default_style: str) -> Iterator[tuple[str, str]]:
    """The path of every entry with what would become of it, in words. Opens no file, changes nothing."""
    for entry in InboxScan(inbox, styles, default_style):
        yield entry.path, entry.verdict


def no_style(name: str, styles: Collection[str]) -> str:
    """What to tell a person about a folder in inbox/ that names no style."""
    near = difflib.get_close_matches(name, styles, n=1)
    hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(sorted(styles))}"
    return f"no style is called {escape(name)}{hint}"


def _special(place: Place, entry: os.DirEntry[str]) -> Entry:
    kind = "a symbolic link" if entry.is_symlink() else "not a regular file"
    return Entry(os.path.join(place.path, entry.name), Fate.LEFT_ALONE, f"{kind}: never followed or opened")


def _other(place: Place, name: str, files: Collection[str]) -> Entry:
    path = os.path.join(place.path, name)
    if why := ignored_reason(name):
        return Entry(path, Fate.LEFT_ALONE, why)
    if photo := companion_of(name):
        if name not in (photo + SIDECAR, photo + MASK):
            ending = MASK if is_picture(name) else SIDECAR
            return Entry(path, Fate.LEFT_ALONE, f"the ending must be {ending}, in lower case")
        verb = "goes with" if photo in files else "waits for"
        return Entry(path, Fate.COMPANION, f"{verb} {escape(photo)}")
    return Entry(path, Fate.LEFT_ALONE, "another kind of file: its extension is no picture's")
