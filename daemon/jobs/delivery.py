"""Where the files of a job end up: the painting in outbox/, the original in done/ or, with its reason, in failed/.

The painting or the reason is made in work/<id>/, where nobody else may write. Then the outcome is written into the
job's record, and only then is it carried out, so that a delivery is finished after a crash and not repeated. The files
of a job get the same suffix in all folders, and no user's file is ever overwritten.
"""

import contextlib
import dataclasses
import os
import stat
import threading
from pathlib import Path
from typing import Literal

from daemon.errors import JobError
from daemon.jobs.record import MADE, Fate, Job, JobRecords, Outcome
from daemon.storage.files import Handle, free_name, sync, truncated_file, write_all
from daemon.storage.folder import Folder, adopt, move
from daemon.storage.layout import Folders
from daemon.text import escape, escape_lines

REASON = ".txt"


class Delivery:
    """Delivers or sets aside the jobs of one root. Thread-safe."""

    def __init__(self, folders: Folders, records: JobRecords) -> None:
        self.folders = folders
        self.records = records
        self._names = threading.Lock()  # guards the choice of a name until the file has that name

    def open_temporary(self, job: Job) -> Handle:
        """The file that becomes the painting, empty and open for writing."""
        return Handle.open(self.records.made(job), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

    def discard_temporary(self, job: Job) -> None:
        self.records.made(job).unlink(missing_ok=True)

    def deliver(self, job: Job, extension: str, *, delete_original: bool) -> Path:
        """Give the finished, fsynced painting its name, then archive the original. Returns the painting's path."""
        sync(self.records.directory(job))  # a missing file means a delivered painting, also after a power loss
        with self._names:
            outcome = dataclasses.replace(
                self._free_outcome(job, "delivered", extension), delete_original=delete_original
            )
            return self._carry_out(self._decided(job, outcome))

    def fail(self, job: Job, error: JobError) -> Path:
        """Set the untouched original aside with its reason. Returns its path in failed/."""
        reason = reason_text(job, error)
        with truncated_file(self.records.made(job), 0o666) as fd:
            write_all(fd, reason.encode("utf-8", "surrogateescape"))
            os.fsync(fd)
        sync(self.records.directory(job))
        with self._names:
            outcome = dataclasses.replace(self._free_outcome(job, "failed", ""), reason=reason)
            return self._carry_out(self._decided(job, outcome))

    def resume(self, job: Job) -> None:
        """Carry out the outcome that the job's record holds, from the point that an earlier try had reached."""
        with self._names:
            self._carry_out(job)

    def take_over(self, job: Job) -> None:
        """Move a painting that an earlier version made in outbox/, beside its later place, into work/."""
        with contextlib.suppress(OSError), self.folders.enter(self._place("outbox", job)) as outbox:
            name = f".{job.id}.tmp"
            if stat.S_ISREG(outbox.stat(name).st_mode):
                with self.folders.enter(self.records.directory(job)) as work:
                    move(outbox, name, work, MADE)

    def _place(self, top: Literal["outbox", "done", "failed"], job: Job) -> Path:
        place: Path = getattr(self.folders, top) / job.style / job.folder
        return place

    def _free_outcome(self, job: Job, kind: Fate, extension: str) -> Outcome:
        """An outcome with one suffix that is free in outbox/, failed/ and done/. `extension`: the painting's."""
        ending = os.path.splitext(job.name)[1]
        extras = [companion[len(job.name) :] for companion in job.companions]
        endings = ["", REASON, *extras]

        def painting(name: str) -> str:
            return os.path.splitext(name)[0] + (extension or ending)

        with contextlib.ExitStack() as opened:
            outbox, *archives = (self._opened(opened, self._place(top, job)) for top in ("outbox", "failed", "done"))

            def is_free(name: str) -> bool:
                taken = [archive.holds(name + each) for archive in archives if archive for each in endings]
                return not any(taken) and not (outbox and outbox.holds(painting(name)))

            if kind == "failed":
                extras.append(REASON)
            extra = max(0, len(extension) - len(ending), *map(len, extras))
            name = free_name(job.name, is_free, extra, self.folders.longest_name)
        return Outcome(kind, name, painting(name) if kind == "delivered" else "")

    def _opened(self, opened: contextlib.ExitStack, place: Path) -> Folder | None:
        """The open folder. None if there is no such folder, or if the way is blocked: then the move raises the
        reason."""
        with contextlib.suppress(OSError):
            return opened.enter_context(self.folders.enter(place))
        return None

    def _decided(self, job: Job, outcome: Outcome) -> Job:
        """Write the outcome into the job's record. From here on, a crash changes nothing."""
        decided = dataclasses.replace(job, outcome=outcome)
        self.records.write(decided)
        return decided

    def _carry_out(self, job: Job) -> Path:
        """Move the painting or the reason onto its name, archive the original, and close the job. Returns the
        painting's path or the failed original's. If a user's file took the name meanwhile, the next free name is
        chosen."""
        while True:
            outcome = job.outcome
            assert outcome is not None
            is_failed = outcome.kind == "failed"
            place = self._place("failed" if is_failed else "outbox", job)
            made = outcome.name + REASON if is_failed else outcome.painting
            try:
                stamp = self._publish(job, place, made)
            except FileExistsError:
                again = self._free_outcome(job, outcome.kind, os.path.splitext(outcome.painting)[1])
                again = dataclasses.replace(again, reason=outcome.reason, delete_original=outcome.delete_original)
                job = self._decided(job, again)
                continue
            files = {} if outcome.delete_original else self._archive(job, outcome)
            facts: dict[str, object] = {"picture": job.place, "painting": outcome.painting}
            if is_failed:
                facts = {"picture": job.place, "reason": outcome.reason.split("\n")[2]}
                files |= {place / made: stamp} if stamp else {}
            if outcome.delete_original:
                for name in job.names:
                    self.records.photo(job).with_name(name).unlink(missing_ok=True)
            else:
                facts["files"] = {os.fspath(path.relative_to(self.folders.root)): each for path, each in files.items()}
            self.records.close(job, outcome.kind, **facts)
            return place / (outcome.name if is_failed else made)

    def _publish(self, job: Job, place: Path, name: str) -> tuple[int, int] | None:
        """Move what the job made to `place/name`, unless an earlier try has done so. Returns the stamp of the file."""
        try:
            made = Handle.open(self.records.made(job), os.O_RDONLY)
        except FileNotFoundError:  # only this move takes it away; a user may have taken the painting since
            with contextlib.suppress(OSError), self.folders.enter(place) as folder:
                return folder.stamp(name)
            return None
        with self.folders.enter(self.records.directory(job)) as work, self.folders.enter(place, make=True) as folder:
            adopt(made, folder)
            move(work, MADE, folder, name)
            return folder.stamp(name)

    def _archive(self, job: Job, outcome: Outcome) -> dict[Path, tuple[int, int]]:
        """Move the job's own files to done/ or failed/. Returns the stamp of each."""
        place = self._place("failed" if outcome.kind == "failed" else "done", job)
        archived: dict[Path, tuple[int, int]] = {}
        with self.folders.enter(self.records.directory(job)) as work, self.folders.enter(place, make=True) as folder:
            for source in job.names:
                ending = source[len(job.name) :]
                try:
                    stamp = work.stamp(source)
                    archived[place / move_or_rename(work, source, folder, outcome.name + ending)] = stamp
                except FileNotFoundError:  # moved before a crash, or taken by a person out of work/
                    with contextlib.suppress(FileNotFoundError):
                        stamp = folder.stamp(outcome.name)
                        if not ending and stamp == (job.size, job.mtime_ns):
                            archived[place / outcome.name] = stamp
        return archived


def move_or_rename(source: Folder, name: str, target: Folder, wanted: str) -> str:
    """Move to the name `wanted`, or to a free name beside it if a user's file took that name meanwhile. Returns it."""
    while True:
        try:
            move(source, name, target, wanted)
            return wanted
        except FileExistsError:
            wanted = free_name(wanted, lambda each: not target.holds(each))


def reason_text(job: Job, error: JobError) -> str:
    """The content of failed/…/photo.jpg.txt. The error's reason begins on the third line."""
    again = f"To try again: styled retry NAME, or move the picture back to inbox/{escape(os.path.dirname(job.place))}"
    said = f"{escape_lines(error.reason)}\n{escape_lines(error.advice)}"
    return f"{escape(job.name)} was not painted.\n\n{said}\n\n{again.rstrip('/')}/.\n"
