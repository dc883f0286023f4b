"""What the daemon is doing now. The threads of the jobs report here; the console, `systemctl status`, Prometheus and
work/status.json show it. The file is plain JSON, so `styled status` reads it without asking the daemon.
"""

import bisect
import contextlib
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from daemon.previews import Preview
from daemon.storage.files import write_atomically
from daemon.text import escape
from daemon.transfer.steps import Memory, Step

BUCKETS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)  # s of painting, for Prometheus
LATEST = 8  # finished paintings that the console can show
MOST_LOSSES = 2000  # of one painting
WRITE_SECONDS = 1.0  # between two writes of status.json at least
HEARTBEAT_SECONDS = 5.0  # … and at most: storage/lock.py waits 10 s for the next write before it calls a daemon dead


@dataclass(slots=True)
class JobStatus:
    """A job in hand. `started`: when its painting began; `moved`: when it last made progress; both by the monotonic
    clock."""

    name: str
    style: str
    stage: str = "claimed"
    step: Step | None = None
    started: float = 0.0
    moved: float = field(default_factory=time.monotonic)
    losses: tuple[float, ...] = ()

    def seconds_left(self, now: float) -> float | None:
        """Estimated from the share of the work that is done; None for the first 2 %, which allow no estimate."""
        if self.step is None or self.step.done <= 0.02:
            return None
        return (now - self.started) * (1 - self.step.done) / self.step.done


@dataclass(frozen=True, slots=True)
class Counts:
    """Photos since the folders were made, and on one day."""

    delivered: int = 0
    failed: int = 0
    day: str = ""  # 2026-11-22, local
    delivered_today: int = 0
    failed_today: int = 0
    last_failure: str = ""
    last_failure_at: int = 0  # seconds since 1970

    def on(self, day: str) -> "Counts":
        """These counts on `day`: those of today begin at 0 on a new day."""
        return self if day == self.day else replace(self, day=day, delivered_today=0, failed_today=0)


@dataclass(frozen=True, slots=True)
class FinishedPainting:
    """A finished painting for the console: `seconds` of painting, `at` by the monotonic clock."""

    name: str
    style: str
    seconds: float
    preview: Preview
    at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True)
class Durations:
    """How long paintings took: how many ended within each of BUCKETS but not within the bucket before, and last, how
    many took longer than all buckets."""

    counts: tuple[int, ...] = (0,) * (len(BUCKETS) + 1)
    seconds: float = 0.0  # in all

    def with_one(self, seconds: float) -> "Durations":
        place = bisect.bisect_left(BUCKETS, seconds)
        counts = tuple(count + (number == place) for number, count in enumerate(self.counts))
        return Durations(counts, self.seconds + seconds)


