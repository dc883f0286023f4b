"""`styled retry`: move pictures from failed/ back into the inbox, with their sidecars, and delete their reasons."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from daemon.errors import JobError
from daemon.filenames import MASK, SIDECAR, is_photo
from daemon.storage.files import free_name
from daemon.storage.folder import move
from daemon.storage.layout import Folders
from daemon.text import escape, words

REASON = ".txt"


def retry(folders: Folders, file: str) -> Path:
    """Move a picture back into the inbox and return its new path. Raises JobError if failed/ has no such picture.

    `file`: the picture's path, the path of its reason, or its name below failed/.
    """
    picture = _find(folders, file)
    home = folders.spelled(folders.inbox / picture.relative_to(folders.failed).parent)
    if home == folders.inbox:
        raise JobError(f"{file} is in no style's folder of failed/.", "Move this file into the inbox yourself.")
    with folders.enter(picture.parent) as failed, folders.enter(home, make=True) as inbox:
        endings = [each for each in (SIDECAR, MASK) if failed.holds(picture.name + each)]
        name = free_name(
            picture.name,
            lambda n: not any(inbox.holds(n + ending) for ending in ("", *endings)),
            max(map(len, endings), default=0),
            folders.longest_name,
        )
        for ending in (*endings, ""):  # the photo moves last: from then on a daemon may claim it
            move(failed, picture.name + ending, inbox, name + ending)
        with contextlib.suppress(FileNotFoundError):
            failed.remove(picture.name + REASON)
    return home / name


def all_failed(folders: Folders) -> Iterator[Path]:
    """Every picture in failed/ with its reason beside it."""
    with folders.enter(folders.failed) as failed:
        found = {folder.path / name for folder, name in failed.walk()}
    for reason in sorted(each for each in found if each.name.endswith(REASON)):
        picture = reason.with_name(reason.name.removesuffix(REASON))
        if is_photo(picture.name) and picture in found:
            yield picture


def _find(folders: Folders, file: str) -> Path:
    failed = folders.failed.resolve()
    if not os.path.dirname(file) and not os.path.lexists(file):  # a bare name, if only one style has it
        found = [path for path in all_failed(folders) if path.name == file.removesuffix(REASON)]
        if len(found) > 1:
            names = [escape(str(path.relative_to(folders.failed))) for path in found]
            raise JobError(f"There are {words(names, 'and')} in failed/.", f"Say which: styled retry {names[0]}")
        file = str(found[0]) if found else file
    for name in (file, file.removesuffix(REASON)):
        for path in (Path(name).absolute(), folders.spelled(folders.failed / name)):
            folder = path.parent.resolve()
            if is_photo(path.name) and folder.is_relative_to(failed) and path.is_file() and not path.is_symlink():
                return folders.failed / folder.relative_to(failed) / path.name
    raise JobError(f"{file} is no picture in {folders.failed}.", "See what is there: ls failed/*")
