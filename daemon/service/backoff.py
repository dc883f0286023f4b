"""What hinders the work for the moment: said once when it begins and once when it is over, tried again in between."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from daemon.status import Status

log = logging.getLogger("styled")

PAUSES: tuple[float, ...] = (2.0, 5.0, 15.0, 60.0)  # seconds between tries
ALL = ""  # where: no picture at all can be painted


class Flag(Protocol):
    """What can be waited for, with a limit in seconds: threading.Event, for one."""

    def wait(self, timeout: float | None = None) -> bool: ...


@dataclass(slots=True)
class _Trouble:
    why: str
    tries: int = 0
    until: float = 0.0


class Backoff:
    """By place: a folder of the inbox, or ALL. Thread-safe."""

    def __init__(self) -> None:
        self._found: dict[str, _Trouble] = {}
        self._lock = threading.Lock()

    def note(self, where: str, why: str) -> float:
        """It was tried and did not go. Returns the seconds after which to try again."""
        now = time.monotonic()
        with self._lock:
            trouble = self._found.get(where)
            is_new = trouble is None
            if trouble is None:
                trouble = self._found[where] = _Trouble(why)
            if now >= trouble.until:  # several jobs that ran into it at the same time count once
                trouble.until = now + PAUSES[min(trouble.tries, len(PAUSES) - 1)]
                trouble.tries += 1
            trouble.why = why
        if is_new and where == ALL:
            log.error("paused: %s; it goes on by itself when that is over", why)
        elif is_new:
            log.error("nothing in %s can be painted now: %s; it is tried again by itself", where, why)
        return max(trouble.until - now, 0.0)

    def over(self, where: str) -> None:
        """It was tried and went well, here and so, where ALL is concerned, anywhere."""
        for place in (where, ALL):
            with self._lock:
                trouble = self._found.pop(place, None)
            if trouble is not None:
                log.warning(
                    "%s", f"pictures in {place} can be painted again" if place else "it goes on: no longer paused"
                )

    def wait(self, stopping: Flag) -> None:
        """Return when it is time to try again what concerns ALL, or at the stop."""
        with self._lock:
            trouble = self._found.get(ALL)
        if trouble is not None:
            stopping.wait(max(trouble.until - time.monotonic(), 0.0))

    @property
    def now(self) -> str:
        """Why nothing at all is painted now, "" if it is."""
        with self._lock:
            trouble = self._found.get(ALL)
        return trouble.why if trouble else ""

    @property
    def anywhere(self) -> str:
        """Why something is not painted now, everything or one folder's pictures; "" if nothing hinders."""
        with self._lock:
            return next((trouble.why for _, trouble in sorted(self._found.items())), "")


PATIENCE = 120.0  # seconds: long enough for each cure that is tried by itself to have been tried a few times
AT_WORK = ("painting", "delivering")


class GiveUpTimer:
    """Watches for the moment from which on waiting is in vain."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._finished = -1
        self._since = 0.0  # when something was finished last, or there was no trouble

    def is_in_vain(self, board: Status, trouble: str) -> bool:
        """To be asked again and again. `trouble`: what hinders some of the work now, "" if nothing does; what hinders
        all of it stands on the board."""
        now, finished = self._clock(), board.delivered + board.failed
        if not trouble or finished != self._finished:
            self._finished, self._since = finished, now
        is_at_work = any(not board.trouble or task.stage in AT_WORK for task in board.tasks())
        return now - self._since > PATIENCE and not is_at_work
