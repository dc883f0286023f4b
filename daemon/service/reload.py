"""Notices that config.yaml was saved."""

from pathlib import Path


class FileChange:
    """Notices that a file was saved, in whatever way an editor does that, once it has stood still for a moment."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._taken = self._last = self._look()

    def changed(self) -> bool:
        """Whether it differs from when this last was true, and not from the last call."""
        before, self._last = self._last, self._look()
        if self._last is None or self._last != before or self._last == self._taken:
            return False
        self._taken = self._last
        return True

    def _look(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns
