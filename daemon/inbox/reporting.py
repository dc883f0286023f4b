"""Warnings about the inbox, each logged once, and again only after things were different in between."""

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from daemon.events import Event, about
from daemon.inbox.scan import Kind, ScanEntry
from daemon.text import escape

log = logging.getLogger("styled")

ORPHAN_SECONDS = 60.0  # a person may drop a sidecar first, and then its photo


class InboxReporter:
    """Remembers what it has logged about one inbox. Not thread-safe."""

    def __init__(self, folder: Path) -> None:
        self._folder = escape(str(folder))
        self._missing = ""
        self._reported: dict[str, str] = {}
        self._blocked: set[str] = set()
        self._orphans: dict[str, float] = {}  # when each was first seen; infinite once it was reported

    def report_scan(self, entries: Sequence[ScanEntry], missing: str, now: float) -> None:
        """Report what a scan found. `missing` is what is wrong with inbox/ itself, "" when it was scanned; `now`:
        seconds of a monotonic clock."""
        if missing and missing != self._missing:
            log.warning("%s %s; waiting for it", self._folder, missing, extra=about(Event.INBOX_MISSING))
        elif self._missing and not missing:
            log.warning("%s is back", self._folder, extra=about(Event.INBOX_BACK))
        self._missing = missing
        found = {each.path: each.description for each in entries if each.kind in (Kind.NO_STYLE, Kind.TROUBLE)}
        for path in found.keys() - self._reported.keys():
            log.warning("%s: %s", escape(path), found[path], extra=about(Event.LEFT_ALONE, path=escape(path)))
        self._reported = found
        self._report_orphans({each.path: each.why for each in entries if each.kind is Kind.ORPHAN}, now)

    def _report_orphans(self, orphans: Mapping[str, str], now: float) -> None:
        """Report a sidecar or a mask that waits for its photo for so long that it may have come too late."""
        self._orphans = {path: self._orphans.get(path, now) for path in orphans}
        for path, since in self._orphans.items():
            if now - since >= ORPHAN_SECONDS:
                self._orphans[path] = math.inf
                said = "%s %s, which is not here; if the photo was painted without it, drop both again"
                log.warning(said, escape(path), orphans[path], extra=about(Event.LEFT_ALONE, path=escape(path)))

    def report_blocked(self, blocked: Mapping[str, str]) -> None:
        """Report the photos that wait for a person. `blocked`: all of them, by path, with the reason."""
        for path in blocked.keys() - self._blocked:
            said = "%s waits: %s; the user that runs styled needs the right"
            log.warning(said, escape(path), blocked[path], extra=about(Event.UNREADABLE, path=escape(path)))
        self._blocked = set(blocked)
