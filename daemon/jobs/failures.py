"""Whose fault it is that a process died: the picture's or the machine's.

In memory only, and counted only where the daemon lived on to see it: whoever kills the daemon blames nobody.
"""

import threading
from collections import OrderedDict

from daemon.inbox.scan import Signature

TRIES = 3  # a picture that ends its painter or reader so often, alone, is set aside
ROW = 3  # different pictures in a row that end their painter: then it may be the device
KEPT = 1000  # pictures whose deaths are remembered


class FailureTracker:
    """What each picture has on its conscience. Thread-safe."""

    def __init__(self) -> None:
        self._strikes: OrderedDict[Signature, list[str]] = OrderedDict()  # each by the name of what died
        self._row: set[Signature] = set()  # ended a painter since the last painting that was finished
        self._lock = threading.Lock()

    def strike(self, picture: Signature, *, on_painter: bool, painter: str = "", alone: bool = True) -> int:
        """A process died on it. Returns how many have; 0, and nothing is counted: so many other pictures did the
        same, one after another, that the device has to be tried first. Unless there is only one painter (`alone`),
        what only one and the same died on is not held against the picture a last time."""
        with self._lock:
            if on_painter:
                self._row.add(picture)
                if len(self._row) >= ROW:
                    return 0
            strikes = self._strikes[picture] = [*self._strikes.pop(picture, ()), painter][-TRIES:]
            while len(self._strikes) > KEPT:
                self._strikes.popitem(last=False)
            if on_painter and not alone and len(set(strikes)) == 1:
                return min(len(strikes), TRIES - 1)
            return len(strikes)

    def device_works(self) -> None:
        """It was tried: each of those in the row died for a reason of its own."""
        with self._lock:
            self._row.clear()

    def painted(self, picture: Signature) -> None:
        """The device works, and the picture is good."""
        self.device_works()
        with self._lock:
            self._strikes.pop(picture, None)

    def forget(self, picture: Signature) -> None:
        """It was set aside; should it come back, it begins anew."""
        with self._lock:
            self._strikes.pop(picture, None)
            self._row.discard(picture)
