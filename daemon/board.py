"""What is going on now: the jobs in hand and the counts. Jobs write it; the console, status.json and the
supervisor's watchdog read it. It leaves the process as plain JSON, so that `styled status` needs no daemon's help.
"""

import json
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from daemon.names import shown
from daemon.transfer.recipe import Step

STAGES = ("claimed", "reading", "waiting for a painter", "painting", "delivering")


@dataclass(slots=True)
class Task:
    """One job in hand. By the monotonic clock: `started` is when its painting began, `moved` when it last got on."""

    name: str
    style: str
    stage: str = "claimed"
    step: Step | None = None
    started: float = 0.0
    moved: float = field(default_factory=time.monotonic)

    def seconds_left(self, now: float) -> float | None:
        """By the share of the work done so far; None until that says something."""
        if self.step is None or self.step.done <= 0.02:
            return None
        return (now - self.started) * (1 - self.step.done) / self.step.done


@dataclass
class Board:
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
    _tasks: dict[str, Task] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, job: str, name: str, style: str) -> None:
        with self._lock:
            self._tasks[job] = Task(name, style)

    def stage(self, job: str, stage: str) -> None:
        with self._lock:
            task = self._tasks[job]
            task.stage = stage
            task.moved = time.monotonic()
            if stage == "painting":
                task.started = task.moved

    def step(self, job: str, step: Step) -> None:
        with self._lock:
            self.steps += 1
            self._tasks[job].step = step
            self._tasks[job].moved = time.monotonic()

    def end(self, job: str) -> None:
        with self._lock:
            self._tasks.pop(job, None)

    def count(self, *, delivered: int = 0, failed: int = 0, failure: str = "") -> None:
        with self._lock:
            self.delivered += delivered
            self.failed += failed
            self.last_failure = failure or self.last_failure

    def tasks(self) -> list[Task]:
        """Copies of the jobs in hand, oldest first."""
        with self._lock:
            return [replace(task) for task in self._tasks.values()]

    def as_dict(self) -> dict[str, Any]:
        now = time.monotonic()
        jobs = [
            {
                "file": shown(task.name),
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
            "jobs": jobs,
            "waiting": self.waiting,
            "delivered": self.delivered,
            "failed": self.failed,
            "last_failure": self.last_failure,
            "trouble": shown(self.trouble),
        }


def post(board: Board, path: Path) -> None:
    """Write the board to `path`, whole or not at all; it is a picture of a moment, so it is not fsynced."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(board.as_dict(), indent=1) + "\n")
    temporary.replace(path)
