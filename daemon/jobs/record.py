"""A job: its record work/<id>/job.json says where the photo came from and, later, what became of it.

work/<id>/job.json      written first
work/<id>/photo.jpg     the original, renamed out of the inbox, with its sidecar and mask
work/<id>/.made         the painting, or the text with the reason of a failure, until that file is moved out
work/journal            a line when the photo comes into work/ and a line when it leaves work/
"""

import contextlib
import dataclasses
import json
import logging
import os
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from daemon.events import Event, about
from daemon.jobs.journal import Journal
from daemon.previews import Thumbnails
from daemon.provenance import Provenance
from daemon.storage.files import sync, write_atomically
from daemon.storage.layout import Folders
from daemon.text import escape

log = logging.getLogger("styled")

Fate = Literal["delivered", "failed", "spread"]  # spread: copies went to several styles, see spread.py
RECORD = "job.json"
TEMPORARY = f".{RECORD}.tmp"  # write_atomically's
MADE = ".made"
OWN = (MADE, TEMPORARY, RECORD)  # the files in a job's folder that are styled's own


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job. `name`: the archived original's; `painting`: the delivered file's."""

    kind: Fate
    name: str
    painting: str = ""
    reason: str = ""
    delete_original: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """A photo in `work/<id>/`. `folder` is relative to its style's folder, "" at the top; `size` (bytes) and `mtime_ns`
    are the photo's as the inbox saw them."""

    id: str
    style: str
    folder: str
    name: str
    companions: tuple[str, ...] = ()
    outcome: Outcome | None = None
    size: int = -1
    mtime_ns: int = 0
    copy_of: str = ""  # the job that copied this photo, see spread.py

    @property
    def place(self) -> str:
        """The photo's path below inbox/, done/ and the other folders."""
        return os.path.join(self.style, self.folder, self.name)

    @property
    def names(self) -> tuple[str, ...]:
        """All files of the job, the photo last: a photo never stands without its settings."""
        return (*self.companions, self.name)

    def __str__(self) -> str:
        return escape(self.place)


@dataclass(frozen=True, slots=True)
class JobResult:
    """A delivered photo with its record and thumbnails, or a failed one with its reason. `place`: see Job."""

    job: str
    place: str
    style: str
    path: Path  # the painting, or the original in failed/
    reason: str = ""
    seconds: float = 0.0  # of painting
    waited: float = 0.0  # seconds from the claim to the end, without those of painting
    record: Provenance | None = None
    thumbnails: Thumbnails | None = field(default=None, repr=False)
    film: bytes = field(default=b"", repr=False)  # an animated WebP of the painting's making

    @property
    def delivered(self) -> bool:
        return not self.reason


class JobRecords:
    """The folders work/<id> of one root, and the journal that says when each job begins and ends."""

    def __init__(self, folders: Folders) -> None:
        self.work = folders.work
        self.journal = Journal(folders.journal)

    def directory(self, job: Job) -> Path:
        return self.work / job.id

    def photo(self, job: Job) -> Path:
        """The claimed original; sidecar and mask lie beside it."""
        return self.work / job.id / job.name

    def made(self, job: Job) -> Path:
        """The painting or the text with the reason, before that file gets its name in outbox/ or failed/."""
        return self.work / job.id / MADE

    def begin(self, job: Job) -> None:
        """Make the job's folder with its record. If this raises OSError, nothing of the folder is left."""
        self.directory(job).mkdir()
        try:
            self.write(job)
            sync(self.work)
        except OSError:
            with contextlib.suppress(OSError):
                self.remove(job)
            raise

    def write(self, job: Job) -> None:
        write_atomically(self.directory(job) / RECORD, json.dumps(dataclasses.asdict(job)), durable=True)

    def close(self, job: Job, what: str, **facts: object) -> None:
        """Write the job's last line into the journal, then remove its folder. The order holds after a crash, too."""
        self.journal.write(what, job.id, **facts)
        self.remove(job)

    def all(self) -> list[Job]:
        """Every job in hand whose record can be read. The remains of a job that never began are removed."""
        directories = sorted(d for d in self.work.iterdir() if d.is_dir() and not d.is_symlink())
        return [job for directory in directories if (job := self.read(directory)) is not None]

    def read(self, directory: Path) -> Job | None:
        """The job in this folder; None if its record is missing or damaged. A folder without a readable record is left
        alone."""
        name, damaged = escape(str(directory)), about(Event.RECORD_DAMAGED, path=str(directory))
        try:
            return parse((directory / RECORD).read_text(), directory.name)
        except FileNotFoundError:
            for left in (TEMPORARY, MADE):  # of a daemon that was killed before it claimed anything
                with contextlib.suppress(FileNotFoundError):
                    (directory / left).unlink()
            try:
                directory.rmdir()
            except FileNotFoundError:
                pass
            except OSError:
                log.warning("%s holds files but no record of a job; run `styled doctor`", name, extra=damaged)
        except (ValueError, TypeError, KeyError) as error:
            text = "%s: the record of this job cannot be read (%s); run `styled doctor`"
            log.error(text, name, error, extra=damaged)
        return None

    def remove(self, job: Job) -> None:
        """Remove the job's folder with its record, without a line in the journal."""
        directory = self.directory(job)
        for name in OWN:
            (directory / name).unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            directory.rmdir()
        sync(self.work)


def new_id() -> str:
    """A job's id: the time of the claim and random digits."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"


def parse(text: str, name: str) -> Job:
    """The record in the folder `name`. Raises ValueError, TypeError or KeyError if `text` is no such record.

    Checked by hand: names of files may hold bytes that are not UTF-8, and pydantic refuses such texts.
    """
    record: dict[str, Any] = json.loads(text)
    outcome = record.pop("outcome")
    record["companions"] = tuple(record["companions"])
    job = Job(**record, outcome=Outcome(**outcome) if outcome else None)
    names = [job.id, job.style, *job.names]
    if job.outcome is not None:
        names += [job.outcome.name, job.outcome.painting or "-"]
    parts = [part for part in job.folder.split("/") if job.folder]
    if job.id != name or not all(_is_file_name(each) for each in (*names, *parts)):
        raise ValueError("it names files outside its folders")
    return job


def _is_file_name(name: str) -> bool:
    return bool(name) and name not in (".", "..") and "/" not in name and "\0" not in name
