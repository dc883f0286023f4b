"""One picture's life on disk: claimed out of the inbox, then put back, delivered or failed; and the same again
after a crash, from whatever point it had reached.

    work/<id>/job.json      written first: where the picture came from and, later, what became of it
    work/<id>/photo.jpg     the original, by rename out of the inbox, with its sidecar and mask

An outcome is written down before it is carried out, so that a crash in between is finished and not repeated.
"""

import contextlib
import dataclasses
import errno
import json
import logging
import os
import secrets
import stat
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from daemon.canvas import Handle
from daemon.errors import JobError, Unsettled
from daemon.folders import Folders, free_name, make, move, sync, write_whole
from daemon.listing import Arrival, Signature
from daemon.names import shown

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
class Claim:
    """A picture that is ours: `work/<id>/` holds it. `folder` is relative to its style's folder, "" at the top."""

    id: str
    style: str
    folder: str
    name: str
    companions: tuple[str, ...] = ()
    outcome: Outcome | None = None

    def __str__(self) -> str:
        return shown(os.path.join(self.style, self.folder, self.name))


class Claims:
    """All jobs in hand of one root. Thread-safe."""

    def __init__(self, folders: Folders) -> None:
        self.folders = folders
        self._names = threading.Lock()  # choosing a name and moving onto it is one step

    def directory(self, claim: Claim) -> Path:
        return self.folders.work / claim.id

    def photo(self, claim: Claim) -> Path:
        return self.directory(claim) / claim.name

    def take(self, arrival: Arrival) -> Claim | None:
        """Claim by rename. None: somebody took it away before us. The companions go first, so that a crash in
        between leaves them to be put back, and never a photo without its settings."""
        source = Path(arrival.path)
        claim = Claim(_new_id(), arrival.style, arrival.folder, arrival.name, arrival.companions)
        directory = self.directory(claim)
        directory.mkdir()
        self._record(claim)
        sync(self.folders.work)
        present = []
        for companion in arrival.companions:
            with contextlib.suppress(FileNotFoundError):
                move(source.with_name(companion), directory / companion)
                present.append(companion)
        claim = dataclasses.replace(claim, companions=tuple(present))
        try:
            move(source, self.photo(claim))
        except FileNotFoundError:
            self.put_back(claim)
            return None
        except OSError:
            self.put_back(claim)
            raise
        self._forget_reason(claim)
        return claim

    def open(self, claim: Claim, signature: Signature) -> Handle:
        """The claimed photo, open for reading and made durable. Unsettled: it is not what the inbox saw."""
        try:
            handle = Handle.open(self.photo(claim), os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO):  # swapped for a link or a socket as we claimed it
                raise Unsettled from None
            raise
        status = os.fstat(handle.fd)
        if not stat.S_ISREG(status.st_mode) or Signature.of(status) != signature:
            raise Unsettled
        os.fsync(handle.fd)  # its writer may not have done so, and from here on it is ours to keep
        return handle

    def check_unchanged(self, claim: Claim, signature: Signature) -> None:
        """Unsettled: the photo was written to or replaced since `open`."""
        try:
            status = self.photo(claim).lstat()
        except FileNotFoundError:
            raise Unsettled from None
        if Signature.of(status) != signature:
            raise Unsettled

    def companion(self, claim: Claim, ending: str) -> Handle | None:
        """The claimed sidecar (".yaml") or mask (".mask.png"), open for reading, if there is one."""
        name = claim.name + ending
        if name not in claim.companions:
            return None
        return Handle.open(self.directory(claim) / name, os.O_RDONLY | os.O_NONBLOCK)

    def easel(self, claim: Claim) -> Path:
        """The hidden temporary name, in the folder where the painting will appear, that belongs to this job."""
        folder = self.folders.outbox / claim.style / claim.folder
        make(folder)
        return folder / f".{claim.id}.tmp"

    def deliver(self, claim: Claim, extension: str, *, delete_original: bool) -> Path:
        """Give the finished, fsynced easel its name, then archive the original. Returns the painting's path."""
        easel = self.easel(claim)
        while True:
            with self._names:
                outcome = self._choose(claim, "delivered", extension)
                outcome = dataclasses.replace(outcome, delete_original=delete_original)
                claim = dataclasses.replace(claim, outcome=outcome)
                self._record(claim)
                try:
                    move(easel, easel.with_name(outcome.painting))
                except FileExistsError:
                    continue  # a user's file came in between: the next name, then
            self.finish(claim)
            return easel.with_name(outcome.painting)

    def fail(self, claim: Claim, error: JobError) -> Path:
        """Set the untouched original aside with its reason. Returns its path in failed/."""
        with self._names:
            outcome = dataclasses.replace(self._choose(claim, "failed", ""), reason=_reason(claim, error))
            claim = dataclasses.replace(claim, outcome=outcome)
            self._record(claim)
            return self.finish(claim)

    def finish(self, claim: Claim) -> Path:
        """Carry out the recorded outcome, from whatever point an earlier try had reached. Returns the
        original's path, which no longer exists if it was to be deleted."""
        outcome = claim.outcome
        assert outcome is not None
        archive = self.folders.failed if outcome.kind == "failed" else self.folders.done
        folder = archive / claim.style / claim.folder
        self._clear_easel(claim)
        if outcome.delete_original:
            for name in (*claim.companions, claim.name):
                (self.directory(claim) / name).unlink(missing_ok=True)
        else:
            make(folder)
            if outcome.reason:
                write_whole(folder / f"{outcome.name}.txt", outcome.reason, folder / f".{claim.id}.tmp")
            for name in (*claim.companions, claim.name):
                with contextlib.suppress(FileNotFoundError):
                    _move_somewhere(self.directory(claim) / name, folder, outcome.name + name[len(claim.name) :])
        self._close(claim)
        return folder / outcome.name

    def put_back(self, claim: Claim) -> None:
        """Back into the inbox, as if it had not been claimed; under another name if its own is taken by now."""
        self._clear_easel(claim)
        folder = self.folders.inbox / claim.style / claim.folder
        names = [n for n in (*claim.companions, claim.name) if os.path.lexists(self.directory(claim) / n)]
        if names:
            make(folder)
        with self._names:
            extras = [own[len(claim.name) :] for own in names]
            name = free_name(
                claim.name,
                lambda n: not any(os.path.lexists(folder / (n + extra)) for extra in extras),
                max(map(len, extras), default=0),
            )
            for own, extra in zip(names, extras, strict=True):
                move(self.directory(claim) / own, folder / (name + extra))
        self._close(claim)

    def recover(self) -> tuple[int, int]:
        """After a crash: finish what was decided, put back what was not. Returns how many of each."""
        directories = sorted(d for d in self.folders.work.iterdir() if d.is_dir() and not d.is_symlink())
        claims = [claim for directory in directories if (claim := self._read(directory)) is not None]
        finished = [self._resolve(claim) for claim in claims]
        return finished.count(True), finished.count(False)

    def abandon(self, claim: Claim) -> None:
        """The same for one job whose way was broken off, from whatever point it had reached."""
        recorded = self._read(self.directory(claim))
        if recorded is not None:
            self._resolve(recorded)

    def _resolve(self, claim: Claim) -> bool:
        """Whether the job was finished; otherwise it was put back."""
        decided = claim.outcome is not None and not self._undelivered(claim, claim.outcome)
        if decided:
            self.finish(claim)
        else:
            self.put_back(claim)
        return decided

    def _undelivered(self, claim: Claim, outcome: Outcome) -> bool:
        """Whether the painting still lies under its temporary name. It vanishes only by being delivered, because
        nobody else knows the name; a user may have taken the delivered painting away since."""
        return outcome.kind == "delivered" and os.path.lexists(self.easel(claim))

    def _read(self, directory: Path) -> Claim | None:
        try:
            record = json.loads((directory / RECORD).read_text())
            outcome = record.pop("outcome")
            record["companions"] = tuple(record["companions"])
            return Claim(**record, outcome=Outcome(**outcome) if outcome else None)
        except FileNotFoundError:
            (directory / f".{RECORD}.tmp").unlink(missing_ok=True)  # killed before anything was claimed
            try:
                directory.rmdir()
            except OSError:
                log.warning("%s holds files but no record of a job; it is left alone", directory)
        except (ValueError, TypeError, KeyError) as error:
            log.error("%s: the record of this job cannot be read (%s); it is left alone", directory, error)
        return None

    def _choose(self, claim: Claim, kind: Literal["delivered", "failed"], extension: str) -> Outcome:
        """One suffix that is free in outbox/, failed/ and done/ alike."""
        ending = os.path.splitext(claim.name)[1]
        places = [base / claim.style / claim.folder for base in (self.folders.failed, self.folders.done)]
        endings = ["", ".txt", *(companion[len(claim.name) :] for companion in claim.companions)]
        outbox = self.folders.outbox / claim.style / claim.folder

        def painting(name: str) -> str:
            return os.path.splitext(name)[0] + (extension or ending)

        def is_free(name: str) -> bool:
            taken = [place / (name + ending) for place in places for ending in endings]
            return not any(os.path.lexists(path) for path in (outbox / painting(name), *taken))

        extras = [companion[len(claim.name) :] for companion in claim.companions]
        if kind == "failed":
            extras.append(".txt")
        room = max(0, len(extension) - len(ending), *map(len, extras))
        name = free_name(claim.name, is_free, room)
        return Outcome(kind, name, painting(name) if kind == "delivered" else "")

    def _record(self, claim: Claim) -> None:
        directory = self.directory(claim)
        write_whole(directory / RECORD, json.dumps(dataclasses.asdict(claim)), directory / f".{RECORD}.tmp")

    def _forget_reason(self, claim: Claim) -> None:
        """A picture that comes back from failed/ is a new try, and its old reason is no longer true."""
        folder = self.folders.failed / claim.style / claim.folder
        if not os.path.lexists(folder / claim.name):
            with contextlib.suppress(OSError):
                (folder / f"{claim.name}.txt").unlink()

    def _clear_easel(self, claim: Claim) -> None:
        easel = self.folders.outbox / claim.style / claim.folder / f".{claim.id}.tmp"
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            easel.unlink()

    def _close(self, claim: Claim) -> None:
        directory = self.directory(claim)
        for name in (RECORD, f".{RECORD}.tmp"):
            (directory / name).unlink(missing_ok=True)
        directory.rmdir()
        sync(self.folders.work)


def _move_somewhere(source: Path, folder: Path, name: str) -> None:
    """Move to `folder/name`, or beside it when a user's file has come to lie there since the name was chosen."""
    while True:
        try:
            return move(source, folder / name)
        except FileExistsError:
            name = free_name(name, lambda n: not os.path.lexists(folder / n))


def _new_id() -> str:
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"


def _reason(claim: Claim, error: JobError) -> str:
    again = f"To try again, move the picture back to inbox/{shown(os.path.join(claim.style, claim.folder))}"
    return f"{shown(claim.name)} was not painted.\n\n{error.reason}\n{error.advice}\n\n{again.rstrip('/')}/.\n"
