"""How many photos were painted and how many failed: today, and since the folders were made.

The counts are kept in work/tally.json. The journal has the counts, too, but to read 100,000 lines would delay each
start.
"""

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
    """Counts that are written after each photo; a crash may lose the last. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._counts = Counts()

    def load(self) -> Counts:
        """What earlier runs counted; zeros if the file is missing or was not written by styled."""
        with self._lock:
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                found = json.loads(self._path.read_text())
                kinds: dict[str, Any] = {field.name: field.type for field in fields(Counts)}
                self._counts = Counts(**{name: kind(found[name]) for name, kind in kinds.items()})
            return self._counts

    def count(self, result: JobResult) -> Counts:
        """Count one more photo. Raises OSError if the file cannot be written."""
        with self._lock:
            counts = self._counts.on(time.strftime("%Y-%m-%d"))
            if result.delivered:
                counts = replace(counts, delivered=counts.delivered + 1, delivered_today=counts.delivered_today + 1)
            else:
                counts = replace(
                    counts,
                    failed=counts.failed + 1,
                    failed_today=counts.failed_today + 1,
                    last_failure=f"{escape(result.place)}: {escape(result.reason)}",
                    last_failure_at=round(time.time()),
                )
            self._counts = counts
            write_atomically(self._path, json.dumps(asdict(counts)) + "\n", durable=False)
            return counts
