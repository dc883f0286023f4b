"""A real daemon in its own process, and the events that it writes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from daemon.events import Event


def process_state(pid: int) -> str:
    """Of a process on Linux: R runs, S waits, Z has ended and was not waited for …; "" if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # the latter: it went after the file was opened
        return ""


def wait_until(condition: Callable[[], object], seconds: float = 180.0, what: Callable[[], str] | None = None) -> None:
    """Poll until true; the bound is for a machine that is busy with other things."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what() if what else "it did not happen in time"
        time.sleep(0.02)


class Daemon:
    """A real `styled run` in a process of its own, with its output and its events kept."""

    def __init__(self, root: Path, *arguments: str, fast: bool = False, powerless: bool = False) -> None:
        """`fast`: with the painter of fast_daemon. `powerless`: even if we are root, like any other user."""
        self.root = root
        self.log = root / "log.txt"
        self._events = root / f"events-{len(list(root.glob('events-*.jsonl')))}.jsonl"
        self._events.touch()
        start = ["tests.support.fast_daemon"] if fast else ["daemon", "run"]
        unprivileged = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if powerless and os.getuid() == 0 else []
        files = ["--config", str(root / "config.yaml"), "--events", str(self._events)]
        with self.log.open("ab") as log:
            command = [*unprivileged, sys.executable, "-m", *start, *files, *arguments]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def text(self) -> str:
        """All that daemons on this root have printed."""
        return self.log.read_text(errors="replace")

    def events(self, event: Event | None = None, **fields: object) -> list[dict[str, Any]]:
        """What this daemon has reported: `event` with these fields, by default everything."""
        *lines, _ = self._events.read_text(errors="replace").split("\n")
        entries: list[dict[str, Any]] = [json.loads(line) for line in lines]
        wanted = fields if event is None else {"event": event, **fields}
        return [entry for entry in entries if wanted.items() <= entry.items()]

    def wait_for(self, event: Event, seconds: float = 60.0, **fields: object) -> dict[str, Any]:
        """The first such event, as soon as it happens. Fails if the daemon ends without it."""
        wait_until(lambda: self.events(event, **fields) or self.process.poll() is not None, seconds, self.text)
        found = self.events(event, **fields)
        assert found, self.text()
        return found[0]

    def wait_for_text(self, text: str, seconds: float = 60.0) -> None:
        """For what is no event: the words of a library, or of the configuration's author."""
        wait_until(lambda: text in self.text() or self.process.poll() is not None, seconds, self.text)
        assert text in self.text(), self.text()

    def ready(self) -> Self:
        self.wait_for(Event.READY)
        return self

    def signal(self, number: int) -> None:
        os.kill(self.process.pid, number)

    def stop(self, seconds: float = 60.0) -> int:
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.process.wait(seconds)


Start = Callable[..., Daemon]
