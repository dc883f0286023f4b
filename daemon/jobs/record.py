"""A job's record, work/<id>/job.json: where the picture came from and, later, what became of it."""

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

from daemon.previews import Thumbnails
from daemon.provenance import Provenance
from daemon.storage.files import sync, write_atomically
from daemon.text import escape

log = logging.getLogger("styled")

RECORD = "job.json"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job: `name` is the original's from now on, `painting` the delivered file's."""

    kind: Literal["delivered", "failed"]
    name: str
    painting: str = ""
    reason: str = ""
    delete_original: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """A picture that is ours: `work/<id>/` holds it. `folder` is relative to its style's folder, "" at the top;
    `size` (bytes) and `mtime_ns` are the photo's as the inbox saw it."""

    id: str
    style: str
    folder: str
    name: str
    companions: tuple[str, ...] = ()
    outcome: Outcome | None = None
    size: int = -1
    mtime_ns: int = 0

    @property
    def place(self) -> str:
        """The picture's path below inbox/, done/ and the others."""
        return os.path.join(self.style, self.folder, self.name)

    @property
    def names(self) -> tuple[str, ...]:
        """All files of the job, the photo last: it never stands without its settings."""
        return (*self.companions, self.name)

    def __str__(self) -> str:
        return escape(self.place)


class Records:
    """The records of one work/."""

    def __init__(self, work: Path) -> None:
        self.work = work

    def directory(self, claim: Job) -> Path:
        return self.work / claim.id

    def begin(self, claim: Job) -> None:
        """Make the job's folder with its record. OSError: nothing of it is left."""
        directory = self.directory(claim)
        directory.mkdir()
        try:
            self.write(claim)
            sync(self.work)
        except OSError:
            with contextlib.suppress(OSError):
                self.remove(claim)
            raise

    def write(self, claim: Job) -> None:
        directory = self.directory(claim)
        write_atomically(directory / RECORD, json.dumps(dataclasses.asdict(claim)), directory / f".{RECORD}.tmp")

    def remove(self, claim: Job) -> None:
        """The job has ended: its folder, which is empty by now, goes with its record."""
        directory = self.directory(claim)
        for name in (f".{RECORD}.tmp", RECORD):
            (directory / name).unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            directory.rmdir()
        sync(self.work)

    def all(self) -> list[Job]:
        """Every job in hand that can be read; what is left of one that never began is removed."""
        return [claim for directory in self.directories() if (claim := self.read(directory)) is not None]

    def directories(self) -> list[Path]:
        return sorted(d for d in self.work.iterdir() if d.is_dir() and not d.is_symlink())

    def read(self, directory: Path) -> Job | None:
        """None: there is no record, or none that can be understood; that folder is left alone."""
        try:
            return parse((directory / RECORD).read_text(), directory.name)
        except FileNotFoundError:
            with contextlib.suppress(FileNotFoundError):
                (directory / f".{RECORD}.tmp").unlink()  # killed before anything was claimed
            try:
                directory.rmdir()
            except FileNotFoundError:
                pass
            except OSError:
                log.warning("%s holds files but no record of a job; `styled doctor` tells more", escape(str(directory)))
        except (ValueError, TypeError, KeyError) as error:
            name = escape(str(directory))
            log.error("%s: the record of this job cannot be read (%s); `styled doctor` tells more", name, error)
        return None


def new_id() -> str:
    """Of a job: when it was claimed, and something that no other has."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"


def parse(text: str, name: str) -> Job:
    """The record in the folder `name`. ValueError, TypeError, KeyError: it is none."""
    record: dict[str, Any] = json.loads(text)
    outcome = record.pop("outcome")
    record["companions"] = tuple(record["companions"])
    claim = Job(**record, outcome=Outcome(**outcome) if outcome else None)
    names = [claim.id, claim.style, *claim.names]
    if claim.outcome is not None:
        names += [claim.outcome.name, claim.outcome.painting or "-"]
    parts = [part for part in claim.folder.split("/") if claim.folder]
    if claim.id != name or not all(_is_plain(each) for each in (*names, *parts)):
        raise ValueError("it names files outside its folders")
    return claim


def _is_plain(name: str) -> bool:
    return bool(name) and name not in (".", "..") and "/" not in name and "\0" not in name


@dataclass(frozen=True, slots=True)
class JobResult:
    """Delivered, with its record and thumbnails, or failed, with its reason. `place`: the photo's path below inbox/."""

    job: str
    place: str
    style: str
    path: Path  # the painting, or the original in failed/
    reason: str = ""
    seconds: float = 0.0  # of the whole way
    record: Provenance | None = None
    thumbnails: Thumbnails | None = field(default=None, repr=False)

    @property
    def delivered(self) -> bool:
        return not self.reason
