"""Warnings about the inbox, each logged once, and again only after things were different in between."""

import logging
from collections.abc import Iterable
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
        self._unreadable: set[str] = set()

    def report_scan(self, entries: Iterable[ScanEntry], missing: str) -> None:
        """Report what a scan found. `missing` is what is wrong with inbox/ itself, "" when it was scanned."""
        if missing and missing != self._missing:
            log.warning("%s %s; waiting for it", self._folder, missing, extra=about(Event.INBOX_MISSING))
        elif self._missing and not missing:
            log.warning("%s is back", self._folder, extra=about(Event.INBOX_BACK))
        self._missing = missing
        found, photos = {}, set()
        for entry in entries:
            if entry.kind in (Kind.NO_STYLE, Kind.TROUBLE):
                found[entry.path] = entry.description
            elif entry.kind is Kind.PHOTO:
                photos.add(entry.path)
        for path in found.keys() - self._reported.keys():
            log.warning("%s: %s", escape(path), found[path], extra=about(Event.LEFT_ALONE, path=escape(path)))
        self._reported = found
        self._unreadable &= photos

    def report_readable(self, path: str, is_readable: bool) -> None:
        """Report whether styled has the right to read a photo in the inbox."""
        if is_readable:
            self._unreadable.discard(path)
        elif path not in self._unreadable:
            self._unreadable.add(path)
            log.warning(
                "%s: may not be read by the user that runs styled; it waits until it may",
                escape(path),
                extra=about(Event.UNREADABLE, path=escape(path)),
            )
