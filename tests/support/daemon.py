"""A real daemon in its own process."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path


def wait_until(condition: Callable[[], object], seconds: float = 180.0, what: Callable[[], str] | None = None) -> None:
    """Poll until true; the bound is for a machine that is busy with other things."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what() if what else "it did not happen in time"
        time.sleep(0.02)


class Daemon:
    """A real `styled run` in a process of its own, with its output kept."""

    def __init__(self, root: Path, *arguments: str, fast: bool = False, powerless: bool = False) -> None:
        """`fast`: with the painter of fast_daemon. `powerless`: even if we are root, like any other user."""
        self.root = root
        self.log = root / "log.txt"
        self._said_before = self.log.stat().st_size if self.log.exists() else 0  # by others on this root
        start = ["tests.support.fast_daemon"] if fast else ["daemon", "run"]
        drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if powerless and os.getuid() == 0 else []
        command = [*drop, sys.executable, "-m", *start, "--config", str(root / "config.yaml"), *arguments]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def said(self) -> str:
        """What this one has said, of all that stands in the log."""
        return self.log.read_bytes()[self._said_before :].decode(errors="replace")

    def wait_for(self, text: str, seconds: float = 60.0) -> None:
        wait_until(lambda: text in self.said() or self.process.poll() is not None, seconds, self.text)
        assert text in self.said(), self.text()

    def ready(self) -> "Daemon":
        self.wait_for("ready:")
        return self

    def signal(self, number: int) -> None:
        os.kill(self.process.pid, number)

    def stop(self, seconds: float = 60.0) -> int:
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.process.wait(seconds)