@dataclass
class Status:
    """Changed only by its methods, which hold the lock. The public fields are replaced whole and never changed in
    place, so a thread may read a single field without the lock."""

    state: str = "starting"
    device: str = ""
    weights: str = ""
    delivered: int = 0
    failed: int = 0
    returned: int = 0  # photos that the stop put back into the inbox
    last_failure: str = ""
    rejected: tuple[str, ...] = ()  # why the config.yaml that was saved last was refused
    trouble: str = ""  # why nothing is painted now although photos wait
    paused: dict[str, str] = field(default_factory=dict)  # folders whose photos cannot be painted now, and why
    waiting: dict[str, int] = field(default_factory=dict)  # photos in the inbox, by style
    steps: int = 0  # evaluations of the loss since the start, for Prometheus
    durations: dict[str, "Durations"] = field(default_factory=dict)  # of the paintings since the start, by style
    last_delivery: float = 0.0  # seconds since 1970; 0: none since the start
    counts: Counts = Counts()
    memory: dict[str, Memory] = field(default_factory=dict)  # of each device, as its painter last reported
    upcoming: list[str] = field(default_factory=list)  # the next photos
    growing: list[dict[str, Any]] = field(default_factory=list)  # photos that are not complete, with the reason
    left: list[dict[str, str]] = field(default_factory=list)  # folders that are not painted, with the reason
    _latest: deque[FinishedPainting] = field(default_factory=lambda: deque(maxlen=LATEST))  # newest first
    _ends: deque[float] = field(default_factory=lambda: deque(maxlen=10_000))  # of paintings, monotonic
    _tasks: dict[str, JobStatus] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    # the daemon

    def enter(self, state: str) -> None:
        with self._lock:
            self.state = state

    def ready(self, device: str, weights: str) -> None:
        """The model is loaded and the inbox was listed once."""
        with self._lock:
            self.state, self.device, self.weights = "watching", device, weights

    def observe(self, *, device: str, trouble: str, waiting: dict[str, int], paused: dict[str, str]) -> None:
        """What the main loop sees several times a second."""
        with self._lock:
            self.device, self.trouble, self.waiting, self.paused = device, trouble, waiting, paused

    def list_photos(
        self, upcoming: list[str], growing: list[dict[str, Any]], left: Sequence[dict[str, str]] = ()
    ) -> None:
        """Which photos come next, which are not complete, and what a person must see to; all as printable text."""
        with self._lock:
            self.upcoming, self.growing, self.left = upcoming, growing, list(left)

    def reject(self, problems: Sequence[str]) -> None:
        """Keep why the config.yaml that was saved last was refused; no problems if it was accepted."""
        with self._lock:
            self.rejected = tuple(problems)

    def set_counts(self, counts: Counts) -> None:
        with self._lock:
            self.counts = counts

    # jobs

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
            if task.step is not None and task.step.scale != step.scale:
                task.losses = ()  # losses of two scales cannot be compared: the curve would jump up
            task.step, task.moved = step, time.monotonic()
            if step.memory is not None:
                self.memory = {**self.memory, step.memory.device: step.memory}
            task.losses = (*task.losses, step.loss)[-MOST_LOSSES:]

    def end(self, job: str) -> None:
        with self._lock:
            self._tasks.pop(job, None)

    def count(self, *, delivered: int = 0, failed: int = 0, returned: int = 0, failure: str = "") -> None:
        with self._lock:
            self.returned += returned
            self.delivered += delivered
            self.failed += failed
            self.last_failure = failure or self.last_failure

    def show(self, painting: FinishedPainting) -> None:
        """A painting was delivered."""
        with self._lock:
            known = self.durations.get(painting.style, Durations())
            self.durations = {**self.durations, painting.style: known.with_one(painting.seconds)}
            self.last_delivery = time.time()
            self._latest.appendleft(painting)
            self._ends.append(painting.at)

    # reading

    def shown(self) -> list[FinishedPainting]:
        """The last finished paintings, newest first."""
        with self._lock:
            return list(self._latest)

    def per_hour(self, now: float) -> float | None:
        """Paintings per hour, by the paintings of the last hour; None until there are two. `now`: monotonic."""
        with self._lock:
            recent = [at for at in self._ends if now - at <= 3600]
        span = max(now - recent[0], 1.0) if recent else 1.0
        return (len(recent) - 1) * 3600 / span if len(recent) > 1 else None

    def tasks(self) -> list[JobStatus]:
        """Copies of the jobs in hand, oldest first."""
        with self._lock:
            return [replace(task) for task in self._tasks.values()]

    def as_dict(self) -> dict[str, Any]:
        """What status.json holds."""
        now = time.monotonic()
        counts = self.counts.on(time.strftime("%Y-%m-%d"))
        return {
            "state": self.state,
            "device": self.device,
            "weights": self.weights,
            "memory": [memory._asdict() for memory in self.memory.values()],
            "jobs": [_job(task, now) for task in self.tasks()],
            "waiting": self.waiting,
            "delivered": self.delivered,
            "failed": self.failed,
            "last_failure": self.last_failure or counts.last_failure,
            "trouble": escape(self.trouble),
            "paused": {folder: escape(why) for folder, why in self.paused.items()},
            "rejected": [escape(problem) for problem in self.rejected],
            "next": self.upcoming,
            "growing": self.growing,
            "left": self.left,
            "counts": asdict(counts),
            "per_hour": self.per_hour(now),
        }


def _job(task: JobStatus, now: float) -> dict[str, Any]:
    return {
        "file": escape(task.name),
        "style": task.style,
        "stage": task.stage,
        "step": task.step.step if task.step else None,
        "steps": task.step.steps if task.step else None,
        "loss": task.step.loss if task.step else None,
        "seconds_left": task.seconds_left(now),
    }


class StatusFile:
    """work/status.json: written soon after something happened, and every HEARTBEAT_SECONDS while nothing happens: a
    daemon on another host takes the writes for this daemon's heartbeat."""

    def __init__(self, status: Status, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._status = status
        self._path = path
        self._clock = clock
        self._looked = self._written = -HEARTBEAT_SECONDS
        self._facts: dict[str, Any] = {}  # what the file holds, except numbers that change as time passes

    def is_due(self) -> bool:
        """Whether a second has passed since the last `update`."""
        return self._clock() - self._looked >= WRITE_SECONDS

    def update(self) -> None:
        """Write the file if something happened or the heartbeat is due."""
        self._looked, found = self._clock(), self._status.as_dict()
        if _timeless(found) != self._facts or self._looked - self._written >= HEARTBEAT_SECONDS:
            self._write(found)

    def write(self) -> None:
        """Write the file now."""
        self._write(self._status.as_dict())

    def _write(self, found: dict[str, Any]) -> None:
        """Whole or not at all. A full disk hides the status and stops nothing; the file need not survive a power
        loss, so there is no fsync."""
        with contextlib.suppress(OSError):
            write_atomically(self._path, json.dumps(found, indent=1) + "\n", durable=False)
            self._facts, self._written = _timeless(found), self._clock()


def _timeless(found: dict[str, Any]) -> dict[str, Any]:
    """The facts without the numbers that change while nothing happens."""
    jobs = [{**job, "seconds_left": None} for job in found["jobs"]]
    growing = [{**each, "seconds": None} for each in found["growing"]]
    return {**found, "jobs": jobs, "growing": growing, "per_hour": None}
