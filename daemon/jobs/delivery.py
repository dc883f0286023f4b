"""The names that a job's files get where they end up: free ones, alike in every folder, and never somebody else's."""

import contextlib
import os
from pathlib import Path
from typing import Literal

from daemon.errors import JobError
from daemon.jobs.record import Job, Outcome
from daemon.storage.files import free_name, move
from daemon.storage.layout import Folders
from daemon.text import escape, escape_lines


def free_output_name(folders: Folders, claim: Job, kind: Literal["delivered", "failed"], extension: str) -> Outcome:
    """One suffix that is free in outbox/, failed/ and done/ alike."""
    ending = os.path.splitext(claim.name)[1]
    places = [base / claim.style / claim.folder for base in (folders.failed, folders.done)]
    extras = [companion[len(claim.name) :] for companion in claim.companions]
    endings = ["", ".txt", *extras]
    outbox = folders.outbox / claim.style / claim.folder

    def painting(name: str) -> str:
        return os.path.splitext(name)[0] + (extension or ending)

    def is_free(name: str) -> bool:
        taken = [place / (name + ending) for place in places for ending in endings]
        return not any(os.path.lexists(path) for path in (outbox / painting(name), *taken))

    if kind == "failed":
        extras.append(".txt")
    room = max(0, len(extension) - len(ending), *map(len, extras))
    name = free_name(claim.name, is_free, room)
    return Outcome(kind, name, painting(name) if kind == "delivered" else "")


def discard_temporary(folders: Folders, claim: Job) -> None:
    """Away with what was painted in vain."""
    easel = folders.outbox / claim.style / claim.folder / f".{claim.id}.tmp"
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        easel.unlink()


def move_or_rename(source: Path, folder: Path, name: str) -> Path:
    """Move to `folder/name`, or beside it when a user's file has come to lie there since the name was chosen."""
    while True:
        try:
            move(source, folder / name)
            return folder / name
        except FileExistsError:
            name = free_name(name, lambda n: not os.path.lexists(folder / n))


def can_move(source: Path, target: Path) -> bool:
    """Whether `source` may be moved there: nothing is there, or, after a power loss, it is there already."""
    try:
        return os.path.samestat(source.lstat(), target.lstat())
    except FileNotFoundError:
        return True


def file_stamp(path: Path) -> tuple[int, int]:
    """(size, mtime_ns): by them, a file that was archived is known again, and one that was put in its place is not."""
    status = path.lstat()
    return status.st_size, status.st_mtime_ns


def reason_text(claim: Job, error: JobError) -> str:
    """What stands in failed/…/photo.jpg.txt; `error`'s own words are its third paragraph's lines."""
    again = f"To try again: styled retry, or move the picture back to inbox/{escape(os.path.dirname(claim.place))}"
    said = f"{escape_lines(error.reason)}\n{escape_lines(error.advice)}"
    return f"{escape(claim.name)} was not painted.\n\n{said}\n\n{again.rstrip('/')}/.\n"
