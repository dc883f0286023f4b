"""A few like child processes: whoever needs one takes it for a while, and a dead one is replaced."""

import contextlib
import logging
import threading
from collections.abc import Iterator, Sequence

from daemon.errors import ConfigError, Died, Stopped
from daemon.processes import Child

log = logging.getLogger("styled")


class Pool:
    """A few like children; whoever needs one takes it for a while. A dead one is replaced by the next taker."""

    RETRY_SECONDS: tuple[float, ...] = (1.0, 5.0, 30.0)  # between attempts to start a child that does not come up

    TRIAL_SECONDS = 120.0  # … for a sign of life in its trial

    def __init__(self, children: Sequence[Child], trial: str = "") -> None:
        """`trial`: the method by which a child that replaces a dead one shows that it works."""
        self.children = tuple(children)
        self.trouble = ""  # why a child does not come up
        self._trial = trial
        self._suspect: set[Child] = set()  # died in a call, and nothing was heard of it since
        self._proven: set[Child] = set()  # came up once
        self._idle = list(children)
        self._changed = threading.Condition()
        self._closed = threading.Event()

    def start(self) -> None:
        """Start all of them, so that they load side by side."""
        for child in self.children:
            child.start()

    @contextlib.contextmanager
    def take(self) -> Iterator[Child]:
        """A child that is up, for this caller alone. Stopped: the pool is closing. ConfigError: from its start."""
        with self._changed:
            self._changed.wait_for(lambda: self._idle or self._closed.is_set())
            if self._closed.is_set():
                raise Stopped
            child = self._idle.pop(0)
        try:
            self._bring_up(child)
            yield child
        except Died:
            self._suspect.add(child)
            if self._closed.is_set():
                raise Stopped from None
            raise
        finally:
            with self._changed:
                self._idle.append(child)
                self._changed.notify()

    def close(self) -> None:
        """Kill all children; every call in hand ends with Stopped."""
        self._closed.set()
        with self._changed:
            self._changed.notify_all()
        for child in self.children:
            child.kill()

    def _bring_up(self, child: Child) -> None:
        for attempt in range(10**9):
            if self._closed.is_set():
                raise Stopped
            if not child.running:
                child.close()
            try:
                child.ready()
                if self._closed.is_set():  # closed while it was starting: `close` may have missed it
                    child.kill()
                    raise Stopped
                if self._trial and child in self._suspect:
                    child.call(self._trial, patience=self.TRIAL_SECONDS)
                self._suspect.discard(child)
                self._proven.add(child)
                if self.trouble:
                    log.warning("the %s works again", child.name)
                    self.trouble = ""
                return
            except (Died, ConfigError) as death:
                if isinstance(death, ConfigError) and child not in self._proven:
                    raise  # its first start: the settings are wrong, and not the device that they name
                self._suspect.add(child)
                if not self._closed.is_set() and not self.trouble:  # said once, however often it is tried
                    log.error("the %s cannot work, and nothing goes on until it can: %s", child.name, death)
                    self.trouble = f"the {child.name} cannot work: {str(death).strip().splitlines()[-1]}"
                self._closed.wait(self.RETRY_SECONDS[min(attempt, len(self.RETRY_SECONDS) - 1)])
