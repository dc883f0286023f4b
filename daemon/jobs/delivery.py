"""Where the files of a job end up: the painting in outbox/, the original in done/ or, with its reason, in failed/.

The outcome is written into the job's record before it is carried out, so that a crash in between is finished and not
repeated. One suffix serves all folders, and no user's file is ever overwritten.
"""

import contextlib
import dataclasses
import os
import threading
from pathlib import Path
from typing import Literal

from daemon.errors import JobError
from daemon.jobs.record import Job, JobRecords, Outcome
from daemon.storage.files import Handle, free_name, inherit_group, move, sync, write_atomically
from daemon.storage.layout import Folders
from daemon.text import escape, escape_lines


class Delivery:
    """The ends of all jobs of one root. Thread-safe."""

    def __init__(self, folders: Folders, records: JobRecords) -> None:
        self.folders = folders
        self.records = records
        self._names = threading.Lock()  # choosing a name and moving a file onto it is one step

    def temporary_path(self, job: Job) -> Path:
        """The hidden file that becomes the painting, in the painting's folder. Its name is known to this job only."""
        return self.folders.outbox / job.style / job.folder / f".{job.id}.tmp"

    def open_temporary(self, temporary: Path) -> Handle:
        """Make the temporary file and its folder. The file is empty and open for writing."""
        self.folders.make(temporary.parent)
        handle = Handle.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        inherit_group(handle.fd, temporary.parent)
        return handle

    def discard_temporary(self, job: Job) -> None:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            self.temporary_path(job).unlink()

    def deliver(self, job: Job, temporary: Path, extension: str, *, delete_original: bool) -> Path:
        """Give the finished, fsynced temporary file its name, then archive the original. Returns the painting."""
        sync(temporary.parent)  # a missing temporary file means a delivered painting: no power loss may take it
        while True:
            with self._names:
                outcome = self._free_outcome(job, "delivered", extension)
                decided = dataclasses.replace(
                    job, outcome=dataclasses.replace(outcome, delete_original=delete_original)
                )
                self.records.write(decided)
                painting = temporary.with_name(outcome.painting)
                try:
                    move(temporary, painting)
                except FileExistsError:
                    continue  # a user's file took the name meanwhile: choose the next name
                self._finish(decided)
                return painting

    def fail(self, job: Job, error: JobError) -> Path:
        """Set the untouched original aside with its reason. Returns its path in failed/."""
        with self._names:
            outcome = self._free_outcome(job, "failed", "")
            decided = dataclasses.replace(job, outcome=dataclasses.replace(outcome, reason=reason_text(job, error)))
            self.records.write(decided)
            return self._finish(decided)

    def resume(self, job: Job) -> None:
        """Carry out the outcome that the job's record holds, from the point that an earlier try had reached."""
        outcome, temporary = job.outcome, self.temporary_path(job)
        assert outcome is not None
        if outcome.kind == "delivered" and os.path.lexists(temporary):
            # Only its delivery takes the temporary file away, for only this job knows its name. The painting was whole
            # and durable before the outcome was written. A user may have taken a delivered painting away since.
            extension = os.path.splitext(outcome.painting)[1]
            self.deliver(job, temporary, extension, delete_original=outcome.delete_original)
        else:
            self._finish(job)

    def _free_outcome(self, job: Job, kind: Literal["delivered", "failed"], extension: str) -> Outcome:
        """An outcome with one suffix that is free in outbox/, failed/ and done/. `extension`: the painting's."""
        ending = os.path.splitext(job.name)[1]
        archives = [base / job.style / job.folder for base in (self.folders.failed, self.folders.done)]
        extras = [companion[len(job.name) :] for companion in job.companions]
        endings = ["", ".txt", *extras]
        outbox = self.folders.outbox / job.style / job.folder

        def painting(name: str) -> str:
            return os.path.splitext(name)[0] + (extension or ending)

        def is_free(name: str) -> bool:
            archived = [archive / (name + ending) for archive in archives for ending in endings]
            return not any(os.path.lexists(path) for path in (outbox / painting(name), *archived))

        if kind == "failed":
            extras.append(".txt")
        name = free_name(job.name, is_free, max(0, len(extension) - len(ending), *map(len, extras)))
        return Outcome(kind, name, painting(name) if kind == "delivered" else "")

    def _finish(self, job: Job) -> Path:
        """Archive the original as the outcome says, and close the job. Returns the original's new path; with
        `originals: delete` nothing lies there."""
        outcome = job.outcome
        assert outcome is not None
        archive = self.folders.failed if outcome.kind == "failed" else self.folders.done
        folder = archive / job.style / job.folder
        facts: dict[str, object] = {"picture": job.place, "painting": outcome.painting}
        if outcome.kind == "failed":
            self.discard_temporary(job)
            facts = {"picture": job.place, "reason": outcome.reason.split("\n")[2]}
        if outcome.delete_original:
            for name in job.names:
                self.records.photo(job).with_name(name).unlink(missing_ok=True)
        else:
            facts["files"] = self._archive(job, outcome, folder)
        self.records.close(job, outcome.kind, **facts)
        return folder / outcome.name

    def _archive(self, job: Job, outcome: Outcome, folder: Path) -> dict[str, tuple[int, int]]:
        """Move the job's files to `folder`. Returns the stamp of each, by its path below the root."""
        self.folders.make(folder)
        archived: dict[Path, tuple[int, int]] = {}
        if outcome.reason:
            text = folder / f"{outcome.name}.txt"
            write_atomically(text, outcome.reason, durable=True, temporary=folder / f".{job.id}.tmp")
            archived[text] = file_stamp(text)
        for name in job.names:
            source, ending = self.records.photo(job).with_name(name), name[len(job.name) :]
            try:
                stamp = file_stamp(source)
                archived[move_or_rename(source, folder, outcome.name + ending)] = stamp
            except FileNotFoundError:  # moved before a crash, or taken by a person out of work/
                with contextlib.suppress(FileNotFoundError):
                    moved = folder / outcome.name
                    if not ending and file_stamp(moved) == (job.size, job.mtime_ns):
                        archived[moved] = file_stamp(moved)
        return {os.fspath(path.relative_to(self.folders.root)): stamp for path, stamp in archived.items()}


def move_or_rename(source: Path, folder: Path, name: str) -> Path:
    """Move to `folder/name`, or to a free name beside it if a user's file took that name meanwhile."""
    while True:
        try:
            move(source, folder / name)
            return folder / name
        except FileExistsError:
            name = free_name(name, lambda n: not os.path.lexists(folder / n))


def file_stamp(path: Path) -> tuple[int, int]:
    """(size, mtime_ns): tells an archived file from another file that was put in its place."""
    status = path.lstat()
    return status.st_size, status.st_mtime_ns


def reason_text(job: Job, error: JobError) -> str:
    """The content of failed/…/photo.jpg.txt. The error's reason begins on the third line."""
    again = f"To try again: styled retry, or move the picture back to inbox/{escape(os.path.dirname(job.place))}"
    said = f"{escape_lines(error.reason)}\n{escape_lines(error.advice)}"
    return f"{escape(job.name)} was not painted.\n\n{said}\n\n{again.rstrip('/')}/.\n"
