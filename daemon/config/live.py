"""The settings that the daemon runs with now: one object that its threads share, instead of copies that grow old."""

from pathlib import Path

from daemon.config.models import Config


class LiveConfig:
    """The running configuration, and whether its file was saved since.

    A thread reads `current` once at the start of a piece of work and keeps that frozen Config until the work is done.
    """

    def __init__(self, path: Path, config: Config) -> None:
        """`config` was loaded from `path`, the user's config.yaml."""
        self.path = path
        self.current = config  # replaced whole by a reload, never changed
        self._reported = self._last = self._stamp()

    def changed_on_disk(self) -> bool:
        """Whether the file was saved, however an editor does that, and stood still between two calls. True once each.

        Only the main loop calls this, several times a second.
        """
        before, self._last = self._last, self._stamp()
        if self._last is None or self._last != before or self._last == self._reported:
            return False
        self._reported = self._last
        return True

    def _stamp(self) -> tuple[int, int, int] | None:
        """What differs after a save; None if the file cannot be seen for the moment."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns
