"""How many pictures were painted and how many failed: today, and since the folders were made."""

import contextlib
import json
import threading
import time
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from daemon.jobs.record import JobResult
from daemon.status import Counts
from daemon.storage.files import write_atomically
from daemon.text import escape


class Counters:
    """Kept in one small file, which a crash may leave a moment behind. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._counts = Counts()

    def load(self) -> Counts:
        """What earlier runs counted; nothing if the file is not there or not ours."""
        with self._lock:
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                said = json.loads(self._path.read_text())
                kinds: dict[str, Any] = {field.name: field.type for field in fields(Counts)}
                self._counts = Counts(**{name: kind(said[name]) for name, kind in kinds.items()})
            return self._counts

    def count(self, finished: JobResult) -> Counts:
        """One more. OSError: it could not be written down."""
        with self._lock:
            counts = self._counts.on(time.strftime("%Y-%m-%d"))
            if finished.delivered:
                counts = replace(counts, delivered=counts.delivered + 1, delivered_today=counts.delivered_today + 1)
            else:
                counts = replace(
                    counts,
                    failed=counts.failed + 1,
                    failed_today=counts.failed_today + 1,
                    last_failure=f"{escape(finished.place)}: {escape(finished.reason)}",
                    last_failure_at=round(time.time()),
                )
            self._counts = counts
            write_atomically(self._path, json.dumps(asdict(counts)) + "\n", durable=False)
            return counts
