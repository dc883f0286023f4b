"""When to try again photos that cannot be painted now. Each obstacle is reported once when it appears and once when it
is gone; in between, styled tries again and again."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from daemon.backoff import pause
from daemon.events import Event, about
from daemon.status import Status

log = logging.getLogger("styled")

PAUSES: tuple[float, ...] = (2.0, 5.0, 15.0, 60.0)  # seconds between tries
ALL = ""  # the place of an obstacle that stops every photo


@dataclass(slots=True)
class _Obstacle:
    why: str
    failures: int = 0
    until: float = 0.0


class Obstacles:
    """What keeps photos from being painted, by place: a folder of the inbox, or ALL. Thread-safe."""

    def __init__(self) -> None:
        self._obstacles: dict[str, _Obstacle] = {}
        self._lock = threading.Lock()

    def failed(self, place: str, why: str) -> float:
        """A try failed. Returns the seconds after which to try again."""
        now = time.monotonic()
        with self._lock:
            is_new = place not in self._obstacles
            obstacle = self._obstacles.setdefault(place, _Obstacle(why))
            if now >= obstacle.until:  # several jobs that fail at the same time count as a single failure
                obstacle.failures += 1
                obstacle.until = now + pause(PAUSES, obstacle.failures)
            obstacle.why = why
            seconds = obstacle.until - now
        if is_new and place == ALL:
            log.error("paused: %s; painting goes on by itself when the cause is gone", why, extra=about(Event.PAUSED))
        elif is_new:
            said = "the photos in %s cannot be painted now: %s; styled tries again by itself"
            log.error(said, place, why, extra=about(Event.FOLDER_PAUSED, folder=place))
        return seconds

    def succeeded(self, place: str) -> None:
        """A try in this place succeeded, so nothing stops every photo, either."""
        with self._lock:
            gone = [each for each in dict.fromkeys((place, ALL)) if self._obstacles.pop(each, None)]
        for each in gone:
            if each == ALL:
                log.warning("no longer paused", extra=about(Event.RESUMED))
            else:
                said = about(Event.FOLDER_RESUMED, folder=each)
                log.warning("the photos in %s can be painted again", each, extra=said)

    def wait(self, stopping: threading.Event) -> None:
        """Return when it is time to try again in spite of an obstacle that stops every photo, or at the stop."""
        with self._lock:
            obstacle = self._obstacles.get(ALL)
        if obstacle is not None:
            stopping.wait(max(obstacle.until - time.monotonic(), 0.0))

    @property
    def paused(self) -> str:
        """Why no photo at all is painted now; "" if photos are painted."""
        with self._lock:
            return self._obstacles[ALL].why if ALL in self._obstacles else ""

    @property
    def folders(self) -> dict[str, str]:
        """The folders whose photos cannot be painted now, and why."""
        with self._lock:
            return {place: obstacle.why for place, obstacle in self._obstacles.items() if place != ALL}

    @property
    def any_reason(self) -> str:
        """Why some photos are not painted now, all or those of one folder; "" if nothing stops any."""
        with self._lock:
            return next((obstacle.why for _, obstacle in sorted(self._obstacles.items())), "")


PATIENCE = 120.0  # seconds, in which the daemon tries every remedy several times
AT_WORK = ("painting", "delivering")


class GiveUpTimer:
    """Ends `styled run --once` where a service would wait until a disk or a device works again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._finished = -1
        self._since = 0.0  # when a photo was finished last, or nothing was in the way

    def expired(self, status: Status, reason: str) -> bool:
        """Whether it is pointless to wait any longer; called several times a second. `reason`: why some photos are not
        painted now, "" if all can be painted; `status.trouble`: why no photo can be painted."""
        now, finished = self._clock(), status.delivered + status.failed
        if not reason or finished != self._finished:
            self._finished, self._since = finished, now
        is_at_work = any(not status.trouble or task.stage in AT_WORK for task in status.tasks())
        return now - self._since > PATIENCE and not is_at_work
