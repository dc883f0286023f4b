"""A few like child processes: whoever needs one takes it for a while, and a dead one is replaced."""

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

from daemon.errors import ConfigError, ShuttingDown, WorkerDied, WorkerLost

log = logging.getLogger("styled")
WARM = 8  # of what a child did last, so much is taken to be at hand in it still


class Member(Protocol):
    """What answers calls: a process of ours (processes.Child), or the line to one elsewhere (processes.Line)."""

    name: str
    hello: Any

    @property
    def running(self) -> bool: ...
    def start(self) -> None: ...
    def ready(self) -> Any: ...
    def call(self, method: str, *arguments: object, progress: Any = None, patience: float | None = None) -> Any: ...
    def kill(self) -> None: ...
    def close(self) -> None: ...


Kind = TypeVar("Kind", bound=Member)


class Pool(Generic[Kind]):
    """A few like children; whoever needs one takes it for a while. A dead one is replaced by the next taker.
    Children may join and leave at any time."""

    RETRY_SECONDS: tuple[float, ...] = (1.0, 5.0, 30.0)  # between attempts to start a child that does not come up

    TRIAL_SECONDS = 120.0  # … for a sign of life in its trial

    def __init__(self, children: Sequence[Kind] = (), trial: str = "") -> None:
        """`trial`: the method by which a child that replaces a dead one shows that it works."""
        self.trouble = ""  # why none of them works
        self._trial = trial
        self._changed = threading.Condition()  # guards all down to the blank line
        self._members = list(children)
        self._idle = list(children)  # the one that has been idle longest is the first
        self._rests: dict[Kind, float] = {}  # until when a sick one is left alone
        self._failures: dict[Kind, int] = {}  # in a row
        self._warm: dict[Kind, deque[str]] = {}  # what each did last
        self._refused: ConfigError | None = None

        self._suspect: set[Kind] = set()  # died in a call, and nothing was heard of it since
        self._proven: set[Kind] = set()  # came up once
        self._reported: set[Kind] = set()  # was said to be sick
        self._closed = threading.Event()

    @property
    def children(self) -> tuple[Kind, ...]:
        with self._changed:
            return tuple(self._members)

    def start(self) -> None:
        """Start all of them, so that they load side by side."""
        for child in self.children:
            child.start()

    def add(self, child: Kind) -> None:
        """It joins, and is taken like the others from now on."""
        with self._changed:
            self._members.append(child)
            self._idle.append(child)
            self._changed.notify()
        if self._closed.is_set():  # `close` may have missed it
            child.kill()

    def remove(self, child: Kind) -> None:
        """It leaves: at once if nobody has it, and otherwise when what it does is done."""
        with self._changed:
            if child in self._members:
                self._members.remove(child)
            is_idle = child in self._idle
            if is_idle:
                self._idle.remove(child)
        if is_idle:
            self._part_with(child)

    def refuse(self, error: ConfigError) -> None:
        """There will be no children by these settings: whoever takes one is told so."""
        with self._changed:
            self._refused = error
            self._changed.notify_all()

    @contextlib.contextmanager
    def take(self, wish: str = "") -> Iterator[Kind]:
        """A child that is up, for this caller alone; of several, one that was taken for the same `wish` lately. One
        that is Lost leaves the pool. ShuttingDown: the pool is closing. ConfigError: from its start."""
        child = self._one_that_is_up(wish)
        try:
            yield child
        except WorkerDied:
            self._suspect.add(child)
            if self._closed.is_set():
                raise ShuttingDown from None
            if self._trial and len(self._members) > 1:  # the others get on meanwhile
                self._let_rest(child)
            raise
        except WorkerLost:
            self.remove(child)
            if self._closed.is_set():
                raise ShuttingDown from None
            raise
        else:
            self._failures.pop(child, None)
        finally:
            self._give_back(child)

    def close(self) -> None:
        """Kill all children; every call in hand ends with ShuttingDown."""
        self._closed.set()
        with self._changed:
            self._changed.notify_all()
        for child in self.children:
            child.kill()

    def _one_that_is_up(self, wish: str) -> Kind:
        while True:
            child = self._pick(wish)
            try:
                if self._comes_up(child):
                    return child
            except BaseException:
                self._give_back(child)
                raise
            self._give_back(child)

    def _pick(self, wish: str) -> Kind:
        """Take one off the idle: rather a sound one than a sick one, rather one that is warm for the wish."""
        with self._changed:
            while True:
                if self._closed.is_set():
                    raise ShuttingDown
                if self._refused is not None:
                    raise self._refused
                now = time.monotonic()
                awake = [child for child in self._idle if self._rests.get(child, 0.0) <= now]
                if awake:
                    child = min(awake, key=lambda each: (not self._is_sound(each), wish not in self._warm_in(each)))
                    self._idle.remove(child)
                    if wish:
                        warm = self._warm_in(child)
                        if wish in warm:
                            warm.remove(wish)
                        warm.append(wish)
                    return child
                soonest = min((self._rests[child] for child in self._idle), default=None)
                self._changed.wait(None if soonest is None else soonest - now)

    def _warm_in(self, child: Kind) -> deque[str]:
        return self._warm.setdefault(child, deque(maxlen=WARM))

    def _is_sound(self, child: Kind) -> bool:
        return child.running and child in self._proven and child not in self._suspect

    def _give_back(self, child: Kind) -> None:
        with self._changed:
            stays = child in self._members
            if stays:
                self._idle.append(child)
                self._changed.notify()
        if not stays:
            self._part_with(child)

    def _part_with(self, child: Kind) -> None:
        child.close()
        for about in (self._rests, self._failures, self._warm):
            about.pop(child, None)
        for among in (self._suspect, self._proven, self._reported):
            among.discard(child)

    def _let_rest(self, child: Kind) -> None:
        tries = self._failures[child] = self._failures.get(child, 0) + 1
        self._rests[child] = time.monotonic() + self.RETRY_SECONDS[min(tries, len(self.RETRY_SECONDS)) - 1]

    def _comes_up(self, child: Kind) -> bool:
        """One attempt. False: it is left alone for a while, and said to be sick if it was not yet."""
        if not child.running:
            child.close()
            self._warm_in(child).clear()
        try:
            child.ready()
            if self._closed.is_set():  # closed while it was starting: `close` may have missed it
                child.kill()
                raise ShuttingDown
            if self._trial and child in self._suspect:
                child.call(self._trial, patience=self.TRIAL_SECONDS)
        except (WorkerDied, ConfigError) as death:
            if isinstance(death, ConfigError) and not self._proven:
                raise  # at the first start: the settings are wrong, and not the device that they name
            self._suspect.add(child)
            self._let_rest(child)
            if not self._closed.is_set():
                self._report(child, death)
            return False
        except WorkerLost:
            self.remove(child)
            return False
        self._suspect.discard(child)
        self._proven.add(child)
        self._failures.pop(child, None)
        if self.trouble or child in self._reported:
            log.warning("the %s works again", child.name)
            self.trouble = ""
            self._reported.discard(child)
        return True

    def _report(self, child: Kind, death: Exception) -> None:
        """Said once, however often it is tried."""
        if any(self._is_sound(each) for each in self.children if each is not child):
            if child not in self._reported:
                log.error("the %s cannot work; the others go on without it: %s", child.name, death)
        elif not self.trouble:
            log.error("the %s cannot work, and nothing goes on until it can: %s", child.name, death)
            self.trouble = f"the {child.name} cannot work: {str(death).strip().splitlines()[-1]}"
        self._reported.add(child)
