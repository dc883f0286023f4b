"""The gallery's own files. Only this module writes and removes files of the gallery.

    work/gallery.jsonl                a line for each painting on the page
    outbox/index.html                 the page, always whole; gallery.html if the user has an index.html there
    outbox/.gallery/now.svg           an empty picture whose size tells an open page whether it is the newest
    outbox/.gallery/<id>.webp         the thumbnail of a painting; <id>-before.webp: of its photo
    outbox/.gallery/style-<id>.webp   the thumbnail of a style's picture

Other users may write in outbox/. The gallery never writes through their links, and they cannot change the list.
"""

import contextlib
import logging
import os
import threading
from collections.abc import Collection, Iterable, Iterator

from daemon.events import Event, about
from daemon.storage.files import Handle, truncated_file, write_all, write_atomically
from daemon.storage.folder import Folder, adopt, replace
from daemon.storage.layout import Folders
from daemon.text import escape

log = logging.getLogger("styled")

PAGES = ("index.html", "gallery.html")  # the first name that is free or has a page of ours
MARK = b"content=\"default-src 'none'; img-src 'self' file: data:; style-src 'unsafe-inline'; script-src 'sha256-"
HEAD = 2048  # the first bytes of a page of ours, which hold MARK
LONGEST_LINE = 1 << 16  # bytes of the list
STAMP = "now.svg"
STYLE = "style-"


class GalleryFiles:
    """Every method raises OSError if the disk refuses. Thread-safe."""

    def __init__(self, folders: Folders) -> None:
        self.page = folders.outbox / PAGES[0]
        self.folder = folders.outbox / ".gallery"
        self._folders = folders
        self._list = folders.work / "gallery.jsonl"
        self._new = ".gallery.tmp"  # in work/: a file on its way to outbox/
        self._writing = threading.Lock()

    def write_page(self, text: str, at: int) -> None:
        """Write the page, then the stamp that tells open pages of it. `at`: the time of the page, seconds since
        1970."""
        with self._folders.enter(self._folders.outbox, make=True) as outbox:
            page = next((name for name in PAGES if _is_ours(outbox, name)), "")
            if not page:
                raise FileExistsError(17, f"{' and '.join(PAGES)} are somebody else's")
            if outbox.path / page != self.page:
                self.page = outbox.path / page
                said = "%s is not styled's page and stays as it is; the gallery is %s"
                other = escape(str(outbox.path / PAGES[0]))
                log.info(said, other, page, extra=about(Event.GALLERY_FAILED, path=other))
            self._put(outbox, page, text.encode("utf-8", "surrogateescape"))
        self.write(STAMP, stamp(at).encode())

    def write(self, name: str, data: bytes) -> None:
        with self._folders.enter(self.folder, make=True) as folder:
            self._put(folder, name, data)

    def _put(self, folder: Folder, name: str, data: bytes) -> None:
        """Replace `name` as a whole. The file is made in work/, where no other user can put a link under its name."""
        new = self._folders.work / self._new
        with self._writing, self._folders.enter(new.parent) as work, truncated_file(new, 0o666) as fd:
            write_all(fd, data)
            adopt(Handle(os.dup(fd)), folder)
            replace(work, self._new, folder, name)

    def remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), self._folders.enter(self.folder) as folder:
            folder.remove(name)

    def holds(self, name: str) -> bool:
        with contextlib.suppress(OSError), self._folders.enter(self.folder) as folder:
            folder.file(name).close()
            return True
        return False

    def listed(self) -> Iterator[bytes]:
        """The lines of the list, no lines if there is no list."""
        with contextlib.suppress(FileNotFoundError), self._list.open("rb") as file:
            while line := file.readline(LONGEST_LINE):
                yield line

    def rewrite_list(self, lines: Iterable[str]) -> None:
        write_atomically(self._list, "".join(f"{line}\n" for line in lines), durable=False)

    def list_one_more(self, line: str) -> None:
        with self._list.open("ab") as file:
            file.write(f"{line}\n".encode())

    def sweep(self, used: Collection[str], *, of_styles: bool = False) -> None:
        """Remove the thumbnails of paintings or, with `of_styles`, of styles' pictures that no id in `used` names."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), self._folders.enter(self.folder) as folder:
            for name in [entry.name for entry in folder.entries() if entry.name.endswith(".webp")]:
                is_due = name.startswith(STYLE) == of_styles
                if is_due and name.removesuffix(".webp").removesuffix("-before") not in used:
                    with contextlib.suppress(FileNotFoundError, IsADirectoryError):
                        folder.remove(name)


def _is_ours(outbox: Folder, name: str) -> bool:
    """Whether `name` is a page of ours, or free."""
    if not outbox.holds(name):
        return True
    try:
        file = outbox.file(name)
    except OSError:
        return False
    return MARK in os.pread(file.fd, HEAD, 0)


def stamp(at: int) -> str:
    """A picture without content. A page may ask for its size even from file://, where it may read no other file."""
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{1 + at % 10_000}" height="{1 + at // 10_000 % 10_000}"/>\n'
