"""Claims: a photo is taken out of the inbox, and is put back if its way ends early or the daemon crashes."""

import contextlib
import dataclasses
import logging
import math
import os
import stat
import threading
from collections.abc import Sequence
from pathlib import Path

from daemon.errors import JobError, PhotoLocked, RetryLater, SourceChanged, Unreadable
from daemon.events import Event, about
from daemon.filenames import MASK, SIDECAR
from daemon.inbox.photo import InboxPhoto, Signature
from daemon.jobs.delivery import REASON, Delivery
from daemon.jobs.record import Job, JobRecords, new_id
from daemon.jobs.spread import copies, half_made, remove
from daemon.storage.files import Handle, free_name, sha256
from daemon.storage.folder import Folder, move
from daemon.storage.layout import Folders
from daemon.text import escape

log = logging.getLogger("styled")

BYTES_PER_PIXEL = 32  # most bytes of a file per pixel: four channels of floats, and copies of them in smaller sizes
SPARE_BYTES = 1 << 28  # most bytes of a file beside its pixels: texts, profiles, a phone's short films


class JobStore:
    """All jobs in hand of one root. Thread-safe."""

    def __init__(self, folders: Folders) -> None:
        self.folders = folders
        self.records = JobRecords(folders)
        self.journal = self.records.journal
        self.delivery = Delivery(folders, self.records)
        self._names = threading.Lock()  # guards the choice of a name in the inbox until the file has that name
        self._rescue = threading.Lock()  # guards the next line; only a single thread at a time takes a job back
        self._stranded: dict[str, Job] = {}  # jobs that the disk does not let go on now

    def take(self, photo: InboxPhoto) -> Job | None:
        """Claim the photo by a rename. Returns None if the photo has gone or a link is where its folder was. Sidecar
        and mask move first: a crash in between puts them back, and no photo is ever claimed without its settings."""
        seen = photo.signature
        job = Job(new_id(), photo.style, photo.folder, photo.name, photo.companions)
        job = dataclasses.replace(job, size=seen.size, mtime_ns=seen.mtime_ns)
        try:
            home = self.folders.enter(Path(photo.path).parent)
        except (FileNotFoundError, NotADirectoryError):
            return None
        with home:
            self.records.begin(job)
            try:
                present = self._claim(home, job, photo.spelled)
            except FileNotFoundError:
                self.put_back(job)
                return None
            except PermissionError as error:
                self.abandon(job)
                if self.folders.obstacle(home.path):
                    raise
                file = escape(Path(error.filename).name)
                raise PhotoLocked(f"no permission to move {file} out of the inbox ({error.strerror})") from None
            except OSError:
                self.abandon(job)
                raise
        self._forget_reason(job)
        return dataclasses.replace(job, companions=present)

    def _claim(self, home: Folder, job: Job, spelled: Sequence[str]) -> tuple[str, ...]:
        """Move the job's files out of their folder of the inbox. Returns the companions that were there. `spelled`: the
        names of the companions on the disk, which get the photo's spelling in work/."""
        present = []
        with self.folders.enter(self.records.directory(job)) as work:
            for companion, own in zip(job.companions, spelled, strict=True):
                with contextlib.suppress(FileNotFoundError):
                    move(home, own, work, companion)
                    present.append(companion)
            move(home, job.name, work, job.name)
        return tuple(present)

    def open(self, job: Job, signature: Signature, max_megapixels: float = math.inf) -> tuple[Handle, str]:
        """Make the claimed photo durable and enter it in the journal. Returns the open photo and its SHA-256.

        Raises SourceChanged if the photo is not the file that the inbox saw, JobError if the file is larger than any
        picture of `max_megapixels` (a sparse file can claim any length), and Unreadable if the disk cannot read it.
        """
        try:
            with self.folders.enter(self.records.directory(job)) as work:
                handle = work.file(job.name)
        except FileNotFoundError:  # or the photo was swapped for a link, a socket, a FIFO …
            raise SourceChanged from None
        status = os.fstat(handle.fd)
        if Signature.of(status) != signature:
            raise SourceChanged
        _check_length(status.st_size, max_megapixels)
        os.fsync(handle.fd)  # the program that wrote it may not have fsynced it, and from here on we keep it
        try:
            digest = sha256(handle.fd)
        except OSError as error:
            raise Unreadable(f"the disk cannot read it ({error.strerror})") from None
        facts = {"size": status.st_size, "mtime_ns": status.st_mtime_ns}
        self.journal.write("claimed", job.id, picture=job.place, sha256=digest, **facts)
        return handle, digest

    def check_unchanged(self, job: Job, signature: Signature) -> None:
        """Raises SourceChanged if the photo was written to or replaced since `open`."""
        try:
            status = self.records.photo(job).lstat()
        except FileNotFoundError:
            raise SourceChanged from None
        if Signature.of(status) != signature:
            raise SourceChanged

    def check_companions(self, job: Job, home: Path) -> None:
        """Raises SourceChanged if a sidecar or a mask of the photo has come into `home`, the photo's folder of the
        inbox, since the claim; the photo then goes back and is claimed with them. A new photo of the same name in
        `home` owns them instead.
        """
        late = [job.name + ending for ending in (SIDECAR, MASK) if job.name + ending not in job.companions]
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), self.folders.enter(home) as folder:
            came = [name for name in late if folder.holds(name) and stat.S_ISREG(folder.stat(name).st_mode)]
            if came and not folder.holds(job.name):
                with self.folders.enter(self.records.directory(job)) as work:
                    for name in came:
                        move(folder, name, work, name)
                raise SourceChanged

    def companion(self, job: Job, ending: str, max_megapixels: float = math.inf) -> Handle | None:
        """The claimed sidecar (".yaml") or mask (".mask.png"), open for reading; None if the photo has none. Raises
        JobError if the file is larger than any picture of `max_megapixels`."""
        name = job.name + ending
        if name not in job.companions:
            return None
        with self.folders.enter(self.records.directory(job)) as work:
            file = work.file(name)
        _check_length(os.fstat(file.fd).st_size, max_megapixels)
        return file

    def put_back(self, job: Job) -> None:
        """Return all files to the inbox, under another name if a new file has their name."""
        self.delivery.discard_temporary(job)
        try:
            work = self.folders.enter(self.records.directory(job))
        except FileNotFoundError:  # a person took the photo away
            self.records.close(job, "returned", name=job.name)
            return
        with work:
            endings = [ending for ending in (SIDECAR, MASK, "") if work.holds(job.name + ending)]  # the photo last
            sources = {ending: job.name + ending for ending in endings}
            name = self._return(job, work, sources) if sources else job.name
        self.records.close(job, "returned", name=name)

    def _return(self, job: Job, work: Folder, sources: dict[str, str]) -> str:
        """Move the job's files, by their endings, back into the inbox. Returns the photo's name there."""
        place = self.folders.spelled(self.folders.inbox / job.style / job.folder)
        with self.folders.enter(place, make=True) as home, self._names:
            name = free_name(
                job.name,
                lambda n: all(_can_move(work, source, home, n + ending) for ending, source in sources.items()),
                max(map(len, sources)),
                self.folders.longest_name,
            )
            for ending, source in sources.items():
                move(work, source, home, name + ending)
        return name

    def spread(self, job: Job, signature: Signature, styles: Sequence[str], max_megapixels: float = math.inf) -> None:
        """Put a copy of the photo into the inbox of each style, and end this job. Raises SourceChanged, OSError,
        RetryLater if the disk has no room for the copies, and JobError as `open`; after an exception no copy is
        left."""
        _check_length(signature.size, max_megapixels)
        free = self.folders.room()
        if free is not None and free[0] < len(styles) * signature.size:
            raise RetryLater(f"the disk has no room for {len(styles)} copies of {job}")
        made = copies(self.records, job, signature, styles)
        remove(self.records, job)
        for copy in made:
            self.abandon(copy)

    def recover(self) -> tuple[int, int]:
        """After a crash, finish the jobs whose outcome was decided and put the other photos back. Returns both
        counts."""
        self.journal.begin()
        finished, jobs = [], self.records.all()
        for copy in half_made(jobs):
            jobs.remove(copy)
            remove(self.records, copy)
        for job in jobs:
            self.delivery.take_over(job)
            try:
                finished.append(self._resolve(job))
            except OSError as error:
                self._stranded[job.id] = job
                log.error(
                    "%s stays in work/%s for now: %s", job, job.id, error, extra=about(Event.STRANDED, style=job.style)
                )
        return finished.count(True), finished.count(False)

    def abandon(self, job: Job) -> None:
        """Resolve a job whose way ended early. If the disk does not allow that now, `tend` tries again."""
        with self._rescue:
            self._abandon(job)

    def tend(self) -> int:
        """Try the stranded jobs again. Returns how many are left."""
        with self._rescue:
            for job in list(self._stranded.values()):
                self._abandon(job)
            return len(self._stranded)

    def _abandon(self, job: Job) -> None:
        with contextlib.suppress(OSError):
            self._stranded[job.id] = job
            recorded = self.records.read(self.records.directory(job))
            if recorded is not None:
                self._resolve(recorded)
            del self._stranded[job.id]

    def _resolve(self, job: Job) -> bool:
        """Whether the job had an outcome and is finished; if not, its photo is put back."""
        if job.outcome is None:
            self.put_back(job)
            return False
        if job.outcome.kind == "spread":
            remove(self.records, job)
        else:
            self.delivery.resume(job)
        return True

    def _forget_reason(self, job: Job) -> None:
        """Remove the old reason of a photo that came back from failed/: the photo is a new try."""
        with contextlib.suppress(OSError), self.folders.enter(self.folders.failed / job.style / job.folder) as failed:
            if not failed.holds(job.name):
                failed.remove(job.name + REASON)
                failed.sync()


def _check_length(length: int, max_megapixels: float) -> None:
    """Raises JobError if a file of this length cannot be a picture of `max_megapixels`; asked before the file is
    read."""
    if length > SPARE_BYTES + max_megapixels * 1e6 * BYTES_PER_PIXEL:
        size = f"{length / 1e9:,.1f} GB, more than a picture of {max_megapixels:g} megapixels can have"
        raise JobError(f"The file has {size}.", "Save it again as a picture, or raise max_megapixels in config.yaml.")


def _can_move(source: Folder, name: str, target: Folder, new: str) -> bool:
    """Whether `target` has nothing called `new`, or has the same file under this name because a power loss kept only
    half of a move."""
    try:
        return os.path.samestat(source.stat(name), target.stat(new))
    except FileNotFoundError:
        return True
