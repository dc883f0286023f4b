"""Takes a saved config.yaml into force while photos are being painted."""

import logging
from collections.abc import Callable

from daemon.config.changes import describe_changes
from daemon.config.live import LiveConfig
from daemon.config.load import load
from daemon.config.models import Config
from daemon.errors import ConfigError
from daemon.events import Event, about
from daemon.storage.layout import Folders
from daemon.text import escape

log = logging.getLogger("styled")


def reload(live: LiveConfig, check: Callable[[Config], None], apply: Callable[[Config], None]) -> tuple[str, ...]:
    """Put the file's settings in force. If the file is wrong, keep the running settings, and log and return everything
    that is wrong. `check` raises ConfigError for settings that the loaded model cannot serve; `apply` tells the
    inbox."""
    old = live.current
    try:
        new = load(live.path)
        check(new)
        apply(new)  # first of all, because the inbox reports the folder of an unknown style
        try:
            Folders(old.root).prepare(new.inbox_folders)
        except ConfigError:
            apply(old)
            raise
    except ConfigError as error:
        file = escape(str(live.path))
        for problem in error.problems:
            log.error("%s", problem if problem.startswith(file) else f"{file}: {problem}")
        kept = "config.yaml was not taken; the running settings stay as they are"
        log.error(kept, extra=about(Event.SETTINGS_REJECTED))
        return error.problems
    live.current = new  # jobs in hand finish with the settings that they began with
    for setting in old.changes_that_need_restart(new):
        said = about(Event.RESTART_NEEDED, setting=setting)
        log.warning("%s was changed; the change takes effect at the next start", setting, extra=said)
    for name in old.styles.keys() - new.styles.keys():
        said = about(Event.STYLE_REMOVED, style=name)
        log.info("the style %s was removed; its folders stay as they are", escape(name), extra=said)
    changes = "; ".join(describe_changes(old, new)) or "nothing has changed"
    log.info("config.yaml was read again: %s", changes, extra=about(Event.SETTINGS_TAKEN))
    return ()
