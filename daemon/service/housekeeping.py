"""Housekeeping beside the jobs: stranded jobs are tried again, files that were kept long enough are removed, and the
journal stays short."""

import contextlib
import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from daemon.config.live import LiveConfig
from daemon.config.models import Config
from daemon.events import Event, about
from daemon.jobs import journal
from daemon.jobs.claims import JobStore
from daemon.jobs.journal_compaction import compact, leftover
from daemon.jobs.seen_time import DAY, SeenTime
from daemon.storage.layout import Folders
from daemon.storage.lock import Lock
from daemon.text import escape

log = logging.getLogger("styled")

REST_SECONDS = 1.0
FAILED_SECONDS = 60.0  # rest after a round that failed
SWEEP_SECONDS = 3600.0  # between two looks for files that were kept long enough
COMPACT_BYTES = 1 << 20  # a longer journal is shortened, once it has doubled since the last time


class Housekeeping:
    """A thread for work that can always wait."""

    def __init__(self, folders: Folders, store: JobStore, lock: Lock, live: LiveConfig) -> None:
        self._folders = folders
        self._store = store
        self._lock = lock
        self._live = live
        self._seen_time = store.journal.seen_time
        self._swept = -SWEEP_SECONDS
        self._compacted = 0  # bytes of the journal after it was shortened
        self.has_lost_root = False  # another work/ or another lock lies where this daemon's was

    def start(self, stopping: threading.Event) -> None:
        threading.Thread(target=self._run, args=(stopping,), name="housekeeping", daemon=True).start()

    def _run(self, stopping: threading.Event) -> None:
        with contextlib.suppress(OSError):
            leftover(self._folders).unlink()
        rest = REST_SECONDS
        while not stopping.wait(rest):
            try:
                self._round()
                if self.has_lost_root:
                    stopping.set()
                rest = REST_SECONDS
            except Exception:  # the thread must live on, and no photo depends on a single round
                log.exception("the housekeeping failed", extra=about(Event.HOUSEKEEPING_FAILED))
                rest = FAILED_SECONDS

    def _round(self) -> None:
        self._store.tend()
        self._check_root()
        self._check_clock()
        if time.monotonic() - self._swept >= SWEEP_SECONDS:
            self._swept = time.monotonic()
            sweep(self._folders, self._live.current, self._seen_time)
            self._seen_time.save()
        self._shorten()

    def _check_root(self) -> None:
        """If another daemon could start on this root, this daemon takes no more photos and ends."""
        if self._lock.acquired and not self._lock.is_ours() and self._folders.work.is_dir():
            self.has_lost_root = True
            lock = escape(str(self._lock.path))
            said = "%s is no longer the file that this daemon has locked: somebody removed it; this daemon ends"
            log.error(said, lock, extra=about(Event.ROOT_REPLACED))

    def _check_clock(self) -> None:
        if leap := self._seen_time.leap():
            said = (
                "this machine's clock has leapt %s; nothing is removed for that: days count while styled sees them pass"
            )
            log.warning(said, leap, extra=about(Event.CLOCK_LEAPT))

    def _shorten(self) -> None:
        with contextlib.suppress(OSError):  # there is no journal yet, or no room for a second journal: this can wait
            if self._folders.journal.stat().st_size > max(COMPACT_BYTES, 2 * self._compacted):
                count = compact(self._store.journal, self._folders)
                self._compacted = self._folders.journal.stat().st_size
                log.debug("the journal was shortened: nothing is left here of %d photos, only their count", count)


def sweep(folders: Folders, config: Config, seen_time: SeenTime) -> int:
    """Remove the files from done/ and failed/ that were kept for longer than the settings say, by the time that styled
    has seen since, and that are unchanged. Returns how many were removed."""
    limits = {"delivered": config.keep_done_days, "failed": config.keep_failed_days}
    days = {state: float(limit) for state, limit in limits.items() if limit != "ever"}
    if not days:
        return 0
    jobs = [entry for entry in journal.entries(folders.journal)[0].values() if entry.state in days]
    now = seen_time.at_least(max(map(_seen, jobs), default=0.0))
    removed, refused = 0, []
    for entry in jobs:
        if now - _seen(entry) > days[entry.state] * DAY:
            for name, stamp in entry.facts.get("files", {}).items():
                try:
                    removed += _remove(folders, folders.root / name, stamp)
                except OSError as error:
                    refused.append(f"{escape(name)} ({error.strerror})")
    if removed:
        said = about(Event.EXPIRED, files=removed)
        log.info("%d files were kept long enough and were removed from done/ and failed/", removed, extra=said)
    if refused:
        text = "%d files were kept long enough and cannot be removed; the first is %s"
        log.warning(text, len(refused), refused[0], extra=about(Event.NOT_EXPIRED, files=len(refused)))
    return removed


def _seen(entry: journal.Entry) -> float:
    """When the job ended, by SeenTime. A line of an older styled does not say that: its time counts from the update."""
    seen = entry.facts.get("seen", 0.0)
    return float(seen) if isinstance(seen, int | float) else 0.0


def _remove(folders: Folders, path: Path, stamp: Sequence[int]) -> bool:
    """Remove a file that a job archived, if it is still there and unchanged. Raises OSError if it cannot be removed.

    Other users may have put another file there; it goes, if its stamp is the same. Behind a link, nothing is
    removed."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, ValueError), folders.enter(path.parent) as folder:
        if folder.is_stamped(path.name, stamp):
            folder.remove(path.name)
            return True
    return False
