"""`styled run --events FILE`: a line of JSON for each event, for programs and tests."""

import json
import logging
import os
from pathlib import Path

log = logging.getLogger("styled")
ORDINARY = frozenset(logging.makeLogRecord({}).__dict__) | {"event", "message", "asctime"}


class EventFile(logging.Handler):
    """Appends each log record that has an event to a file. An error never ends the daemon: a full disk only loses
    lines."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._warned = False

    def emit(self, record: logging.LogRecord) -> None:
        if not hasattr(record, "event"):
            return
        try:
            # each line at once, by a write of its own; a pipe without a reader must not block the daemon
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
            try:
                os.write(file, event_line(record))
            finally:
                os.close(file)
        except OSError as error:
            if not self._warned:
                self._warned = True
                log.warning("events cannot be written to %s: %s; the daemon goes on", self._path, error.strerror)


def event_line(record: logging.LogRecord) -> bytes:
    """One line of ASCII: time (seconds since 1970), event, level, message, then the record's own fields."""
    items = record.__dict__.items()
    fields = {name: value for name, value in items if name not in ORDINARY and name[0] != "_"}  # Ray adds _ray_…
    basis = {"time": record.created, "event": record.__dict__["event"], "level": record.levelname.lower()}
    return json.dumps(basis | {"message": record.getMessage()} | fields, default=str).encode() + b"\n"
