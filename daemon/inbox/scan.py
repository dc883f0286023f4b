"""What lies in the inbox: every entry, with what becomes of it. The daemon, `styled check` and `styled why` share it.

A scan opens folders only, each through its parent's descriptor and never through a symbolic link, so that no link
leads outside, not even a link that replaces a folder during the scan.
"""

import contextlib
import errno
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from daemon.filenames import EVERY_STYLE, MASK, SIDECAR, companion_of, ignored_reason, is_photo, is_picture
from daemon.text import escape, meant

DEEPEST = 64  # folders below a style's; deeper folders are a loop of mounts or a mistake
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Signature(NamedTuple):
    """A file's identity and state, as far as they can be seen without reading the file."""

    device: int
    inode: int
    size: int  # bytes
    mtime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Signature":
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class InboxPhoto:
    """A photo in the inbox. `folder` is relative to the style's folder, "" at the top. `companions` are the names of
    the sidecar and the mask, if present."""

    style: str
    folder: str
    name: str
    path: str
    signature: Signature
    companions: tuple[str, ...] = ()
    companion_signatures: tuple[Signature, ...] = ()


class Kind(Enum):
    """What an entry of the inbox is."""

    PHOTO = "photo"  # painted once it has settled
    COMPANION = "companion"  # goes with its photo, or waits for it
    LEFT_ALONE = "left alone"  # by a rule
    NO_STYLE = "no style"  # a folder in inbox/ that names no style
    TROUBLE = "trouble"  # cannot be read


@dataclass(frozen=True, slots=True)
class ScanEntry:
    """One entry of the inbox. `why` is for a person to read; only photos have a `photo`."""

    path: str
    kind: Kind
    why: str
    photo: InboxPhoto | None = None

    @property
    def description(self) -> str:
        """What becomes of the entry, as the second half of a sentence."""
        return f"left alone: {self.why}" if self.kind in (Kind.LEFT_ALONE, Kind.NO_STYLE) else self.why


@dataclass(frozen=True, slots=True)
class _Folder:
    """The folder that the scan reads. `style` is None in inbox/ itself; `below` is relative to the style's folder."""

    path: str
    style: str | None
    below: str
    depth: int


class InboxScan:
    """One scan of the inbox. Iterating raises OSError if inbox/ itself is missing or cannot be read."""

    def __init__(self, inbox: Path, styles: Collection[str], default_style: str) -> None:
        self.inbox = str(inbox)
        self.styles = styles
        self.default_style = default_style
        self._device = 0

    def __iter__(self) -> Iterator[ScanEntry]:
        # inbox/ itself may be a link: the user made that link, other links may have been dropped in
        top = os.open(self.inbox, _FOLDER & ~os.O_NOFOLLOW)
        try:
            self._device = os.fstat(top).st_dev
            yield from self._read(top, _Folder(self.inbox, None, "", 0))
        finally:
            os.close(top)

    def _read(self, fd: int, here: _Folder) -> Iterator[ScanEntry]:
        files: dict[str, os.DirEntry[str]] = {}
        folders: list[str] = []
        with os.scandir(fd) as found:
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                elif entry.is_file(follow_symlinks=False):
                    files[entry.name] = entry
                else:
                    yield _special(here, entry)
        for name, entry in files.items():
            if is_photo(name):
                yield from self._photo(here, entry, files)
            else:
                yield _other(here, name, files)
        for name in folders:
            yield from self._folder(fd, here, name)

    def _photo(self, here: _Folder, entry: os.DirEntry[str], files: dict[str, os.DirEntry[str]]) -> Iterator[ScanEntry]:
        style = self.default_style if here.style is None else here.style
        path = os.path.join(here.path, entry.name)
        try:
            signature = Signature.of(entry.stat(follow_symlinks=False))
        except FileNotFoundError:
            return  # removed during the scan
        except OSError as error:
            yield ScanEntry(path, Kind.TROUBLE, f"cannot be looked at: {error.strerror}")
            return
        names, signatures = [], []
        for name in (entry.name + SIDECAR, entry.name + MASK):
            if name in files:
                with contextlib.suppress(OSError):  # removed during the scan: the photo stays
                    signatures.append(Signature.of(files[name].stat(follow_symlinks=False)))
                    names.append(name)
        photo = InboxPhoto(style, here.below, entry.name, path, signature, tuple(names), tuple(signatures))
        which = "every style" if style == EVERY_STYLE else f"the style {style}"
        yield ScanEntry(path, Kind.PHOTO, f"to be painted in {which}", photo)

    def _folder(self, parent: int, here: _Folder, name: str) -> Iterator[ScanEntry]:
        path = os.path.join(here.path, name)
        if here.style is None and name in self.styles:
            inner = _Folder(path, name, "", 0)
        elif why := ignored_reason(name):
            yield ScanEntry(path, Kind.LEFT_ALONE, why)
            return
        elif here.style is None:
            yield ScanEntry(path, Kind.NO_STYLE, _no_style(name, self.styles))
            return
        else:
            inner = _Folder(path, here.style, os.path.join(here.below, name), here.depth + 1)
        try:
            fd = _open_folder(name, parent, self._device, inner.depth)
            try:
                yield from self._read(fd, inner)
            finally:
                os.close(fd)
        except (FileNotFoundError, NotADirectoryError):
            return  # removed or replaced during the scan
        except OSError as error:
            yield ScanEntry(path, Kind.TROUBLE, f"cannot be looked into: {error.strerror or error}")


def _open_folder(name: str, parent: int, device: int, depth: int) -> int:
    """The folder's descriptor. Raises OSError if the folder cannot be read, lies too deep or is another filesystem."""
    if depth > DEEPEST:
        raise OSError(errno.EMLINK, f"it lies more than {DEEPEST} folders deep")
    fd = os.open(name, _FOLDER, dir_fd=parent)
    if os.fstat(fd).st_dev != device:
        os.close(fd)
        raise OSError(errno.EXDEV, "it is another filesystem, from which nothing can be moved in one step")
    return fd


def _no_style(name: str, styles: Collection[str]) -> str:
    hint = meant(name, styles) or f"there are {', '.join(sorted(styles))}"
    return f"no style is called {escape(name)}; {hint}"


def _special(here: _Folder, entry: os.DirEntry[str]) -> ScanEntry:
    what = "a symbolic link" if entry.is_symlink() else "not a regular file"
    return ScanEntry(os.path.join(here.path, entry.name), Kind.LEFT_ALONE, f"{what}: never followed or opened")


def _other(here: _Folder, name: str, files: Collection[str]) -> ScanEntry:
    path = os.path.join(here.path, name)
    if why := ignored_reason(name):
        return ScanEntry(path, Kind.LEFT_ALONE, why)
    if photo := companion_of(name):
        if name not in (photo + SIDECAR, photo + MASK):
            ending = MASK if is_picture(name) else SIDECAR
            return ScanEntry(path, Kind.LEFT_ALONE, f"the ending must be {ending}, in lower case")
        verb = "goes with" if photo in files else "waits for"
        return ScanEntry(path, Kind.COMPANION, f"{verb} {escape(photo)}")
    return ScanEntry(path, Kind.LEFT_ALONE, "another kind of file: its extension is no picture's")
