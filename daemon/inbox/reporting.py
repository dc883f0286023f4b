"""What a person should know about the inbox, said once, and again only after it was different in between."""

import logging
from collections.abc import Iterable
from pathlib import Path

from daemon.inbox.scan import Entry, Fate
from daemon.text import escape

log = logging.getLogger("styled")


class InboxReporter:
    """What was said so far about one inbox. One thread at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = escape(str(folder))
        self._missing = ""
        self._said: dict[str, str] = {}
        self._unreadable: set[str] = set()

    def listed(self, entries: Iterable[Entry], missing: str) -> None:
        """`missing` says what is wrong with inbox/ itself, "" when it could be listed."""
        if missing and missing != self._missing:
            log.warning("%s %s; waiting for it", self._folder, missing)
        elif self._missing and not missing:
            log.warning("%s is back", self._folder)
        self._missing = missing
        news, photos = {}, set()
        for entry in entries:
            if entry.fate in (Fate.NO_STYLE, Fate.TROUBLE):
                news[entry.path] = entry.verdict
            elif entry.fate is Fate.PHOTO:
                photos.add(entry.path)
        for path in news.keys() - self._said.keys():
            log.warning("%s: %s", escape(path), news[path])
        self._said = news
        self._unreadable &= photos

    def readable(self, path: str, is_so: bool) -> None:
        """Whether a photo in the inbox may be read."""
        if not is_so and path not in self._unreadable:
            self._unreadable.add(path)
            log.warning("%s: may not be read by the user that runs styled; it waits until it may", escape(path))
        elif is_so:
            self._unreadable.discard(path)
