"""Messages to systemd: ready, reloading, stopping, what the daemon is doing, and signs of life for the watchdog
(sd_notify(3), sd_watchdog_enabled(3)). Without NOTIFY_SOCKET nothing is sent.

A sign of life is sent only after a look at everything that should make progress, never by a timer alone: a timer goes
on in a process that stopped working long ago.
"""

import contextlib
import logging
import os
import socket
import time
from collections.abc import Callable, Mapping

from daemon.events import Event, about
from daemon.inbox.scan_thread import Health
from daemon.status import JobStatus, Status
from daemon.text import escape

log = logging.getLogger("styled")

STATUS_SECONDS = 1.0  # least time between two STATUS= lines
READER_SECONDS = 900.0  # the longest stage without a painter: three calls to a reader, 300 s each at most
MARGIN_SECONDS = 100.0  # time for the daemon itself to replace a process that hangs, before systemd ends the daemon


class SystemdClient:
    """The connection to systemd. `tick` belongs to the main loop; `notify` may be called from any thread."""

    def __init__(
        self, environment: Mapping[str, str] = os.environ, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._watchdog = _watchdog_seconds(environment)
        self._fed = self._told = -1e9
        self._status = self._problem = ""
        self._stall_seconds = 0.0

    def notify(self, *lines: str) -> None:
        """Send NAME=value lines as one message."""
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line, contextlib.suppress(OSError):
            line.settimeout(1.0)  # a supervisor that does not read must not stop the daemon
            line.sendto("\n".join(lines).encode(errors="replace"), address)

    def reloading(self) -> None:
        self.notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", "STATUS=reading config.yaml again")
        self._status = ""  # sent again after the reload

    def stopping(self, seconds: float) -> None:
        """`seconds`: how long the jobs in hand may need to be put back."""
        self.notify(
            "STOPPING=1",
            "STATUS=stopping; the photos in hand go back into the inbox",
            f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}",
        )

    def tick(self, status: Status, health: Health | None, stall_seconds: float) -> None:
        """Send what the daemon is doing and, if everything makes progress, a sign of life. `stall_seconds`: the present
        setting."""
        if not self._address:
            return
        now = self._clock()
        if now - self._told >= STATUS_SECONDS:
            self._told = now
            said = status_line(status, now)
            if said != self._status:
                self._status = said
                self.notify(f"STATUS={said}")
        # a job in hand keeps the settings that it began with: the limit falls only while there is none
        self._stall_seconds = max(stall_seconds, self._stall_seconds) if status.tasks() else stall_seconds
        is_armed = bool(self._watchdog) and status.state == "watching"  # systemd arms it at READY=1
        if is_armed and health is not None and now - self._fed >= self._watchdog / 4:
            self._feed(now, stalled(status, health, now, self._stall_seconds))

    def _feed(self, now: float, problem: str) -> None:
        if not problem:
            self._fed = now
            self.notify("WATCHDOG=1")
        elif not self._problem:
            log.error("%s; unless that changes, systemd restarts the daemon", problem, extra=about(Event.STALLED))
        self._problem = problem


def stalled(status: Status, health: Health, now: float, stall_seconds: float) -> str:
    """What has made no progress for longer than the daemon needs to replace it by itself; "" if everything makes
    progress. `now`: by the monotonic clock."""
    if not health.is_fresh:
        return f"the inbox has not been listed for {health.scan_age:.0f} s"
    limit = max(stall_seconds, READER_SECONDS) + MARGIN_SECONDS
    for task in status.tasks():
        # the pool reports a painter that does not start, and a job may wait for painters as long as it takes
        if task.stage != "waiting for a painter" and now - task.moved > limit:
            return f"{escape(task.name)} has made no progress for more than {limit:.0f} s ({task.stage})"
    return ""


def status_line(status: Status, now: float) -> str:
    """What the daemon is doing, in one line. `now`: by the monotonic clock."""
    tasks = status.tasks()
    doing = "; ".join(_doing(task) for task in tasks) if tasks else "nothing in hand"
    parts = [status.state if status.state != "watching" else doing]
    parts.append(f"{sum(status.waiting.values())} waiting")
    parts.append(f"{status.delivered} painted, {status.failed} failed")
    if rate := status.per_hour(now):
        parts.append(f"{rate:.0f} an hour" if rate >= 10 else f"{rate:.1f} an hour")
    return "; ".join(parts)


def _doing(task: JobStatus) -> str:
    if task.step is None or task.stage != "painting":
        return f"{escape(task.name)} ({task.stage})"
    return f"{escape(task.name)} (step {task.step.step}/{task.step.steps})"


def _watchdog_seconds(environment: Mapping[str, str]) -> float:
    """Within how long systemd wants a sign of life from this process; 0: never."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    usec = environment.get("WATCHDOG_USEC", "")
    return int(usec) / 1e6 if usec.isdecimal() else 0.0
