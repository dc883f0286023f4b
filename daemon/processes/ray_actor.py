"""What runs on a machine of the Ray cluster: an actor around one painter process."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from daemon import __version__
from daemon.errors import ConfigError, JobError, WorkerDied, WorkerLost
from daemon.processes.child import Child
from daemon.processes.child_process import LogForwarder
from daemon.processes.messages import Factory
from daemon.processes.painters import PainterInfo
from daemon.processes.shared_array import SharedArray
from daemon.transfer.recipe import Recipe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = logging.getLogger("styled")

BATCH_SECONDS = 0.25  # between two reports of progress at least


class RayActor:
    """What lives in the cluster: a painter process and who talks to it. Each answer is a stream of batches of
    (kind, value), as they come down a line."""

    def __init__(self, resident: Factory, device: str, weights: str) -> None:
        self._said: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        log.addHandler(LogForwarder(lambda kind, value: self._said.put((kind, value))))
        log.setLevel(10)
        log.propagate = False
        self._painter = Child("painter", resident, device, weights)

    def hello(self) -> tuple[str, PainterInfo | None, str]:
        """Our version, what it paints with, or why it cannot."""
        try:
            return __version__, self._painter.ready(), ""
        except (ConfigError, WorkerDied) as error:
            return __version__, None, str(error).strip()

    def try_out(self, patience: float | None) -> Iterator[list[tuple[str, Any]]]:
        yield from self._call("try_out", patience=patience)

    def paint(
        self,
        recipe: Recipe,
        threads: int | None,
        patience: float | None,
        shares: Sequence[float],
        content: NDArray[np.float32],
        *pictures: NDArray[np.float32],
    ) -> Iterator[list[tuple[str, Any]]]:
        """See Painter.paint; `pictures` (h, w, 3) have their `shares`."""
        style = tuple((SharedArray.of(picture), share) for picture, share in zip(pictures, shares, strict=True))
        yield from self._call("paint", SharedArray.of(content), style, recipe, threads, patience=patience)

    def _call(self, method: str, *arguments: object, patience: float | None) -> Iterator[list[tuple[str, Any]]]:
        if not self._painter.running:
            self._painter.close()
        said = self._said

        def work() -> None:
            try:
                result = self._painter.call(
                    method, *arguments, progress=lambda *about: said.put(("progress", about)), patience=patience
                )
                said.put(("result", result.array() if isinstance(result, SharedArray) else result))
            except (JobError, ConfigError, WorkerDied) as error:
                said.put(("error", error))
            except BaseException as error:
                said.put(("error", WorkerLost(f"it broke down: {error!r}")))

        threading.Thread(target=work, name=method, daemon=True).start()
        ended = False
        while not ended:
            batch = [said.get()]
            due = time.monotonic() + BATCH_SECONDS
            while not (ended := batch[-1][0] in ("result", "error")):
                try:
                    batch.append(said.get(timeout=max(due - time.monotonic(), 0)))
                except queue.Empty:
                    break
            yield batch
