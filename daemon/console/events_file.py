"""Stand-in, to be dropped: the events of the log as JSON lines, recognised by prose where no event is named yet."""

import json
import logging
import re
from pathlib import Path

from daemon.events import Event

PROSE = {
    r"^ready:": Event.READY,
    r"jobs finished, \d+ pictures put back": Event.RECOVERED,
    r"^given up:": Event.GIVEN_UP,
    r"^paused:": Event.PAUSED,
    r"no longer paused": Event.RESUMED,
    r"^nothing in .* can be painted now": Event.FOLDER_PAUSED,
    r"can be painted again": Event.FOLDER_RESUMED,
    r"was not taken": Event.SETTINGS_REJECTED,
    r"was read again": Event.SETTINGS_TAKEN,
    r"is missing; waiting": Event.INBOX_MISSING,
    r"may not be read": Event.UNREADABLE,
    r"left alone": Event.LEFT_ALONE,
    r"^painted ": Event.PAINTED,
    r"^failed ": Event.FAILED,
    r"\(try \d of \d\)": Event.RETRY,
    r"It is painted once more": Event.SECOND_TRY,
    r"through no fault": Event.RETURNED,
    r"to see why": Event.DEVICE_TESTED,
    r"cannot work": Event.WORKER_FAILED,
    r"works again": Event.WORKER_RECOVERED,
    r"has joined": Event.CLUSTER_JOINED,
    r"has left": Event.CLUSTER_LEFT,
    r"cluster.*it is tried again": Event.CLUSTER_LOST,
}
KNOWN = {*vars(logging.makeLogRecord({})), "message", "event"}


class EventsFile(logging.Handler):
    def __init__(self, path: Path) -> None:
        super().__init__(logging.INFO)
        self._file = path.open("a", buffering=1)

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        event = getattr(record, "event", None) or next((e for p, e in PROSE.items() if re.search(p, message)), None)
        fields = {name: value for name, value in vars(record).items() if name not in KNOWN}
        entry = {"time": record.created, "event": event, "level": record.levelname.lower(), "message": message}
        self._file.write(json.dumps(entry | fields, default=str) + "\n")
