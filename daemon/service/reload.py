"""Taking over a config.yaml that was saved, while photos are being painted."""

import logging
from collections.abc import Callable
from pathlib import Path

from daemon.config.changes import describe_changes
from daemon.config.load import load
from daemon.config.models import Config
from daemon.errors import ConfigError
from daemon.events import Event, about
from daemon.storage.layout import Folders
from daemon.text import escape

log = logging.getLogger("styled")


class LiveConfig:
    """The settings of the moment. `current` is replaced whole, so any thread may read it without a lock."""

    def __init__(self, config: Config) -> None:
        self.current = config


class FileChange:
    """Notices that a file was saved, in whatever way an editor saves, once it is the same in two looks."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._taken = self._last = self._look()

    def changed(self) -> bool:
        """Whether the file is the same as at the last call, and another than when this was true the last time."""
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


def reload(path: Path, live: LiveConfig, check: Callable[[Config], None], apply: Callable[[Config], None]) -> None:
    """Take the new settings, or keep the running ones and log everything that is wrong with the new. `check` raises
    ConfigError for settings that the loaded model cannot serve; `apply` tells those who keep settings."""
    old = live.current
    try:
        new = load(path)
        check(new)
        Folders(old.root).prepare(new.styles)  # last: until the new style is known, its folder would be left alone
    except ConfigError as error:
        for problem in error.problems:
            log.error("config.yaml: %s", problem)
        kept = "config.yaml was not taken; the running settings stay as they are"
        log.error(kept, extra=about(Event.SETTINGS_REJECTED))
        return
    live.current = new
    apply(new)
    for setting in old.changes_that_need_restart(new):
        said = about(Event.RESTART_NEEDED, setting=setting)
        log.warning("%s was changed; the change takes effect at the next start", setting, extra=said)
    for name in old.styles.keys() - new.styles.keys():
        said = about(Event.STYLE_REMOVED, style=name)
        log.info("the style %s was removed; its folders stay as they are", escape(name), extra=said)
    changes = "; ".join(describe_changes(old, new)) or "nothing has changed"
    log.info("config.yaml was read again: %s", changes, extra=about(Event.SETTINGS_TAKEN))
