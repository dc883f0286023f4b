"""Films of paintings, put beside them: outbox/starry/photo.film.webp beside photo.jpg."""

import contextlib
from pathlib import Path

from daemon.filenames import FILM
from daemon.storage.files import truncated_file, write_all
from daemon.storage.folder import adopt, rename_new
from daemon.storage.layout import Folders

_MADE = "film-"  # in work/, where nobody else writes


def forget_unfinished(folders: Folders) -> None:
    """Remove unfinished films, which a crash left in work/."""
    for left in folders.work.glob(f"{_MADE}*{FILM}"):
        left.unlink(missing_ok=True)


def put_beside(folders: Folders, job: str, painting: Path, film: bytes) -> bool:
    """Give the film its name beside the painting, unless something has that name: nothing is ever overwritten. Returns
    whether the film lies there. Raises OSError."""
    name = f"{_MADE}{job}{FILM}"
    made = folders.work / name
    try:
        with truncated_file(made, 0o666) as fd:
            write_all(fd, film)
        with folders.enter(painting.parent) as place, folders.enter(folders.work) as work:
            adopt(work.file(name), place)
            rename_new(work, name, place, painting.stem + FILM)
    except FileExistsError:
        return False
    finally:
        with contextlib.suppress(OSError):
            made.unlink(missing_ok=True)
    return True
