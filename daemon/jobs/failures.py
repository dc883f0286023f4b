"""What follows when a process dies on a photo: another try, a test of the device, or the end of the photo's tries.

Only deaths that the daemon itself saw count, and they are kept in memory only: a killed daemon counts against no photo.
"""

import threading
from collections.abc import Callable
from enum import Enum

from cachetools import LRUCache

from daemon.config.models import Config
from daemon.config.settings import auto_size
from daemon.errors import JobError, PainterDied
from daemon.inbox.photo import Signature
from daemon.processes.painters import Painters
from daemon.processes.style_cache import StyleCache
from daemon.transfer.steps import Step

TRIES = 3  # a photo that ends its painter or reader so often is set aside
ROW = 3  # if so many different photos in a row end their painter, the device may be sick
KEPT = 1000  # photos whose deaths are remembered


class Verdict(Enum):
    """What to do with the photo that a process died on."""

    RETRY = "retry"
    TEST_DEVICE = "test_device"  # then ask again; the death is not counted yet
    SET_ASIDE = "set_aside"


class FailureTracker:
    """The deaths of each photo. Thread-safe."""

    def __init__(self) -> None:
        self._deaths: LRUCache[Signature, list[str | None]] = LRUCache(KEPT)  # on which painter or, None, reader
        self._row: set[Signature] = set()  # photos that ended a painter since the last finished painting
        self._bugs: set[Signature] = set()  # photos whose job broke down since the last finished painting
        self._lock = threading.Lock()

    def record_death(self, photo: Signature, painter: str | None, *, alone: bool) -> Verdict:
        """A process died on the photo. `painter`: its name, None for a reader; `alone`: there is only one painter.

        TEST_DEVICE: too many photos in a row ended their painter. The caller tests the device; if the device works, the
        caller calls `device_passed` and asks again. Among several painters, a photo is only set aside after it ended
        two of them, because a single painter may be sick.
        """
        with self._lock:
            if painter is not None:
                self._row.add(photo)
                if len(self._row) >= ROW:
                    return Verdict.TEST_DEVICE
            deaths = [*self._deaths.get(photo, ()), painter]
            may_be_sick = painter is not None and not alone and len(set(deaths)) == 1
            self._deaths[photo] = deaths[: TRIES - 1] if may_be_sick else deaths
            return Verdict.SET_ASIDE if len(self._deaths[photo]) >= TRIES else Verdict.RETRY

    def record_bug(self, photo: Signature) -> bool:
        """Count a photo whose job broke down. Returns whether so many jobs in a row broke down that no photo is to
        blame."""
        with self._lock:
            self._bugs.add(photo)
            return len(self._bugs) >= ROW

    def deaths(self, photo: Signature) -> int:
        """How many deaths count against the photo, at most TRIES."""
        with self._lock:
            return len(self._deaths.get(photo, ()))

    def device_passed(self) -> None:
        """The device works: the photos themselves ended their painters."""
        with self._lock:
            self._row.clear()

    def painted(self, photo: Signature) -> None:
        """The photo and the device are good."""
        with self._lock:
            self._row.clear()
            self._bugs.clear()
            self._deaths.pop(photo, None)

    def forget(self, photo: Signature) -> None:
        """The photo was set aside. If it comes back, it has all its tries again."""
        with self._lock:
            self._deaths.pop(photo, None)
            self._row.discard(photo)


def unpaintable(death: Exception) -> JobError:
    """Why a photo is set aside whose last try ended in `death`."""
    what = "painted: the painter" if isinstance(death, PainterDied) else "read: the reader"
    reason = f"It could not be {what} process broke down on it {TRIES} times: {last_line(death)}."
    return JobError(reason, "Open it in another program and save it again, or paint it smaller.")


def broken_down(bug: Exception) -> str:
    """What happened, for a person who may report the bug."""
    return f"styled itself broke down on it: {type(bug).__name__}: {last_line(bug) if str(bug).strip() else 'no words'}"


def last_line(death: Exception) -> str:
    return str(death).strip().splitlines()[-1]


def device_works(
    painters: Painters, styles: StyleCache, config: Config, style: str, on_step: Callable[[Step], None]
) -> bool:
    """Whether a painter paints the style's own picture, as large as photos are painted in this style, to the end.

    If it does, the photos that ended their painter were bad, each by itself. Raises what `Painters.take` and
    `StyleCache.load` raise.
    """
    settings, device = config.settings(style), painters.info().device
    side = settings.long_side(device) or auto_size(device)
    threads, patience = config.thread_count, config.stall_seconds
    try:
        pictures = styles.load(config.styles[style].all_pictures, side, config.max_megapixels).pictures
        with painters.take() as painter:
            painter.paint(pictures[0][0], pictures, settings.recipe, threads, on_step, patience)
    except PainterDied:
        return False
    except JobError:  # the painter lives, and says why it cannot paint this
        pass
    return True
