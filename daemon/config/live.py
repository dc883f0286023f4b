"""The settings that the daemon runs with now, in one object that its threads share, so that no thread keeps an old
copy."""

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
        """Whether the file was saved, in any editor's way, and did not change between two calls. True once for each
        save.

        Only the main loop calls this, several times a second.
        """
        before, self._last = self._last, self._stamp()
        if self._last is None or self._last != before or self._last == self._reported:
            return False
        self._reported = self._last
        return True

    def _stamp(self) -> tuple[int, int, int] | None:
        """A value that differs after a save; None while the file cannot be seen."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns
