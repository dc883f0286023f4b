"""A command on a real terminal: what it shows, and keys that a person presses."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence

from tests.support.daemon import process_state, wait_until

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]")


class OnTerminal:
    """A process whose standard streams are a terminal of `columns` x `lines` characters."""

    def __init__(
        self, command: Sequence[object], *, columns: int = 100, lines: int = 40, environment: Mapping[str, str]
    ) -> None:
        self._fd, terminal = pty.openpty()
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self._process = subprocess.Popen(
            [str(each) for each in command], stdin=terminal, stdout=terminal, stderr=terminal,
            env={**os.environ, "TERM": "xterm-256color", **environment},
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(terminal)
        self._shown = b""

    @property
    def text(self) -> str:
        """All that was shown so far, without colours and movements of the cursor."""
        return ESCAPES.sub("", self._shown.decode(errors="replace"))

    def press(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def wait_until_it_sleeps(self, seconds: float = 60.0) -> None:
        """Until the process waits for a key: Python loses a ^C that comes between its prompt and its reading."""
        wait_until(lambda: process_state(self._process.pid) in ("S", ""), seconds, lambda: self.text)

    def wait_for(self, text: str, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while text not in self.text:
            assert self._read(deadline), self.text

    def end(self, seconds: float = 60.0) -> int:
        """Wait for the end of the process. Returns its exit code."""
        deadline = time.monotonic() + seconds
        while self._read(deadline):
            pass
        os.close(self._fd)
        return self._process.wait()

    def _read(self, deadline: float) -> bool:
        """False: the process has closed its terminal."""
        ready, _, _ = select.select([self._fd], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"it did not happen in time: {self.text}")
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # Linux says so at the end
            return False
        self._shown += data
        return bool(data)
