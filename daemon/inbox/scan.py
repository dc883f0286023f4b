"""What lies in the inbox: every entry, with what becomes of it. The daemon, `styled check` and `styled why` share it.

A scan opens folders only, each through its parent's descriptor and never through a symbolic link, so that no link
leads outside, not even a link that replaces a folder during the scan.
"""

import contextlib
import errno
import os
import shlex
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from daemon.filenames import (
    EVERY_STYLE,
    MASK,
    SIDECAR,
    companion_of,
    composed,
    ignored_reason,
    is_photo,
    is_picture,
)
from daemon.inbox.neighbours import Neighbours, with_companions, with_download
from daemon.inbox.photo import InboxPhoto, Signature
from daemon.text import closest, escape, meant

LONGEST_PATH = 3900  # bytes; 4095 are allowed, and the photo's place in outbox/ or failed/ has a longer path
DEEPEST = 64  # folders below a style's; deeper folders are a loop of mounts or a mistake
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Kind(Enum):
    """What an entry of the inbox is."""

    PHOTO = "photo"  # painted once it has settled
    COMPANION = "companion"  # goes with its photo
    ORPHAN = "orphan"  # a companion whose photo is not there
    LEFT_ALONE = "left alone"  # by a rule
    NO_STYLE = "no style"  # a folder in inbox/ that names no style
    UNPAINTED = "unpainted"  # a photo in a folder of no style
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
        is_alone = self.kind in (Kind.LEFT_ALONE, Kind.NO_STYLE, Kind.UNPAINTED)
        return f"left alone: {self.why}" if is_alone else self.why


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
        self._by_sight = {composed(style): style for style in styles}
        self._device = 0

    def __iter__(self) -> Iterator[ScanEntry]:
        # inbox/ itself may be a link, which the user made; other users may have dropped other links
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
        beside = Neighbours.of(fd, files)
        claimed: set[str] = set()
        photos = dict.fromkeys(filter(is_photo, files))
        for name in photos:
            for photo in self._photo(here, files[name], beside):
                if photo.photo and photo.photo.spelled:
                    claimed.update(photo.photo.spelled)
                yield photo
        for name in files:
            if name not in photos:
                yield _other(here, name, beside, name in claimed)
        for name in folders:
            yield from self._folder(fd, here, name)

    def _photo(self, here: _Folder, entry: os.DirEntry[str], beside: Neighbours) -> Iterator[ScanEntry]:
        style = self.default_style if here.style is None else here.style
        path = os.path.join(here.path, entry.name)
        try:
            signature = Signature.of(entry.stat(follow_symlinks=False))
        except FileNotFoundError:
            return  # removed during the scan
        except OSError as error:
            yield ScanEntry(path, Kind.TROUBLE, f"cannot be looked at: {error.strerror}")
            return
        if len(path) * 4 > LONGEST_PATH and len(os.fsencode(path)) > LONGEST_PATH:
            yield ScanEntry(
                path, Kind.TROUBLE, f"its path is longer than {LONGEST_PATH} bytes; shorten some of its names"
            )
            return
        photo = InboxPhoto(style, here.below, entry.name, path, signature)
        names = (entry.name + SIDECAR, entry.name + MASK)
        if found := [(name, own) for name in names if (own := beside.find_companion(name))]:
            photo = with_companions(photo, found, beside.files)
        if beside.downloads:
            photo = with_download(photo, (entry.name, *names), beside)
        which = "every style" if style == EVERY_STYLE else f"the style {style}"
        yield ScanEntry(path, Kind.PHOTO, f"to be painted in {which}", photo)

    def _folder(self, parent: int, here: _Folder, name: str) -> Iterator[ScanEntry]:
        path = os.path.join(here.path, name)
        if here.style is None and (style := self._style(parent, name)):
            inner = _Folder(path, style, "", 0)
        elif why := ignored_reason(name):
            yield ScanEntry(path, Kind.LEFT_ALONE, why)
            return
        elif here.style is None:
            yield from self._no_style(parent, path, name)
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

    def _style(self, parent: int, name: str) -> str:
        """The style whose folder this is, "" if it is no style's. Names are equal as people see them, and where the
        disk makes no difference between a and A, as the disk sees them."""
        if style := name if name in self.styles else self._by_sight.get(composed(name), ""):
            return style
        for style in self.styles:
            if composed(style).casefold() == composed(name).casefold():
                with contextlib.suppress(OSError):
                    ours, this = (os.stat(each, dir_fd=parent, follow_symlinks=False) for each in (style, name))
                    return style if os.path.samestat(ours, this) else ""
        return ""

    def _no_style(self, parent: int, path: str, name: str) -> Iterator[ScanEntry]:
        """The folder, with the command that moves its photos, and its photos."""
        photos: list[str] = []
        with contextlib.suppress(OSError):
            fd = _open_folder(name, parent, self._device, 0)
            try:
                top = _Folder(path, self.default_style, "", 0)
                photos = [each.path for each in self._read(fd, top) if each.kind is Kind.PHOTO]
            finally:
                os.close(fd)
        known = sorted(style for style in self.styles if style != EVERY_STYLE)
        hint = meant(name, self.styles) or f"there are {', '.join(known)}"
        why = f"config.yaml has no style {escape(name)}; {hint}"
        if photos:
            home = os.path.join(self.inbox, closest(name, self.styles) or self.default_style)
            count = f"{len(photos)} {'photo waits' if len(photos) == 1 else 'photos wait'}"
            why += "" if why.endswith("?") else "."
            why += f" {count} there; move {'it' if len(photos) == 1 else 'them'}: "
            why += f"mv {shlex.quote(escape(path))}/* {shlex.quote(home)}/"
        yield ScanEntry(path, Kind.NO_STYLE, why)
        yield from (ScanEntry(each, Kind.UNPAINTED, why) for each in photos)


def _open_folder(name: str, parent: int, device: int, depth: int) -> int:
    """The folder's descriptor. Raises OSError if the folder cannot be read, lies too deep or is another filesystem."""
    if depth > DEEPEST:
        raise OSError(errno.EMLINK, f"it lies more than {DEEPEST} folders deep")
    fd = os.open(name, _FOLDER, dir_fd=parent)
    if os.fstat(fd).st_dev != device:
        os.close(fd)
        raise OSError(errno.EXDEV, "it is another filesystem, from which nothing can be moved in one step")
    return fd


def _special(here: _Folder, entry: os.DirEntry[str]) -> ScanEntry:
    what = "a symbolic link" if entry.is_symlink() else "not a regular file"
    return ScanEntry(os.path.join(here.path, entry.name), Kind.LEFT_ALONE, f"{what}: never followed or opened")


def _other(here: _Folder, name: str, beside: Neighbours, is_claimed: bool) -> ScanEntry:
    path = os.path.join(here.path, name)
    if why := ignored_reason(name):
        return ScanEntry(path, Kind.LEFT_ALONE, why)
    if photo := companion_of(name):
        if is_claimed:
            return ScanEntry(path, Kind.COMPANION, f"goes with {escape(photo)}")
        if name not in (photo + SIDECAR, photo + MASK):
            ending = MASK if is_picture(name) else SIDECAR
            return ScanEntry(path, Kind.TROUBLE, f"cannot count: its ending must be {ending}, in lower case")
        if beside.find(photo):
            return ScanEntry(path, Kind.COMPANION, f"goes with {escape(photo)}")
        return ScanEntry(path, Kind.ORPHAN, f"waits for {escape(photo)}")
    return ScanEntry(path, Kind.LEFT_ALONE, "another kind of file: its extension is no picture's")
