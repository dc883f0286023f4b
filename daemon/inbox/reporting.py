"""Warnings about the inbox: each is logged once, and again only if its cause was gone in between."""

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from daemon.events import Event, about
from daemon.inbox.scan import Kind, ScanEntry
from daemon.text import escape

log = logging.getLogger("styled")

MOST_LINES = 20  # about one scan
ORPHAN_SECONDS = 60.0  # a person may drop a sidecar first, and then its photo


class InboxReporter:
    """Remembers what it has logged about one inbox. Not thread-safe."""

    def __init__(self, folder: Path) -> None:
        self._folder = escape(str(folder))
        self._missing = ""
        self._reported: dict[str, str] = {}
        self._blocked: set[str] = set()
        self._orphans: dict[str, float] = {}  # when each was first seen; infinite after its report

    def report_scan(self, entries: Sequence[ScanEntry], missing: str, now: float) -> None:
        """Report what a scan found. `missing` is what is wrong with inbox/ itself, "" when it was scanned; `now`:
        seconds of a monotonic clock."""
        if missing and missing != self._missing:
            log.warning("%s %s; waiting for it", self._folder, missing, extra=about(Event.INBOX_MISSING))
        elif self._missing and not missing:
            log.warning("%s is back", self._folder, extra=about(Event.INBOX_BACK))
        self._missing = missing
        found = {each.path: each.description for each in entries if each.kind in (Kind.NO_STYLE, Kind.TROUBLE)}
        new = found.keys() - self._reported.keys()
        self._warn({path: f": {found[path]}" for path in new}, Event.LEFT_ALONE)
        self._reported = found
        self._report_orphans({each.path: each.why for each in entries if each.kind is Kind.ORPHAN}, now)

    def _report_orphans(self, orphans: Mapping[str, str], now: float) -> None:
        """Report a sidecar or a mask that waits for its photo for so long that it may have come too late."""
        self._orphans = {path: self._orphans.get(path, now) for path in orphans}
        late = [path for path, since in self._orphans.items() if now - since >= ORPHAN_SECONDS]
        self._orphans |= dict.fromkeys(late, math.inf)
        said = "which is not here; if the photo was painted without it, drop both again"
        self._warn({path: f" {orphans[path]}, {said}" for path in late}, Event.LEFT_ALONE)

    def report_blocked(self, blocked: Mapping[str, str]) -> None:
        """Report the photos that wait for a person. `blocked`: all of them, by path, with the reason."""
        new = blocked.keys() - self._blocked
        right = "the user that runs styled needs the right"
        self._warn({path: f" waits: {blocked[path]}; {right}" for path in new}, Event.UNREADABLE)
        self._blocked = set(blocked)

    def _warn(self, said: Mapping[str, str], event: Event) -> None:
        """A line for each path; of very many paths, one line for most: nobody fills the journal by dropping files."""
        for path in sorted(said)[:MOST_LINES]:
            log.warning("%s%s", escape(path), said[path], extra=about(event, path=escape(path)))
        if len(said) > MOST_LINES:
            more = "%d more like these in %s; `styled check` names each"
            log.warning(more, len(said) - MOST_LINES, self._folder, extra=about(event, path=self._folder))
