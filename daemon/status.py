"""What is going on now: the jobs in hand and the counts. Jobs write it; the console, status.json and the
supervisor's watchdog read it. It leaves the process as plain JSON, so that `styled status` needs no daemon's help.
"""

import json
import threading
import time
from collections import deque
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from daemon.previews import Preview
from daemon.storage.files import write_atomically
from daemon.text import escape
from daemon.transfer.steps import Memory, Step

LATEST = 8  # finished paintings that are remembered for the console
MOST_LOSSES = 2000  # of one painting


@dataclass(slots=True)
class JobStatus:
    """One job in hand. By the monotonic clock: `started` is when its painting began, `moved` when it last got on."""

    name: str
    style: str
    stage: str = "claimed"
    step: Step | None = None
    started: float = 0.0
    moved: float = field(default_factory=time.monotonic)
    losses: tuple[float, ...] = ()

    def seconds_left(self, now: float) -> float | None:
        """By the share of the work done so far; None until that says something."""
        if self.step is None or self.step.done <= 0.02:
            return None
        return (now - self.started) * (1 - self.step.done) / self.step.done


@dataclass(frozen=True, slots=True)
class Counts:
    """Pictures since the folders were made, and on one day."""

    delivered: int = 0
    failed: int = 0
    day: str = ""  # 2026-11-22, local
    delivered_today: int = 0
    failed_today: int = 0
    last_failure: str = ""
    last_failure_at: int = 0  # seconds since 1970

    def on(self, day: str) -> "Counts":
        """As they are on `day`."""
        return self if day == self.day else replace(self, day=day, delivered_today=0, failed_today=0)


@dataclass(frozen=True, slots=True)
class FinishedPainting:
    """A finished painting for the console: `seconds` of painting, `at` by the monotonic clock."""

    name: str
    style: str
    seconds: float
    preview: Preview
    at: float = field(default_factory=time.monotonic)


@dataclass
class Status:
    """Thread-safe by one lock around each change; readers take a snapshot."""

    state: str = "starting"
    device: str = ""
    weights: str = ""
    delivered: int = 0
    failed: int = 0
    last_failure: str = ""
    trouble: str = ""  # why nothing is painted now although pictures wait
    waiting: dict[str, int] = field(default_factory=dict)
    steps: int = 0  # evaluations in all: what the watchdog looks at
    seconds: float = 0.0  # of painting in all
    counts: Counts = Counts()
    memory: dict[str, Memory] = field(default_factory=dict)  # of each device, as its painter last said
    upcoming: list[str] = field(default_factory=list)  # the next pictures
    growing: list[dict[str, Any]] = field(default_factory=list)  # those that are not complete, with the reason
    latest: deque[FinishedPainting] = field(
        default_factory=lambda: deque(maxlen=LATEST)
    )  # the last finished, newest first
    _ends: deque[float] = field(default_factory=lambda: deque(maxlen=10_000))  # of paintings, monotonic
    _tasks: dict[str, JobStatus] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, job: str, name: str, style: str) -> None:
        with self._lock:
            self._tasks[job] = JobStatus(name, style)

    def stage(self, job: str, stage: str) -> None:
        with self._lock:
            task = self._tasks[job]
            task.stage = stage
            task.moved = time.monotonic()
            if stage == "painting":
                task.started = task.moved
                task.losses = ()

    def step(self, job: str, step: Step) -> None:
        with self._lock:
            self.steps += 1
            task = self._tasks[job]
            task.step, task.moved = step, time.monotonic()
            if step.memory is not None:
                self.memory[step.memory.device] = step.memory
            task.losses = (*task.losses, step.loss)[-MOST_LOSSES:]

    def end(self, job: str) -> None:
        with self._lock:
            self._tasks.pop(job, None)

    def count(self, *, delivered: int = 0, failed: int = 0, failure: str = "") -> None:
        with self._lock:
            self.delivered += delivered
            self.failed += failed
            self.last_failure = failure or self.last_failure

    def show(self, painting: FinishedPainting) -> None:
        """It was delivered."""
        with self._lock:
            self.seconds += painting.seconds
            self.latest.appendleft(painting)
            self._ends.append(painting.at)

    def shown(self) -> list[FinishedPainting]:
        """The last finished, newest first."""
        with self._lock:
            return list(self.latest)

    def per_hour(self, now: float) -> float | None:
        """Paintings per hour, by those of the last hour; None until there are two."""
        with self._lock:
            recent = [at for at in self._ends if now - at <= 3600]
        span = max(now - recent[0], 1.0) if recent else 1.0
        return (len(recent) - 1) * 3600 / span if len(recent) > 1 else None

    def tasks(self) -> list[JobStatus]:
        """Copies of the jobs in hand, oldest first."""
        with self._lock:
            return [replace(task) for task in self._tasks.values()]

    def as_dict(self) -> dict[str, Any]:
        now = time.monotonic()
        counts = self.counts.on(time.strftime("%Y-%m-%d"))
        jobs = [
            {
                "file": escape(task.name),
                "style": task.style,
                "stage": task.stage,
                "step": task.step.step if task.step else None,
                "steps": task.step.steps if task.step else None,
                "loss": task.step.loss if task.step else None,
                "seconds_left": task.seconds_left(now),
            }
            for task in self.tasks()
        ]
        return {
            "state": self.state,
            "device": self.device,
            "weights": self.weights,
            "memory": [memory._asdict() for memory in dict(self.memory).values()],
            "jobs": jobs,
            "waiting": self.waiting,
            "delivered": self.delivered,
            "failed": self.failed,
            "last_failure": self.last_failure or counts.last_failure,
            "trouble": escape(self.trouble),
            "next": self.upcoming,
            "growing": self.growing,
            "counts": asdict(counts),
            "per_hour": self.per_hour(now),
        }


def write_status(board: Status, path: Path) -> None:
    """Write the board to `path`, whole or not at all; it is a picture of a moment, so it is not fsynced."""
    write_atomically(path, json.dumps(board.as_dict(), indent=1) + "\n", durable=False)
