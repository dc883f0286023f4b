"""Warnings about the inbox, each logged once, and again only after things were different in between."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from daemon.events import Event, about
from daemon.inbox.scan import Kind, ScanEntry
from daemon.text import escape

log = logging.getLogger("styled")


class InboxReporter:
    """Remembers what it has logged about one inbox. Not thread-safe."""

    def __init__(self, folder: Path) -> None:
        self._folder = escape(str(folder))
        self._missing = ""
        self._reported: dict[str, str] = {}
        self._blocked: set[str] = set()

    def report_scan(self, entries: Iterable[ScanEntry], missing: str) -> None:
        """Report what a scan found. `missing` is what is wrong with inbox/ itself, "" when it was scanned."""
        if missing and missing != self._missing:
            log.warning("%s %s; waiting for it", self._folder, missing, extra=about(Event.INBOX_MISSING))
        elif self._missing and not missing:
            log.warning("%s is back", self._folder, extra=about(Event.INBOX_BACK))
        self._missing = missing
        found = {each.path: each.description for each in entries if each.kind in (Kind.NO_STYLE, Kind.TROUBLE)}
        for path in found.keys() - self._reported.keys():
            log.warning("%s: %s", escape(path), found[path], extra=about(Event.LEFT_ALONE, path=escape(path)))
        self._reported = found

    def report_blocked(self, blocked: Mapping[str, str]) -> None:
        """Report the photos that wait for a person. `blocked`: all of them, by path, with the reason."""
        for path in blocked.keys() - self._blocked:
            said = "%s waits: %s; the user that runs styled needs the right"
            log.warning(said, escape(path), blocked[path], extra=about(Event.UNREADABLE, path=escape(path)))
        self._blocked = set(blocked)
