"""A pool of child processes of a kind: a job takes a child for a while, and a dead child is replaced."""

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from daemon.backoff import pause
from daemon.errors import ConfigError, ShuttingDown, WorkerDied, WorkerLost
from daemon.events import Event, about

log = logging.getLogger("styled")
SHORTEST_START = 20.0  # s; every child may take so long to start
LONGEST_START = 240.0  # s; systemd waits for the first start for 300 s
MOST_DOUBLED = 4  # times
RECENT = 8  # the last affinities of a child, which it probably still holds in memory


class Member(Protocol):
    """What a pool holds: a Child of this process, or a RemoteChild."""

    name: str
    ready_info: Any

    @property
    def running(self) -> bool: ...
    def start(self) -> None: ...
    def ready(self, patience: float | None = None) -> Any: ...
    def call(self, method: str, *arguments: object, progress: Any = None, patience: float | None = None) -> Any: ...
    def kill(self) -> None: ...
    def close(self) -> None: ...


Kind = TypeVar("Kind", bound=Member)


@dataclass(eq=False, slots=True)
class _Slot(Generic[Kind]):
    """A child and what the pool knows of it. While a slot is taken, only its taker changes it."""

    child: Kind
    failures: int = 0  # in a row
    rests_until: float = 0.0  # by the monotonic clock; the pool does not give a resting child away
    recent: deque[str] = field(default_factory=lambda: deque(maxlen=RECENT))  # affinities, oldest first
    is_suspect: bool = False  # the child died in a call, and no replacement has started since
    is_proven: bool = False  # the child started at least once
    is_reported: bool = False  # its failure is in the log

    @property
    def is_sound(self) -> bool:
        return self.child.running and self.is_proven and not self.is_suspect

    def back_off(self, ladder: Sequence[float]) -> None:
        """Let the child rest for a time that grows with its failures."""
        self.failures += 1
        self.rests_until = time.monotonic() + pause(ladder, self.failures)

    def used_for(self, affinity: str) -> None:
        if affinity in self.recent:
            self.recent.remove(affinity)
        self.recent.append(affinity)


