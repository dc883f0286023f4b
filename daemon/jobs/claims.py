"""One picture's life on disk: claimed out of the inbox, then put back, delivered or failed; and the same again
after a crash, from whatever point it had reached.

    work/<id>/job.json      written first: where the picture came from and, later, what became of it
    work/<id>/photo.jpg     the original, by rename out of the inbox, with its sidecar and mask
    work/journal            a line when it is ours and a line when it no longer is

An outcome is written down before it is carried out, so that a crash in between is finished and not repeated.
"""

import contextlib
import dataclasses
import errno
import logging
import os
import stat
import threading
from pathlib import Path

from daemon.errors import JobError, SourceChanged, Unreadable
from daemon.inbox.scan import InboxPhoto, Signature
from daemon.jobs.delivery import can_move, discard_temporary, file_stamp, free_output_name, move_or_rename, reason_text
from daemon.jobs.journal import Journal
from daemon.jobs.record import Job, Outcome, Records, new_id
from daemon.storage.files import Handle, free_name, inherit_group, move, sha256, sync, write_atomically
from daemon.storage.layout import Folders

log = logging.getLogger("styled")


class JobStore:
    """All jobs in hand of one root. Thread-safe."""

    def __init__(self, folders: Folders) -> None:
        self.folders = folders
        self.records = Records(folders.work)
        self.ledger = Journal(folders.journal)
        self._names = threading.Lock()  # choosing a name and moving onto it is one step
        self._rescue = threading.Lock()  # guards the next; a job is taken back by one thread at a time
        self._stranded: dict[str, Job] = {}  # abandoned while the disk did not let them go anywhere

    def photo(self, claim: Job) -> Path:
        return self.records.directory(claim) / claim.name

    def take(self, arrival: InboxPhoto) -> Job | None:
        """Claim by rename. None: somebody took it away before us. The companions go first, so that a crash in
        between leaves them to be put back, and never a photo without its settings."""
        source, seen = Path(arrival.path), arrival.signature
        claim = Job(new_id(), arrival.style, arrival.folder, arrival.name, arrival.companions)
        claim = dataclasses.replace(claim, size=seen.size, mtime_ns=seen.mtime_ns)
        self.records.begin(claim)
        present = []
        try:
            for companion in arrival.companions:
                with contextlib.suppress(FileNotFoundError):
                    move(source.with_name(companion), self.photo(claim).with_name(companion))
                    present.append(companion)
            move(source, self.photo(claim))
        except FileNotFoundError:
            self.put_back(claim)
            return None
        except OSError:
            self.abandon(claim)
            raise
        self._forget_reason(claim)
        return dataclasses.replace(claim, companions=tuple(present))

    def open(self, claim: Job, signature: Signature) -> tuple[Handle, str]:
        """The claimed photo, open for reading, made durable and entered in the journal, and its SHA-256. SourceChanged:
        it is not what the inbox saw. Unreadable: the disk's fault, or so it seems."""
        try:
            handle = Handle.open(self.photo(claim), os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO):  # swapped for a link or a socket as we claimed it
                raise SourceChanged from None
            raise
        status = os.fstat(handle.fd)
        if not stat.S_ISREG(status.st_mode) or Signature.of(status) != signature:
            raise SourceChanged
        os.fsync(handle.fd)  # its writer may not have done so, and from here on it is ours to keep
        try:
            digest = sha256(handle.fd)
        except OSError as error:
            raise Unreadable(f"the disk cannot read it ({error.strerror})") from None
        facts = {"size": status.st_size, "mtime_ns": status.st_mtime_ns}
        self.ledger.write("claimed", claim.id, picture=claim.place, sha256=digest, **facts)
        return handle, digest

    def check_unchanged(self, claim: Job, signature: Signature) -> None:
        """SourceChanged: the photo was written to or replaced since `open`."""
        try:
            status = self.photo(claim).lstat()
        except FileNotFoundError:
            raise SourceChanged from None
        if Signature.of(status) != signature:
            raise SourceChanged

    def companion(self, claim: Job, ending: str) -> Handle | None:
        """The claimed sidecar (".yaml") or mask (".mask.png"), open for reading, if there is one."""
        name = claim.name + ending
        if name not in claim.companions:
            return None
        return Handle.open(self.photo(claim).with_name(name), os.O_RDONLY | os.O_NONBLOCK)

    def easel(self, claim: Job) -> Path:
        """The hidden temporary name, in the folder where the painting will appear, that belongs to this job."""
        folder = self.folders.outbox / claim.style / claim.folder
        self.folders.make(folder)
        return folder / f".{claim.id}.tmp"

    def canvas(self, claim: Job) -> Handle:
        """The easel, empty and open for writing."""
        easel = self.easel(claim)
        handle = Handle.open(easel, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        inherit_group(handle.fd, easel.parent)
        return handle

    def deliver(self, claim: Job, extension: str, *, delete_original: bool) -> Path:
        """Give the finished, fsynced easel its name, then archive the original. Returns the painting's path."""
        easel = self.easel(claim)
        sync(easel.parent)  # an easel that is gone means that it was delivered: no power loss may take it
        while True:
            with self._names:
                outcome = free_output_name(self.folders, claim, "delivered", extension)
                outcome = dataclasses.replace(outcome, delete_original=delete_original)
                claim = dataclasses.replace(claim, outcome=outcome)
                self.records.write(claim)
                try:
                    move(easel, easel.with_name(outcome.painting))
                except FileExistsError:
                    continue  # a user's file came in between: the next name, then
            self.finish(claim)
            return easel.with_name(outcome.painting)

    def fail(self, claim: Job, error: JobError) -> Path:
        """Set the untouched original aside with its reason. Returns its path in failed/."""
        with self._names:
            outcome = dataclasses.replace(
                free_output_name(self.folders, claim, "failed", ""), reason=reason_text(claim, error)
            )
            claim = dataclasses.replace(claim, outcome=outcome)
            self.records.write(claim)
            return self.finish(claim)

    def finish(self, claim: Job) -> Path:
        """Carry out the recorded outcome, from whatever point an earlier try had reached. Returns the
        original's path, which no longer exists if it was to be deleted."""
        outcome = claim.outcome
        assert outcome is not None
        archive = self.folders.failed if outcome.kind == "failed" else self.folders.done
        folder = archive / claim.style / claim.folder
        facts: dict[str, object] = {"picture": claim.place, "painting": outcome.painting}
        if outcome.kind == "failed":
            discard_temporary(self.folders, claim)
            facts = {"picture": claim.place, "reason": outcome.reason.split("\n")[2]}
        if outcome.delete_original:
            for name in claim.names:
                self.photo(claim).with_name(name).unlink(missing_ok=True)
        else:
            facts["files"] = self._archive(claim, outcome, folder)
        self._close(claim, outcome.kind, **facts)
        return folder / outcome.name

    def _archive(self, claim: Job, outcome: Outcome, folder: Path) -> dict[str, tuple[int, int]]:
        """The job's files go to `folder`. Returns what the journal is to know them by, by their paths."""
        self.folders.make(folder)
        found: dict[Path, tuple[int, int]] = {}
        if outcome.reason:
            text = folder / f"{outcome.name}.txt"
            write_atomically(text, outcome.reason, folder / f".{claim.id}.tmp")
            found[text] = file_stamp(text)
        for name in claim.names:
            source, ending = self.photo(claim).with_name(name), name[len(claim.name) :]
            try:
                its = file_stamp(source)
                found[move_or_rename(source, folder, outcome.name + ending)] = its
            except FileNotFoundError:  # moved before a crash, or taken by somebody who had no business here
                with contextlib.suppress(FileNotFoundError):
                    moved = folder / outcome.name
                    if not ending and file_stamp(moved) == (claim.size, claim.mtime_ns):
                        found[moved] = file_stamp(moved)
        return {os.fspath(path.relative_to(self.folders.root)): its for path, its in found.items()}

    def put_back(self, claim: Job) -> None:
        """Back into the inbox, as if it had not been claimed; under another name if its own is taken by now."""
        discard_temporary(self.folders, claim)
        folder = self.folders.inbox / claim.style / claim.folder
        own = [name for name in claim.names if os.path.lexists(self.photo(claim).with_name(name))]
        if own:
            self.folders.make(folder)
        endings = [name[len(claim.name) :] for name in own]
        moves = dict(zip(endings, (self.photo(claim).with_name(name) for name in own), strict=True))
        with self._names:
            name = free_name(
                claim.name,
                lambda n: all(can_move(moves[ending], folder / (n + ending)) for ending in endings),
                max(map(len, endings), default=0),
            )
            for ending, source in moves.items():
                move(source, folder / (name + ending))
        self._close(claim, "returned", name=name)

    # when a way is broken off

    def recover(self) -> tuple[int, int]:
        """After a crash: finish what was decided, put back what was not. Returns how many of each."""
        finished = []
        for claim in self.records.all():
            try:
                finished.append(self._resolve(claim))
            except OSError as error:
                self._stranded[claim.id] = claim
                log.error("%s stays in work/%s for now: %s", claim, claim.id, error)
        return finished.count(True), finished.count(False)

    def abandon(self, claim: Job) -> None:
        """The same for one job whose way was broken off, from whatever point it had reached. What the disk does
        not let go anywhere now stays in work/ until `tend`."""
        with self._rescue:
            self._abandon(claim)

    def tend(self) -> int:
        """Try again what was stranded. Returns how many jobs still are."""
        with self._rescue:
            for claim in list(self._stranded.values()):
                self._abandon(claim)
            return len(self._stranded)

    def _abandon(self, claim: Job) -> None:
        with contextlib.suppress(OSError):
            recorded = self.records.read(self.records.directory(claim))
            self._stranded[claim.id] = recorded or claim
            if recorded is not None:
                self._resolve(recorded)
            del self._stranded[claim.id]

    def _resolve(self, claim: Job) -> bool:
        """Whether the job was finished; otherwise it was put back."""
        if claim.outcome is None:
            self.put_back(claim)
        elif claim.outcome.kind == "delivered" and os.path.lexists(self.easel(claim)):
            # The easel vanishes only by being delivered, because nobody else knows its name; a user may have taken
            # the delivered painting away since. It was whole and durable before the outcome was written down.
            extension = os.path.splitext(claim.outcome.painting)[1]
            self.deliver(claim, extension, delete_original=claim.outcome.delete_original)
        else:
            self.finish(claim)
        return claim.outcome is not None

    def _forget_reason(self, claim: Job) -> None:
        """A picture that comes back from failed/ is a new try, and its old reason is no longer true."""
        picture = self.folders.failed / claim.place
        if not os.path.lexists(picture):
            with contextlib.suppress(OSError):
                picture.with_name(f"{claim.name}.txt").unlink()
                sync(picture.parent)

    def _close(self, claim: Job, what: str, **facts: object) -> None:
        """The last line in the journal, and only then is the job's folder removed: neither may be missing."""
        self.ledger.write(what, claim.id, **facts)
        self.records.remove(claim)
