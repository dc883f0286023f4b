"""A photo in several styles: a copy goes into the inbox of each style, and then the photo itself is removed.

work/<id>/ holds the photo, and a folder work/<id>/ of its own holds each copy, with the photo's id in its record. The
photo's record says when all copies are whole. A crash before that removes the copies and puts the photo back; a crash
after that removes the photo and puts the copies into the inbox. So every style gets one copy, and no style gets two.
"""

import dataclasses
import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from daemon.config.yaml_text import without
from daemon.errors import SourceChanged
from daemon.filenames import EVERY_STYLE, SIDECAR
from daemon.inbox.photo import Signature
from daemon.jobs.record import Job, JobRecords, Outcome, new_id
from daemon.storage.files import BLOCK, Handle, truncated_file, write_all
from daemon.storage.folder import Folder


def styles_of(job: Job, named: Sequence[str], styles: Iterable[str]) -> list[str]:
    """The styles that get copies of a photo: those in its sidecar (`named`), or all if the photo lies in the folder for
    every style. [] if the photo is painted in the style of its own folder."""
    wanted = named or (job.style,)
    if EVERY_STYLE in wanted:
        return list(styles)
    return [] if tuple(wanted) == (job.style,) else list(dict.fromkeys(wanted))


def copies(records: JobRecords, job: Job, signature: Signature, styles: Sequence[str]) -> list[Job]:
    """A job of its own for each style, with copies of the photo, its mask and its settings, and the decision in the
    record of `job`. Raises SourceChanged if the photo is still being written, OSError if the disk fails; after that no
    copy is left."""
    made: list[Job] = []
    try:
        for style in styles:
            made.append(_copy(records, job, signature, style))
        _source(records, job, job.name, signature)  # did the photo change meanwhile?
        records.write(dataclasses.replace(job, outcome=Outcome("spread", job.name)))
    except BaseException:
        for copy in made:
            remove(records, copy)
        raise
    return made


def remove(records: JobRecords, job: Job) -> None:
    """Remove a job with all its files, without a line in the journal, which does not know the job."""
    for name in job.names:
        records.photo(job).with_name(name).unlink(missing_ok=True)
    records.remove(job)


def half_made(jobs: Sequence[Job]) -> list[Job]:
    """Of the jobs that a crash left, the copies whose photo is still there without a decision."""
    undecided = {job.id for job in jobs if job.outcome is None}
    return [job for job in jobs if job.copy_of in undecided]


def _copy(records: JobRecords, job: Job, signature: Signature, style: str) -> Job:
    copy = dataclasses.replace(job, id=new_id(), style=style, copy_of=job.id)
    records.begin(copy)
    try:
        kept = []
        for name in job.names:
            target = records.photo(copy).with_name(name)
            source = _source(records, job, name, signature if name == job.name else None)
            if name != job.name + SIDECAR:
                _copy_file(source, target)
            elif settings := without(os.pread(source.fd, BLOCK, 0), "style"):
                with truncated_file(target, 0o666) as fd:
                    write_all(fd, settings)
                    os.fsync(fd)
            else:
                continue
            kept.append(name)
        copy = dataclasses.replace(copy, companions=tuple(kept[:-1]))
        records.write(copy)
    except BaseException:
        remove(records, copy)
        raise
    return copy


def _source(records: JobRecords, job: Job, name: str, signature: Signature | None) -> Handle:
    """A file of the job, open for reading. Raises SourceChanged if it is no regular file or has another signature."""
    try:
        with Folder.open(records.directory(job)) as work:
            handle = work.file(name)
    except OSError:
        raise SourceChanged from None
    if signature is not None and Signature.of(os.fstat(handle.fd)) != signature:
        raise SourceChanged
    return handle


def _copy_file(source: Handle, target: Path) -> None:
    """A durable copy with the source's time and rights. Holes stay holes, because a sparse file may claim any
    length."""
    status = os.fstat(source.fd)
    with truncated_file(target, 0o666) as fd:
        offset = 0
        while block := os.pread(source.fd, BLOCK, offset):
            if block.strip(b"\0"):
                os.lseek(fd, offset, os.SEEK_SET)
                write_all(fd, block)
            offset += len(block)
        os.ftruncate(fd, offset)
        os.fchmod(fd, stat.S_IMODE(status.st_mode))
        os.utime(fd, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.fsync(fd)
