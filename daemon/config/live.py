"""The settings that the daemon runs with now: one object that its threads share, instead of copies that grow old."""

import threading
from pathlib import Path

from daemon.config.load import load
from daemon.config.models import Config


class LiveConfig:
    """The running configuration, and whether its file was saved since. Every method may be called from any thread.

    A thread reads `current` once at the start of a piece of work and keeps that frozen Config until the work is done.
    """

    def __init__(self, path: Path, config: Config) -> None:
        """`config` was loaded from `path`, the user's config.yaml."""
        self.path = path
        self._current = config
        self._lock = threading.Lock()
        self._reported = self._last = self._stamp()

    @property
    def current(self) -> Config:
        """The settings as of now; `replace` changes what this returns, never the returned Config."""
        return self._current  # reading a reference is atomic

    def changed_on_disk(self) -> bool:
        """Whether the file was saved, however an editor does that, and stood still between two calls. True once each.

        The main loop calls this several times a second.
        """
        with self._lock:
            before, self._last = self._last, self._stamp()
            if self._last is None or self._last != before or self._last == self._reported:
                return False
            self._reported = self._last
            return True

    def load(self) -> Config:
        """The file's settings, checked and not yet in force. Raises ConfigError if they are wrong."""
        return load(self.path)

    def replace(self, new: Config) -> None:
        """Put `new` in force. Jobs in hand finish with the settings that they began with."""
        self._current = new

    def _stamp(self) -> tuple[int, int, int] | None:
        """What differs after a save; None if the file cannot be seen for the moment."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns
