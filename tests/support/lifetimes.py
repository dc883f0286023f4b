"""The way of one photo on real folders, with quick readers and painters in this process, for tests that kill the
process or cut its power. Only the pixels are not real.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from daemon.config.models import Config, Style
from daemon.errors import JobError
from daemon.filenames import EVERY_STYLE
from daemon.inbox.scan import InboxScan
from daemon.jobs import journal
from daemon.jobs.audit import examine
from daemon.jobs.claims import JobStore
from daemon.jobs.journal import Journal
from daemon.jobs.journal_compaction import compact, leftover
from daemon.jobs.pipeline import Pipeline
from daemon.previews import Preview, Thumbnails
from daemon.processes.painters import PainterInfo
from daemon.processes.readers import Photo
from daemon.processes.shared_array import SharedArray
from daemon.processes.style_cache import LoadedStyle
from daemon.status import Status
from daemon.storage.files import Handle
from daemon.storage.layout import Folders

PHOTO, PAINTING, SIDECAR, OLDER = b"photo", b"painting", b"size: 48\n", b"older"
SCENARIOS = ("deliver", "delete", "fail", "changed", "taken", "again", "tidy", "spread")


class QuickReaders:
    """Tells three kinds of bytes apart: a photo, a bad picture, and its own paintings."""

    def read(self, file: Handle, **limits: Any) -> Photo:
        if os.pread(file.fd, 100, 0) != PHOTO:
            raise JobError("It is blurred.", "Hold still.")
        return Photo(_pixels(), None, "JPEG", b"")

    def store(self, painting: SharedArray, photo: Photo, file: Handle, path: Path, **settings: Any) -> Thumbnails:
        for part in (PAINTING[:4], PAINTING[4:]):
            os.write(file.fd, part)
        os.fsync(file.fd)
        if path.read_bytes() != PAINTING:
            raise OSError(5, "it does not read back")
        return Thumbnails((4, 3), b"", b"", Preview(1, 1, b"rgb"))


class QuickPainter:
    """Returns the photo."""

    info = PainterInfo("cpu", "a test", "embedded", "", "relu3_1")

    def paint(self, content: SharedArray, *arguments: object, film: bool) -> SharedArray:
        return content


class QuickPainters:
    """One painter that is always free."""

    def info(self) -> PainterInfo:
        return QuickPainter.info

    @contextmanager
    def take(self, style: str) -> Iterator[QuickPainter]:
        yield QuickPainter()


class NoStyles:
    def load(self, *arguments: object) -> LoadedStyle:
        return LoadedStyle([], ())


def _pixels() -> SharedArray:
    return SharedArray(Handle(os.open(__file__, os.O_RDONLY)), (3, 4, 3))  # of any file that is long enough


class Life:
    """One root with one photo and its sidecar. `scenario` names what happens to the photo."""

    def __init__(self, root: Path, scenario: str) -> None:
        self.root = root
        self.scenario = scenario
        self.folders = Folders(root)
        style = Style.model_construct(picture=Path(os.devnull))
        originals = "delete" if scenario == "delete" else "keep"
        self.config = Config.model_construct(
            root=root, default_style="alpha", originals=originals, styles=dict.fromkeys(self.styles, style)
        )

    @property
    def styles(self) -> tuple[str, ...]:
        return ("alpha", "beta") if self.scenario == "spread" else ("alpha",)

    def drop(self) -> None:
        """Make the folders and the user's files."""
        self.folders.prepare([*self.styles, EVERY_STYLE])
        home = self.root / "inbox" / (EVERY_STYLE if self.scenario == "spread" else "alpha") / "trip"
        home.mkdir()
        (home / "photo.jpg").write_bytes(b"blurred" if self.scenario == "fail" else PHOTO)
        (home / "photo.jpg.yaml").write_bytes(SIDECAR)
        if self.scenario == "taken":
            for folder in ("outbox", "done"):
                (self.root / folder / "alpha/trip").mkdir(parents=True)
                (self.root / folder / "alpha/trip/photo.jpg").write_bytes(OLDER)
        if self.scenario == "tidy":
            self._write_history()
        if self.scenario == "again":
            (self.root / "failed/alpha/trip").mkdir(parents=True)
            (self.root / "failed/alpha/trip/photo.jpg.txt").write_text("It was blurred.")

    def live(self, *, disturbed: bool = False) -> None:
        """One run of the daemon: recover, then paint every photo in the inbox. `disturbed`: a writer changes the photo
        after the claim."""
        self.folders.prepare([*self.styles, EVERY_STYLE])
        self.recover()
        self.tidy()
        for _ in range(2 if self.scenario == "spread" else 1):  # the copies are photos of their own
            self.work(disturbed=disturbed)
        self.tidy()

    def _write_history(self) -> None:
        """In the journal: two delivered jobs and a failed one without a file left, one put back, one in done/."""
        kept = self.root / "done/alpha/older.jpg"
        kept.parent.mkdir(parents=True)
        kept.write_bytes(OLDER)
        stamp = kept.stat().st_size, kept.stat().st_mtime_ns
        history = Journal(self.folders.journal)
        for job, files in (("a", {"done/alpha/gone.jpg": (1, 2)}), ("b", {}), ("c", {"done/alpha/older.jpg": stamp})):
            history.write("claimed", job)
            history.write("delivered", job, files=files)
        history.write("failed", "d", files={"failed/alpha/gone.jpg": (1, 2), "failed/alpha/gone.jpg.txt": (3, 4)})
        history.write("returned", "e")

    def tidy(self) -> None:
        if self.scenario == "tidy":
            leftover(self.folders).unlink(missing_ok=True)
            compact(Journal(self.folders.journal), self.folders)

    def recover(self) -> None:
        JobStore(self.folders).recover()

    def work(self, *, disturbed: bool = False) -> None:
        jobs = JobStore(self.folders)
        pipeline = Pipeline(jobs, QuickReaders(), QuickPainters(), Status())  # type: ignore[arg-type]
        pipeline.styles = NoStyles()  # type: ignore[assignment]
        if disturbed and self.scenario == "changed":
            jobs.check_unchanged = _disturb(jobs.check_unchanged)  # type: ignore[method-assign]
        walk = InboxScan(self.folders.inbox, self.config.inbox_folders, "alpha")
        for arrival in [entry.photo for entry in walk if entry.photo]:
            pipeline.run(arrival, self.config)

    def check_moment(self) -> None:
        """At every instant the original exists or, with `originals: delete`, its painting does."""
        found = self.files().values()
        assert self.original in found or (self.scenario == "delete" and PAINTING in found), self.files()

    def check_end(self) -> None:
        """What another run of the daemon leaves."""
        found = self.files()
        bad = self.scenario == "fail"
        suffix = "-2" if self.scenario == "taken" else ""
        expected = {} if bad else {f"outbox/alpha/trip/photo{suffix}.jpg": PAINTING}
        home = f"{'failed' if bad else 'done'}/alpha/trip/photo{suffix}.jpg"
        if self.scenario != "delete":
            expected |= {home: self.original, f"{home}.yaml": SIDECAR}
        if self.scenario == "spread":
            expected |= {path.replace("alpha", "beta"): content for path, content in expected.items()}
        if self.scenario == "taken":
            expected |= {f"{folder}/alpha/trip/photo.jpg": OLDER for folder in ("outbox", "done")}
        if self.scenario == "tidy":
            expected |= {"done/alpha/older.jpg": OLDER}
        if bad:
            assert b"It is blurred." in found.pop(f"{home}.txt")
        assert found == expected
        assert {path.name for path in self.folders.work.iterdir()} <= {"journal", "version"}
        report = examine(self.config)
        assert not report.findings, report.findings
        assert report.adds_up
        if self.scenario == "tidy":
            assert (report.delivered, report.failed, report.gone) == (4, 1, 3)
            jobs = journal.entries(self.folders.journal)[0].keys()
            assert {"", "c"} <= jobs
            assert not {"a", "b", "d", "e"} & jobs

    @property
    def original(self) -> bytes:
        return b"blurred" if self.scenario == "fail" else PHOTO

    def files(self) -> dict[str, bytes]:
        """All files with their contents, without work/journal and work/version."""
        own = {self.folders.journal, self.folders.version}
        paths = [path for path in self.root.rglob("*") if path.is_file() and path not in own]
        return {str(path.relative_to(self.root)): path.read_bytes() for path in paths}


def _disturb(check: Callable[..., None]) -> Callable[..., None]:
    def late(job: Any, signature: Any) -> None:
        check(job, signature._replace(mtime_ns=signature.mtime_ns + 1))

    return late
