"""Housekeeping beside the work: what was stranded is tried again, what has been kept long enough goes, and the
journal stays short."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from daemon.config.models import Config
from daemon.jobs import journal
from daemon.jobs.claims import JobStore
from daemon.jobs.journal_compaction import compact, is_there, leftover
from daemon.storage.layout import Folders
from daemon.storage.lock import Lock

log = logging.getLogger("styled")
REST_SECONDS = 1.0
SWEEP_SECONDS = 3600.0  # between two looks for files that have been kept long enough
COMPACT_BYTES = 1 << 20  # a journal that is longer, and twice as long as it last became, may be made shorter
DAY = 86_400.0  # s


class Housekeeping:
    """One thread of its own. Everything that it does can be left undone for a while."""

    def __init__(self, folders: Folders, claims: JobStore, lock: Lock, settings: Callable[[], Config]) -> None:
        self._folders = folders
        self._claims = claims
        self._lock = lock
        self._settings = settings
        self._swept = -SWEEP_SECONDS
        self._compacted = 0  # the journal's length in bytes after that

    def start(self, stopping: threading.Event) -> None:
        threading.Thread(target=self._run, args=(stopping,), name="keeper", daemon=True).start()

    def _run(self, stopping: threading.Event) -> None:
        with contextlib.suppress(OSError):
            leftover(self._folders).unlink()
        while not stopping.wait(REST_SECONDS):
            try:
                self._claims.tend()
                if self._lock.acquired and not self._lock.is_ours() and self._folders.work.is_dir():
                    log.error("%s is no longer the folder that this daemon began with", self._folders.work)
                if time.monotonic() - self._swept >= SWEEP_SECONDS:
                    self._swept = time.monotonic()
                    sweep(self._folders, self._settings(), time.time())
                self._shorten()
            except Exception:  # it must not end, and nothing hangs on one round
                log.exception("the housekeeping was broken off")
                stopping.wait(SWEEP_SECONDS / 60)

    def _shorten(self) -> None:
        with contextlib.suppress(OSError):  # no journal yet, or no room for another: it can wait
            if self._folders.journal.stat().st_size > max(COMPACT_BYTES, 2 * self._compacted):
                count = compact(self._claims.journal, self._folders)
                self._compacted = self._folders.journal.stat().st_size
                log.debug("the journal only counts %d more pictures, of which nothing is left here", count)


def sweep(folders: Folders, config: Config, now: float) -> int:
    """Remove from done/ and failed/ what has been there for longer than it is to be kept, by the journal's clock,
    and is still the very file that was put there. Returns how many files went. `now`: seconds since 1970."""
    limits = {"delivered": config.keep_done_days, "failed": config.keep_failed_days}
    days = {state: float(limit) for state, limit in limits.items() if limit != "ever"}
    if not days:
        return 0
    removed = 0
    jobs, _ = journal.entries(folders.journal)
    for entry in jobs.values():
        if entry.state in days and now - entry.at > days[entry.state] * DAY:
            for path in ours(folders, entry):
                path.unlink(missing_ok=True)
                removed += 1
    if removed:
        log.info("%d files were kept long enough and have been removed from done/ and failed/", removed)
    return removed


def ours(folders: Folders, entry: journal.Entry) -> Iterator[Path]:
    """The files that this job archived and that are still there, unchanged."""
    for name, its in entry.facts.get("files", {}).items():
        path = folders.root / name
        if ".." in Path(name).parts or not path.is_relative_to(folders.root):
            continue
        if is_there(path, its):
            yield path
