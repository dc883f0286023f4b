"""The gallery's own files below outbox/. All that the gallery writes and removes, it writes and removes here.

outbox/index.html                    the page, always whole
outbox/.gallery/now.svg              an empty picture whose size tells an open page whether it is the newest
outbox/.gallery/paintings.jsonl      one line for each painting on the page
outbox/.gallery/<id>.webp            the thumbnail of a painting; <id>-before.webp: of its photo
outbox/.gallery/style-<id>.webp      the thumbnail of a style's picture
"""

import contextlib
from collections.abc import Collection, Iterable
from pathlib import Path

from daemon.storage.files import write_atomically

LIST = "paintings.jsonl"
STAMP = "now.svg"
STYLE = "style-"


class GalleryFiles:
    """Every method raises OSError if the disk refuses."""

    def __init__(self, outbox: Path) -> None:
        self.page = outbox / "index.html"
        self.folder = outbox / ".gallery"

    def write_page(self, text: str, at: int) -> None:
        """The page, then the stamp that tells open pages of it. `at`: when it was written, seconds since 1970."""
        write_atomically(self.page, text, durable=False)
        self.write(STAMP, stamp(at).encode())

    def write(self, name: str, data: bytes) -> None:
        self.folder.mkdir(exist_ok=True)
        write_atomically(self.folder / name, data, durable=False)

    def remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            (self.folder / name).unlink()

    def holds(self, name: str) -> bool:
        return (self.folder / name).is_file()

    def listed(self) -> list[str]:
        """The lines of the list; none if there is no list."""
        try:
            return (self.folder / LIST).read_text().splitlines()
        except (FileNotFoundError, UnicodeDecodeError):
            return []

    def list_anew(self, lines: Iterable[str]) -> None:
        self.write(LIST, "".join(f"{line}\n" for line in lines).encode())

    def list_one_more(self, line: str) -> None:
        self.folder.mkdir(exist_ok=True)
        with (self.folder / LIST).open("a") as file:
            file.write(f"{line}\n")

    def sweep(self, used: Collection[str], *, of_styles: bool = False) -> None:
        """Remove the thumbnails of paintings or, with `of_styles`, of styles' pictures that no id in `used` names."""
        for thumbnail in self.folder.glob("*.webp"):
            is_due = thumbnail.name.startswith(STYLE) == of_styles
            if is_due and thumbnail.name.removesuffix(".webp").removesuffix("-before") not in used:
                self.remove(thumbnail.name)


def stamp(at: int) -> str:
    """A picture without content. A page may ask for its size even from file://, where it may read no other file."""
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{1 + at % 10_000}" height="{1 + at // 10_000 % 10_000}"/>\n'
