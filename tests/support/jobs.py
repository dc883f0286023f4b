"""Jobs without a daemon: photos in inbox/alpha that are claimed, delivered or failed."""

from pathlib import Path

from daemon.errors import JobError
from daemon.inbox.photo import InboxPhoto, Signature
from daemon.jobs.audit import Report
from daemon.jobs.claims import JobStore
from daemon.jobs.record import Job
from daemon.storage.layout import Folders

REASON = JobError("It is blurred.", "Hold still.")


def inbox_photo(
    root: Path, name: str = "photo.jpg", content: bytes = b"photo", *, folder: str = "", **beside: bytes
) -> InboxPhoto:
    """A photo in the inbox, as the inbox hands it out. `beside`: the content of its `sidecar` and `mask`."""
    path = root / "inbox/alpha" / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    endings = {"sidecar": ".yaml", "mask": ".mask.png"}
    for kind, companion in beside.items():
        path.with_name(name + endings[kind]).write_bytes(companion)
    companions = tuple(name + endings[kind] for kind in beside)
    return InboxPhoto("alpha", folder, name, str(path), Signature.of(path.stat()), companions, spelled=companions)


def take(jobs: JobStore, photo: InboxPhoto) -> Job:
    job = jobs.take(photo)
    assert job is not None
    return job


def paint(jobs: JobStore, job: Job) -> Path:
    """The file of this job's painting, written, before it gets its name."""
    with jobs.delivery.open_temporary(job).file("wb") as file:
        file.write(b"painting")
    return jobs.records.made(job)


def deliver(jobs: JobStore, job: Job, extension: str = ".jpg", *, delete_original: bool = False) -> Path:
    paint(jobs, job)
    return jobs.delivery.deliver(job, extension, delete_original=delete_original)


def claimed(root: Path, name: str) -> tuple[JobStore, Job]:
    """A photo of this name, claimed and entered in the journal."""
    jobs, photo = JobStore(Folders(root)), inbox_photo(root, name)
    job = take(jobs, photo)
    jobs.open(job, photo.signature)
    return jobs, job


def delivered(root: Path, name: str) -> Job:
    jobs, job = claimed(root, name)
    deliver(jobs, job)
    return job


def failed(root: Path, name: str) -> None:
    jobs, job = claimed(root, name)
    jobs.delivery.fail(job, REASON)


def tree(root: Path) -> dict[str, str]:
    """Every file under the root with its content, but for the daemon's own in work/."""
    own = {root / "work/journal", root / "work/version"}
    paths = [path for path in sorted(root.rglob("*")) if path.is_file() and path not in own]
    return {str(path.relative_to(root)): path.read_text() for path in paths}


def everything(root: Path) -> dict[str, bytes]:
    """Every file below the root with its content."""
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def count(report: Report) -> tuple[int, ...]:
    return report.accepted, report.delivered, report.failed, report.waiting, report.in_work
