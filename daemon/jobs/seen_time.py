"""How long this machine has run with styled: a count of seconds that a change of the wall clock does not affect.

The time since the boot counts by the kernel's clock, also while the machine sleeps and between two runs of styled. The
time between two boots does not count, because only the wall clock could measure it. `work/clock` keeps the sum.
"""

import contextlib
import json
import threading
import time
from pathlib import Path

from daemon.storage.files import write_atomically
from daemon.text import duration

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
LEAP_SECONDS = 600.0  # network time changes the wall clock by less than that every day
LARGEST = 4096  # bytes of work/clock
LONGEST = 1e12  # s; no clock of ours shows more
DAY = 86_400.0  # s
OFF_DAYS = 30.0  # if a machine was off for longer by its wall clock, the clock may be wrong


def boot_seconds() -> float:
    """Seconds since the boot, including sleep."""
    return time.clock_gettime(BOOT_CLOCK)


def boot_id() -> str:
    """A name of this boot; "" where the system gives no name."""
    with contextlib.suppress(OSError):
        return BOOT_ID.read_text().strip()
    return ""


class SeenTime:
    """The clock of one root. It never goes back, but may lose an hour by a crash and a reboot. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._is_loaded = False
        self._base = 0.0  # seen seconds less the seconds since this boot
        self._drift: float | None = None  # the wall clock less the seconds since this boot, when last looked at
        self._leap = ""

    def now(self) -> float:
        """Seconds seen so far."""
        with self._lock:
            self._load()
            return self._base + boot_seconds()

    def at_least(self, seconds: float) -> float:
        """The same, but at least `seconds`, a time that was seen before: work/clock may have been lost."""
        with self._lock:
            self._load()
            self._base = max(self._base, seconds - boot_seconds())
            return self._base + boot_seconds()

    def save(self) -> None:
        """Write work/clock. If the disk refuses, only seen time is lost at the next boot."""
        facts = {"seen": self.now(), "since_boot": boot_seconds(), "boot": boot_id(), "wall": time.time()}
        with contextlib.suppress(OSError):
            write_atomically(self._path, json.dumps(facts) + "\n", durable=False)

    def leap(self) -> str:
        """By how much the wall clock was changed since the last call, in words; "" if it runs evenly."""
        with self._lock:
            self._load()
            drift = time.time() - boot_seconds()
            leapt = drift - self._drift if self._drift is not None else 0.0
            self._drift = drift
            said, self._leap = self._leap, ""
        return said or (_in_words(leapt) if abs(leapt) > LEAP_SECONDS else "")

    def _load(self) -> None:
        if self._is_loaded:
            return
        self._is_loaded = True
        self._base = -boot_seconds()  # nothing was seen yet
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            with self._path.open("rb") as file:
                facts = json.loads(file.read(LARGEST))
            numbers = [float(facts[name]) for name in ("seen", "since_boot", "wall")]
            if not all(0 <= number < LONGEST for number in numbers):
                raise ValueError
            seen, since_boot, wall = numbers
            same_boot = facts["boot"] == boot_id() != "" and since_boot <= boot_seconds()
            self._base = seen - (since_boot if same_boot else boot_seconds())
            if same_boot:
                self._drift = wall - since_boot
            elif not 0 <= time.time() - wall <= OFF_DAYS * DAY:
                self._leap = _in_words(time.time() - wall)


def _in_words(seconds: float) -> str:
    return f"{duration(abs(seconds))} {'forward' if seconds > 0 else 'back'}"
