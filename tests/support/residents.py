"""Objects for the tests' own child processes to hold."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from daemon.errors import ConfigError, JobError
from daemon.events import Event, about
from daemon.processes.child_process import log
from daemon.processes.painters import PainterInfo
from daemon.processes.shared_array import SharedArray
from daemon.storage.files import Handle


class Resident:
    """Answers with its process id when it is ready."""

    def __init__(self, mood: str = "good") -> None:
        if mood == "misconfigured":
            raise ConfigError(["device: there is no cuda:7"])
        if mood == "hung":
            time.sleep(1000)
        if mood == "sick":
            raise RuntimeError("the device is on fire")
        self.ready_info: Any = os.getpid()

    def double(self, array: SharedArray) -> SharedArray:
        return SharedArray.of(array.array() * 2)

    def count(self, progress: Callable[..., None]) -> str:
        for step in range(3):
            progress(step)
        return "counted"

    def refuse(self) -> None:
        raise JobError("It is blurred.", "Hold still.")

    def refuse_this(self, array: SharedArray) -> None:
        raise JobError(f"It is {array.array().mean()}.", "Hold still.")

    def break_down(self) -> None:
        raise RuntimeError("an illegal memory access")

    def hang(self) -> None:
        time.sleep(1000)

    def read(self, handle: Handle) -> bytes:
        with handle.file() as file:
            return file.read()

    def ignores_ctrl_c(self) -> bool:
        return signal.getsignal(signal.SIGINT) == signal.SIG_IGN

    def log_something(self) -> None:
        log.warning("the %s is short", "memory", extra=about(Event.MEMORY_SHORT, device="cuda:0", tile=256))


class Named(Resident):
    """Answers with its name; the trial of a child named "sick" fails."""

    def __init__(self, name: str) -> None:
        self.ready_info = name

    def trial(self, progress: Callable[..., None]) -> None:
        progress()
        if self.ready_info == "sick":
            raise RuntimeError("still on fire")


class OneOfTwoGpus:
    """A painter of a machine with two GPUs, that notes in a file by which device and weights it was started."""

    def __init__(self, notes: Path, device: str, weights: str) -> None:
        is_second_start = notes.exists()
        with notes.open("a") as file:
            file.write(f"{device} {weights}\n")
        if device == "auto":  # the GPU is lost after the first start
            device = "cpu" if is_second_start else "cuda:0"
        first, others = ("cuda:0", ("cuda:1",)) if device == "all" else (device, ())
        self.ready_info = PainterInfo(first, "a GPU of a test", "embedded", "", "relu5_1", others=others)

    def try_out(self, progress: Callable[..., None]) -> None:
        progress()