class Pool(Generic[Kind]):
    """Children of a kind, each for a single taker at a time. The next taker replaces a dead child. Children may join
    and leave at any time. Thread-safe."""

    RETRY_SECONDS: tuple[float, ...] = (1.0, 5.0, 30.0)  # between two attempts to start a child
    TRIAL_SECONDS = 120.0  # for a sign of life in a trial

    def __init__(
        self, children: Sequence[Kind] = (), trial: str = "", patience: Callable[[], float] = lambda: LONGEST_START
    ) -> None:
        """`trial`: the method by which a child that replaces a dead child shows that it works; "" for none. `patience`:
        seconds, as set now, that a child may take to start; each failure doubles them, for a machine that is slow."""
        self.trouble = ""  # why no child works; written by takers, any thread may read it
        self._trial = trial
        self._patience = patience
        self._closed = threading.Event()
        self._changed = threading.Condition()  # guards all below, and every slot that is idle
        self._slots = [_Slot(child) for child in children]
        self._idle = list(self._slots)  # the slot that has been idle longest is the first
        self._refused: ConfigError | None = None

    @property
    def children(self) -> tuple[Kind, ...]:
        with self._changed:
            return tuple(slot.child for slot in self._slots)

    def start(self) -> None:
        """Start all children, so that they load side by side. If a child does not start, its taker tries again."""
        for child in self.children:
            _start(child)

    def add(self, child: Kind) -> None:
        """Let `child` join, and start it."""
        _start(child)
        slot = _Slot(child)
        with self._changed:
            self._slots.append(slot)
            self._idle.append(slot)
            self._changed.notify()
        if self._closed.is_set():  # `close` may have missed the child
            child.kill()

    def remove(self, child: Kind) -> None:
        """Let `child` leave: at once if it is idle, otherwise when its taker gives it back."""
        with self._changed:
            slot = next((slot for slot in self._slots if slot.child is child), None)
            if slot is None:
                return
            self._slots.remove(slot)
            is_idle = slot in self._idle
            if is_idle:
                self._idle.remove(slot)
        if is_idle:
            child.close()

    def refuse(self, error: ConfigError) -> None:
        """Let every taker fail with `error`: with these settings there will be no children."""
        with self._changed:
            self._refused = error
            self._changed.notify_all()

    @contextlib.contextmanager
    def take(self, affinity: str = "") -> Iterator[Kind]:
        """A running child, for this caller alone; if several are idle, a child that was taken for the same `affinity`
        lately. A child whose call raises WorkerLost leaves the pool.

        Raises ShuttingDown if the pool closes, and ConfigError if the settings allow no child.
        """
        slot = self._take_ready(affinity)
        try:
            yield slot.child
        except WorkerDied:
            slot.is_suspect = True
            if self._closed.is_set():
                raise ShuttingDown from None
            if self._trial and len(self.children) > 1:  # other takers go on meanwhile
                slot.back_off(self.RETRY_SECONDS)
            raise
        except WorkerLost:
            self.remove(slot.child)
            if self._closed.is_set():
                raise ShuttingDown from None
            raise
        else:
            slot.failures = 0
        finally:
            self._give_back(slot)

    def close(self) -> None:
        """Kill all children; every call that is running ends with ShuttingDown."""
        self._closed.set()
        with self._changed:
            self._changed.notify_all()
        for child in self.children:
            child.kill()

    def _take_ready(self, affinity: str) -> _Slot[Kind]:
        while True:
            slot = self._pick(affinity)
            try:
                if self._ensure_started(slot):
                    return slot
            except BaseException:
                self._give_back(slot)
                raise
            self._give_back(slot)

    def _pick(self, affinity: str) -> _Slot[Kind]:
        """Wait for an idle slot that does not rest, and take it: sound children come first, then children with the
        affinity."""
        with self._changed:
            while True:
                if self._closed.is_set():
                    raise ShuttingDown
                if self._refused is not None:
                    raise self._refused
                now = time.monotonic()
                awake = [slot for slot in self._idle if slot.rests_until <= now]
                if awake:
                    slot = min(awake, key=lambda each: (not each.is_sound, affinity not in each.recent))
                    self._idle.remove(slot)
                    if affinity:
                        slot.used_for(affinity)
                    return slot
                soonest = min((slot.rests_until for slot in self._idle), default=None)
                self._changed.wait(None if soonest is None else soonest - now)

    def _give_back(self, slot: _Slot[Kind]) -> None:
        with self._changed:
            stays = slot in self._slots
            if stays:
                self._idle.append(slot)
                self._changed.notify()
        if not stays:
            slot.child.close()

    def _ensure_started(self, slot: _Slot[Kind]) -> bool:
        """Start the child of a taken slot if it does not run, and try it out if it is suspect. Returns False if it
        rests now."""
        child = slot.child
        if not child.running:
            child.close()
            slot.recent.clear()
        try:
            child.ready(
                min(max(self._patience(), SHORTEST_START), LONGEST_START) * 2 ** min(slot.failures, MOST_DOUBLED)
            )
            if self._closed.is_set():  # `close` may have missed the child while it was starting
                child.kill()
                raise ShuttingDown
            if self._trial and slot.is_suspect:
                child.call(self._trial, progress=_sign_of_life, patience=self.TRIAL_SECONDS)
        except WorkerLost:
            self.remove(child)
            return False
        except (WorkerDied, ConfigError) as failure:
            if isinstance(failure, ConfigError) and not self._has_worked():
                raise  # at the first start, the settings are wrong rather than the device that they name
            slot.is_suspect = True
            slot.back_off(self.RETRY_SECONDS)
            if not self._closed.is_set():
                self._report_failure(slot, failure)
            return False
        slot.is_suspect, slot.is_proven, slot.failures = False, True, 0
        self._report_recovery(slot)
        return True

    def _has_worked(self) -> bool:
        with self._changed:
            return any(slot.is_proven for slot in self._slots)

    def _report_failure(self, slot: _Slot[Kind], failure: Exception) -> None:
        """Log the failure once, however often the child is tried again."""
        name = slot.child.name
        with self._changed:
            others_work = any(each.is_sound for each in self._slots if each is not slot)
        if others_work and not slot.is_reported:
            text = "the %s cannot work; the others go on without it: %s"
            log.error(text, name, failure, extra=about(Event.WORKER_FAILED, worker=name))
        elif not others_work and not self.trouble:
            text = "the %s cannot work, and nothing goes on until it can: %s"
            log.error(text, name, failure, extra=about(Event.WORKER_FAILED, worker=name))
            self.trouble = f"the {name} cannot work: {str(failure).strip().splitlines()[-1]}"
        slot.is_reported = True

    def _report_recovery(self, slot: _Slot[Kind]) -> None:
        if self.trouble or slot.is_reported:
            name = slot.child.name
            log.warning("the %s works again", name, extra=about(Event.WORKER_RECOVERED, worker=name))
            self.trouble = ""
            slot.is_reported = False


def _start(child: Member) -> None:
    with contextlib.suppress(WorkerDied):  # its taker tries again, and reports the failure
        child.start()


def _sign_of_life(*report: object) -> None:
    """Ignore the content of a trial's report; its arrival is the sign of life."""
