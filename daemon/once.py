"""`styled run --once` must come to an end, also where a service would wait until a disk or a device works again."""

import time
from collections.abc import Callable

from daemon.board import Board

PATIENCE = 120.0  # seconds: long enough for each cure that is tried by itself to have been tried a few times
AT_WORK = ("painting", "delivering")


class Once:
    """Watches for the moment from which on waiting is in vain."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._finished = -1
        self._since = 0.0  # when something was finished last, or there was no trouble

    def is_in_vain(self, board: Board, trouble: str) -> bool:
        """To be asked again and again. `trouble`: what hinders some of the work now, "" if nothing does; what hinders
        all of it stands on the board."""
        now, finished = self._clock(), board.delivered + board.failed
        if not trouble or finished != self._finished:
            self._finished, self._since = finished, now
        is_at_work = any(not board.trouble or task.stage in AT_WORK for task in board.tasks())
        return now - self._since > PATIENCE and not is_at_work
