"""`styled doctor`: do the journal and the folders add up? accepted = delivered + failed + waiting + in work.

The left side is what the journal says, the right side what lies in the folders. Files that users take away or change
are normal. Only `repair` changes anything.
"""

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon.config.models import Config
from daemon.errors import JobError
from daemon.filenames import is_photo
from daemon.inbox.scan import InboxScan
from daemon.jobs import journal
from daemon.jobs.journal import Entry
from daemon.jobs.journal_compaction import is_there
from daemon.jobs.record import OWN, RECORD, Job, parse
from daemon.storage.files import free_name, sha256, write_atomically
from daemon.storage.folder import Folder, move
from daemon.storage.layout import FORMAT, PROBE, Folders
from daemon.storage.lock import Lock
from daemon.text import escape

LEFTOVER = re.compile(r"\.([0-9]{8}-[0-9]{6}-[0-9a-f]{8})\.tmp")
SECOND_LOOK_SECONDS = 1.0  # while a daemon runs, a finding counts only if a second look finds it, too

Repair = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not add up. `path` is safe to print. `repair` is None where a person must act."""

    path: str
    what: str
    advice: str
    repair: Repair | None = field(default=None, compare=False, repr=False)


@dataclass(slots=True)
class Report:
    """The count. `gone`: archived originals that users took away or changed."""

    root: Path
    running: bool
    accepted: int = 0
    delivered: int = 0
    failed: int = 0
    waiting: int = 0
    in_work: int = 0
    gone: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def adds_up(self) -> bool:
        return self.accepted == self.delivered + self.failed + self.waiting + self.in_work

    def as_dict(self) -> dict[str, Any]:
        names = ("running", "accepted", "delivered", "failed", "waiting", "in_work", "gone", "adds_up")
        said = [
            {"path": each.path, "what": each.what, "advice": each.advice, "repairable": each.repair is not None}
            for each in self.findings
        ]
        return {"root": str(self.root), **{name: getattr(self, name) for name in names}, "findings": said}


def examine(config: Config) -> Report:
    """Look at everything under the root. Raises OSError if a folder cannot be read."""
    report = _Examination(config).report
    if report.running and (report.findings or not report.adds_up):
        time.sleep(SECOND_LOOK_SECONDS)
        again = _Examination(config).report
        again.findings = [each for each in again.findings if each in report.findings]
        return again
    return report


def repair(report: Report) -> list[Finding]:
    """Repair the findings that need no person, and return these. Raises JobError if a daemon is at work."""
    if report.running:
        raise JobError("A daemon is at work here.", "Stop it first, and then: styled doctor --repair")
    repaired = []
    for finding in report.findings:
        if finding.repair is not None:
            finding.repair()
            repaired.append(finding)
    return repaired


class _Examination:
    """One look at everything under one root."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.folders = Folders(config.root)
        self.journal = journal.Journal(self.folders.journal)
        self.report = Report(config.root, Lock(self.folders.work / "lock").is_held())
        self.jobs, damaged = journal.entries(self.folders.journal)
        self.open: dict[str, Job | None] = {}
        if self.folders.work.is_dir():
            self._format()
            self._work()
            self._count(damaged)
            self._leftovers()

    def _found(self, path: Path, what: str, advice: str, repair: Repair | None = None) -> None:
        name = path.relative_to(self.folders.root) if path.is_relative_to(self.folders.root) else path
        self.report.findings.append(Finding(escape(str(name)), what, advice, repair))

    def _format(self) -> None:
        version = self.folders.version
        said = version.read_text(errors="replace").strip() if version.exists() else str(FORMAT)
        if said != str(FORMAT):
            self._found(version, f"work/ has format {escape(said[:20])}, not {FORMAT}", "Use the styled that made it.")

    def _work(self) -> None:
        """The jobs in hand. Without a daemon, the next start finishes these jobs or puts their photos back."""
        for directory in sorted(each for each in self.folders.work.iterdir() if each.is_dir()):
            try:
                job = parse((directory / RECORD).read_text(), directory.name)
            except (OSError, ValueError, TypeError, KeyError):
                files = sorted(name for _, name in self._files(directory) if name not in OWN)
                self.open[directory.name] = None
                if files:
                    what = f"holds {', '.join(map(escape, files))} and no readable record of the job"
                    advice = "Put the files back into the inbox: styled doctor --repair"
                    self._found(directory, what, advice, lambda d=directory: self._put_back(d))  # type: ignore[misc]
                continue
            self.open[directory.name] = job
            if job.outcome is not None or os.path.lexists(directory / job.name):
                self.report.in_work += 1
                self.report.accepted += 1

    def _count(self, damaged: list[int]) -> None:
        waiting = self._waiting()
        again = self._tried_again(waiting)
        for job, entry in self.jobs.items():
            if job in self.open or job in again:
                continue
            if entry.state == "claimed":
                self._missing(entry)
            elif entry.state == journal.COUNTED:
                self.report.delivered += entry.facts["delivered"]
                self.report.failed += entry.facts["failed"]
                self.report.gone += entry.facts["gone"]
                self.report.accepted += entry.facts["delivered"] + entry.facts["failed"]
            elif entry.state != "returned":
                self.report.accepted += 1
                if entry.state == "delivered":
                    self.report.delivered += 1
                else:
                    self.report.failed += 1
                self._archived(entry)
        self.report.waiting = len(waiting)
        self.report.accepted += self.report.waiting
        if damaged:
            lines = ", ".join(map(str, damaged[:5])) + (" …" if len(damaged) > 5 else "")
            what = f"line {lines} cannot be read: the disk has damaged it"
            advice = "No picture depends on it. Move damaged lines to journal.damaged: styled doctor --repair"
            self._found(self.folders.journal, what, advice, self._set_lines_aside)

    def _tried_again(self, waiting: list[tuple[int, int]]) -> set[str]:
        """The failed jobs whose picture left failed/ for another try: a later job or the inbox has this picture."""
        stamps = {*waiting, *((job.size, job.mtime_ns) for job in self.open.values() if job)}
        later = journal.tried_again(self.jobs)
        again = set()
        for job, entry in self.jobs.items():
            photo = (entry.facts.get("size", 0), entry.facts.get("mtime_ns", 0))
            if entry.state == "failed" and (job in later or photo in stamps):
                files = entry.facts.get("files", {})
                kept = [self.folders.root / name for name, stamp in files.items() if tuple(stamp) == photo]
                if not any(is_there(self.folders, path, photo) for path in kept):
                    again.add(job)
        return again

    def _missing(self, entry: Entry) -> None:
        """Find the photo of a job that was claimed, never ended and is not in work/."""
        name = str(entry.facts.get("picture", entry.job))
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.at))
        path = self._search(entry)
        if path is not None:
            what = f"{escape(name)}, claimed on {when}, lies here, and the journal does not know that"
            advice = "Enter it in the journal: styled doctor --repair"
            self._found(path, what, advice, lambda: self.journal.write("returned", entry.job, name=path.name))
            return
        self.report.accepted += 1  # nothing on the right side of the sum: the count does not add up
        sha256 = entry.facts.get("sha256", "not known")
        what = f"was claimed on {when} and is neither painted nor in any folder"
        self._found(Path(name), what, f"Restore it from a copy and drop it again; its SHA-256 is {sha256}.")

    def _search(self, entry: Entry) -> Path | None:
        size, wanted = entry.facts.get("size"), entry.facts.get("sha256")
        for top in (self.folders.inbox, self.folders.failed, self.folders.done, self.folders.work):
            for folder, name in self._files(top):
                if folder.stat(name).st_size == size and _digest(folder, name) == wanted:
                    return folder.path / name
        return None

    def _archived(self, entry: Entry) -> None:
        """Check that an archived file whose size and time are unchanged has its old content."""
        photo = [entry.facts.get("size"), entry.facts.get("mtime_ns")]
        for name, stamp in entry.facts.get("files", {}).items():
            path = self.folders.root / name
            if not is_there(self.folders, path, stamp):
                self.report.gone += 1
            elif list(stamp) == photo and self._digest(path) != entry.facts.get("sha256"):
                advice = f"Check the disk and restore it from a copy; its SHA-256 is {entry.facts.get('sha256')}."
                self._found(path, "its content has changed although no program wrote to it", advice)

    def _waiting(self) -> list[tuple[int, int]]:
        """(size, mtime_ns) of each photo in the inbox."""
        try:
            walk = list(InboxScan(self.folders.inbox, self.config.inbox_folders, self.config.default_style))
        except FileNotFoundError:
            return []
        return [(entry.photo.signature.size, entry.photo.signature.mtime_ns) for entry in walk if entry.photo]

    def _leftovers(self) -> None:
        for top in self.folders.all:
            for folder, name in self._files(top):
                job = LEFTOVER.fullmatch(name)
                if (job and job[1] not in self.open) or (name.startswith(PROBE) and not self.report.running):
                    what = "was left behind half-made; no job of it exists any more"
                    path, advice = folder.path / name, "Remove it: styled doctor --repair"
                    self._found(path, what, advice, lambda p=path: self._remove(p))  # type: ignore[misc]

    def _files(self, place: Path) -> Iterator[tuple[Folder, str]]:
        """Every regular file below `place`, through no link."""
        with contextlib.suppress(OSError), self.folders.enter(place) as folder:
            yield from folder.walk()

    def _digest(self, path: Path) -> str:
        with self.folders.enter(path.parent) as folder:
            return _digest(folder, path.name)

    # repairs

    def _put_back(self, directory: Path) -> None:
        """Put the files of a job without a record back where the journal says that they came from, or into the inbox of
        the default style."""
        entry = self.jobs.get(directory.name)
        place = Path(str(entry.facts.get("picture", "") if entry else ""))
        is_known = len(place.parts) > 1 and ".." not in place.parts and not place.is_absolute()
        home = self.folders.inbox / (place.parent if is_known else self.config.default_style)
        with self.folders.enter(directory) as work, self.folders.enter(home, make=True) as target:
            names = [entry.name for entry in work.entries() if entry.is_file(follow_symlinks=False)]
            for name in sorted(names, key=is_photo):
                if name not in OWN:
                    move(work, name, target, free_name(name, lambda each: not target.holds(each)))
            for name in OWN:
                with contextlib.suppress(FileNotFoundError):
                    work.remove(name)
        directory.rmdir()
        if entry is not None:
            self.journal.write("returned", directory.name)

    def _remove(self, path: Path) -> None:
        with self.folders.enter(path.parent) as folder:
            folder.remove(path.name)

    def _set_lines_aside(self) -> None:
        """Move the damaged lines to journal.damaged; the journal keeps the sound ones."""
        sound, damaged = journal.split_damaged(self.folders.journal)
        write_atomically(self.folders.work / "journal.damaged", damaged, durable=True)
        write_atomically(self.folders.journal, sound, durable=True)


def _digest(folder: Folder, name: str) -> str:
    file = folder.file(name)
    try:
        return sha256(file.fd)
    except OSError:
        return "unreadable"
