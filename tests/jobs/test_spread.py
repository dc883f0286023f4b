"""One photo in several styles. Kills at every operation: tests/system/test_crash.py, scenario `spread`."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.cli.why import why
from daemon.config.load import load
from daemon.config.models import Config
from daemon.errors import JobError, RetryLater, SourceChanged
from daemon.events import Event
from daemon.inbox.photo import InboxPhoto
from daemon.inbox.scan import InboxScan
from daemon.jobs.audit import examine
from daemon.jobs.claims import JobStore
from daemon.jobs.record import Job
from daemon.jobs.spread import styles_of
from daemon.storage.layout import Folders
from tests.support.daemon import Daemon
from tests.support.samples import jpeg


def drop(root: Path, place: str, content: bytes = b"photo", **beside: bytes) -> InboxPhoto:
    """A photo in the inbox, as a scan finds it, with its `yaml` and `mask`; both are old and not for others."""
    path = root / "inbox" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (1, 2))
    path.chmod(0o640)
    for kind, companion in beside.items():
        path.with_name(f"{path.name}.{kind}").write_bytes(companion)
    config = load(root / "config.yaml")
    scan = InboxScan(root / "inbox", config.inbox_folders, config.default_style)
    return next(entry.photo for entry in scan if entry.photo and entry.path == str(path))


def spread(jobs: JobStore, photo: InboxPhoto, styles: list[str]) -> None:
    job = jobs.take(photo)
    assert job is not None
    jobs.spread(job, photo.signature, styles)


def files(root: Path, below: str) -> dict[str, bytes]:
    paths = [path for path in (root / below).rglob("*") if path.is_file()]
    return {str(path.relative_to(root / below)): path.read_bytes() for path in paths}


@pytest.mark.parametrize(
    ("folder", "named", "goes_to"),
    [
        ("all", (), ["alpha", "beta"]),
        ("alpha", ("all",), ["alpha", "beta"]),
        ("alpha", ("beta", "alpha", "beta"), ["beta", "alpha"]),
        ("all", ("beta",), ["beta"]),
        ("alpha", ("beta",), ["beta"]),
        ("alpha", ("alpha",), []),
        ("alpha", (), []),
    ],
)
def test_the_sidecar_and_the_folder_say_in_which_styles(
    folder: str, named: tuple[str, ...], goes_to: list[str]
) -> None:
    assert styles_of(Job("1", folder, "", "a.jpg"), named, ("alpha", "beta")) == goes_to


def test_each_style_gets_a_copy_with_the_mask_and_the_other_settings(root: Path, config: Config) -> None:
    photo = drop(root, "all/trip/a.jpg", **{"yaml": b"style: all\nsize: 64\n", "mask.png": b"mask"})
    spread(JobStore(Folders(root)), photo, ["alpha", "beta"])
    one = {"a.jpg": b"photo", "a.jpg.yaml": b"size: 64\n", "a.jpg.mask.png": b"mask"}
    assert files(root, "inbox") == {f"{style}/trip/{n}": c for style in ("alpha", "beta") for n, c in one.items()}
    status = (root / "inbox/beta/trip/a.jpg").stat()
    assert (status.st_mtime, status.st_mode & 0o777) == (2, 0o640)
    report = examine(config)
    assert (report.accepted, report.waiting, report.findings) == (2, 2, [])


def test_a_photo_of_that_name_that_waits_already_stays(root: Path, config: Config) -> None:
    photo = drop(root, "all/a.jpg")
    drop(root, "alpha/a.jpg", b"older")
    spread(JobStore(Folders(root)), photo, ["alpha", "beta"])
    assert files(root, "inbox") == {"alpha/a.jpg": b"older", "alpha/a-2.jpg": b"photo", "beta/a.jpg": b"photo"}


def test_a_photo_that_is_still_being_written_goes_nowhere(root: Path, config: Config) -> None:
    jobs, photo = JobStore(Folders(root)), drop(root, "all/a.jpg")
    with open(photo.path, "ab") as writer:
        job = jobs.take(photo)
        assert job is not None
        writer.write(b" and more")
    with pytest.raises(SourceChanged):
        jobs.spread(job, photo.signature, ["alpha", "beta"])
    jobs.put_back(job)
    assert files(root, "inbox") == {"all/a.jpg": b"photo and more"}
    assert not [path for path in (root / "work").iterdir() if path.is_dir()]


def test_without_room_for_the_copies_the_photo_waits_and_one_that_is_too_large_fails(
    root: Path, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, photo = JobStore(Folders(root)), drop(root, "all/a.jpg")
    job = jobs.take(photo)
    assert job is not None
    with pytest.raises(JobError, match="more than a picture of"):
        jobs.spread(job, photo.signature._replace(size=1 << 50), ["alpha", "beta"], 200)
    monkeypatch.setattr(jobs.folders, "room", lambda: (9, 10))
    with pytest.raises(RetryLater, match=r"no room for 2 copies of all/a\.jpg"):
        jobs.spread(job, photo.signature, ["alpha", "beta"])
    jobs.put_back(job)
    assert files(root, "inbox") == {"all/a.jpg": b"photo"}


def test_holes_of_a_file_stay_holes(root: Path, config: Config) -> None:
    photo = drop(root, "all/a.jpg", b"begin" + bytes(20 << 20) + b"end")
    spread(JobStore(Folders(root)), photo, ["alpha", "beta"])
    copy = root / "inbox/alpha/a.jpg"
    assert copy.read_bytes() == b"begin" + bytes(20 << 20) + b"end"
    assert copy.stat().st_blocks * 512 < 8 << 20


def test_a_full_disk_leaves_no_copy(root: Path, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs, photo = JobStore(Folders(root)), drop(root, "all/a.jpg")
    job = jobs.take(photo)
    assert job is not None
    left = [b"room for one copy"]

    def write_all(fd: int, data: bytes) -> None:
        if not left:
            raise OSError(28, "No space left on device")
        os.write(fd, data)
        left.pop()

    monkeypatch.setattr("daemon.jobs.spread.write_all", write_all)
    with pytest.raises(OSError, match="No space left"):
        jobs.spread(job, photo.signature, ["alpha", "beta"])
    monkeypatch.undo()
    jobs.abandon(job)
    assert files(root, "inbox") == {"all/a.jpg": b"photo"}
    assert not [path for path in (root / "work").iterdir() if path.is_dir()]


def test_the_daemon_paints_what_lies_in_all_in_every_style(root: Path, start: Callable[..., Daemon]) -> None:
    inbox = root / "inbox/all"
    inbox.mkdir(parents=True)
    (inbox / "a.jpg").write_bytes(jpeg(40, 30))
    (inbox / "broken.jpg").write_bytes(jpeg(40, 30))
    (inbox / "broken.jpg.yaml").write_text("style: alhpa")
    daemon = start("--once", fast=True)
    assert daemon.process.wait(60) == 3
    assert sorted(path for path in files(root, "outbox") if path.endswith(".jpg")) == ["alpha/a.jpg", "beta/a.jpg"]
    assert sorted(files(root, "done")) == ["alpha/a.jpg", "beta/a.jpg"]
    assert "did you mean alpha?" in (root / "failed/all/broken.jpg.txt").read_text()
    assert daemon.events(Event.SPREAD, styles=["alpha", "beta"])
    report = examine(load(root / "config.yaml"))
    assert (report.adds_up, report.findings, report.delivered, report.failed) == (True, [], 2, 1)
    said = "\n".join(why("all/a.jpg", load(root / "config.yaml"), {"state": "not running"}))
    assert f"delivered: {root}/outbox/beta/a.jpg" in said
