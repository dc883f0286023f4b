"""What systemd is told: ready, reloading, stopping, what is going on, and signs of life for its watchdog
(sd_notify(3), sd_watchdog_enabled(3)). Without a supervisor that listens, nothing here does anything.

A sign of life is given only after looking at what should be getting on, never by a timer of its own: a timer goes
on ticking in a process that has long stopped working.
"""

import contextlib
import logging
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from daemon.status import JobStatus, Status
from daemon.text import escape

log = logging.getLogger("styled")

STATUS_SECONDS = 1.0  # between two STATUS= lines at least
STALL_SECONDS = 1000.0  # without a step; a painter that hangs is ended (painters.PATIENCE) well before that
RATE_SECONDS = 600.0  # over which the paintings per hour are counted
ROW_SECONDS = 600.0  # a start this soon after the last one is another of the same row
PAUSES = (0.0, 0.0, 5.0, 15.0, 60.0)  # seconds before the first start of a row, the second …


class Listing(Protocol):
    """What the watchdog asks of inbox.Health."""

    @property
    def is_fresh(self) -> bool: ...

    @property
    def scan_age(self) -> float: ...


class SystemdClient:
    """The line to systemd. `tick` belongs to the main loop; `notify` may be called from any thread."""

    def __init__(
        self, environment: Mapping[str, str] = os.environ, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._watchdog = _watchdog_seconds(environment)
        self._fed = self._told = -1e9
        self._status = self._stuck = ""
        self._delivered: deque[tuple[float, int]] = deque()

    @property
    def listens(self) -> bool:
        return bool(self._address)

    def notify(self, *lines: str) -> None:
        """Send NAME=value lines as one message."""
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line, contextlib.suppress(OSError):
            line.settimeout(1.0)  # a supervisor that does not read must not stop us
            line.sendto("\n".join(lines).encode(errors="replace"), address)

    def reloading(self) -> None:
        self.notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", "STATUS=reading config.yaml again")
        self._status = ""  # said again when it is over

    def stopping(self, seconds: float) -> None:
        """`seconds`: how much longer the jobs in hand may need to be put back."""
        self.notify(
            "STOPPING=1",
            "STATUS=stopping; the pictures in hand go back into the inbox",
            f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}",
        )

    def tick(self, board: Status, listing: Listing | None) -> None:
        """Say what is going on and, if everything gets on, that it does."""
        if not self._address:
            return
        now = self._clock()
        if now - self._told >= STATUS_SECONDS:
            self._told = now
            self._tell(status_line(board, self._per_hour(now, board.delivered)))
        watched = bool(self._watchdog) and board.state == "watching"  # it is armed with READY=1
        if watched and listing is not None and now - self._fed >= self._watchdog / 4:
            self._feed(now, stuck(board, listing, now))

    def _tell(self, status: str) -> None:
        if status != self._status:
            self._status = status
            self.notify(f"STATUS={status}")

    def _feed(self, now: float, problem: str) -> None:
        if not problem:
            self._fed = now
            self.notify("WATCHDOG=1")
        elif not self._stuck:
            log.error("%s; unless that changes, systemd starts the daemon afresh", problem)
        self._stuck = problem

    def _per_hour(self, now: float, delivered: int) -> float:
        """Paintings per hour lately; 0 before there are two to tell from."""
        if not self._delivered or self._delivered[-1][1] != delivered:
            self._delivered.append((now, delivered))
        while len(self._delivered) > 1 and now - self._delivered[0][0] > RATE_SECONDS:
            self._delivered.popleft()
        since, before = self._delivered[0]
        return (delivered - before) / (now - since) * 3600 if delivered - before >= 2 and now > since else 0.0


def stuck(board: Status, listing: Listing, now: float) -> str:
    """What does not get on as it should; empty if all does. `now`: by the monotonic clock."""
    if not listing.is_fresh:
        return f"the inbox has not been listed for {listing.scan_age:.0f} s"
    for task in board.tasks():
        # for a painter that does not start there is a report of its own, and waiting for it is no standstill
        if task.stage != "waiting for a painter" and now - task.moved > STALL_SECONDS:
            return f"{escape(task.name)} has not got on for more than {STALL_SECONDS:.0f} s ({task.stage})"
    return ""


def status_line(board: Status, per_hour: float = 0.0) -> str:
    """What the daemon is doing, in one line."""
    tasks = board.tasks()
    doing = "; ".join(_doing(task) for task in tasks) if tasks else "nothing in hand"
    parts = [board.state if board.state != "watching" else doing]
    parts.append(f"{sum(board.waiting.values())} waiting")
    parts.append(f"{board.delivered} painted, {board.failed} failed")
    if per_hour:
        parts.append(f"{per_hour:.0f} an hour" if per_hour >= 10 else f"{per_hour:.1f} an hour")
    return "; ".join(parts)


def _doing(task: JobStatus) -> str:
    if task.step is None or task.stage != "painting":
        return f"{escape(task.name)} ({task.stage})"
    return f"{escape(task.name)} (step {task.step.step}/{task.step.steps})"


class Restarts:
    """Counts the starts in a row that did not end well, in a file, because each is another process. RestartSteps=,
    with which systemd itself waits longer each time, is too new (254) to rely on."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock

    def begin(self) -> tuple[int, float]:
        """How many starts came before this one in its row, and how many seconds to wait for that."""
        number = 0
        with contextlib.suppress(OSError, ValueError):
            if abs(self._clock() - self._path.stat().st_mtime) < ROW_SECONDS:
                number = int(self._path.read_text())
        with contextlib.suppress(OSError):  # a full disk delays nothing
            self._path.write_text(f"{number + 1}\n")
            os.utime(self._path, (self._clock(), self._clock()))
        return number, PAUSES[min(number, len(PAUSES) - 1)]

    def ended_well(self) -> None:
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


def _watchdog_seconds(environment: Mapping[str, str]) -> float:
    """Within how long systemd wants a sign of life from this very process; 0: never."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    usec = environment.get("WATCHDOG_USEC", "")
    return int(usec) / 1e6 if usec.isdecimal() else 0.0
