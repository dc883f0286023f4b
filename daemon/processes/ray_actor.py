"""What runs on a machine of the Ray cluster: an actor around one painter process."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from daemon import __version__
from daemon.errors import ConfigError, JobError, WorkerDied, WorkerLost
from daemon.processes.child_process import LogForwarder
from daemon.processes.messages import Factory
from daemon.processes.painters import PainterChild, PainterInfo
from daemon.processes.shared_array import SharedArray
from daemon.transfer.recipe import Recipe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BATCH_SECONDS = 0.25  # least time between two batches of progress

Message = tuple[str, Any]  # (kind, value), see messages.answer_of


class RayActor:
    """The object in the cluster: it holds a painter process and answers calls by a stream of batches of messages."""

    def __init__(self, resident: Factory, device: str, weights: str) -> None:
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        LogForwarder(lambda kind, value: self._messages.put((kind, value))).install()
        self._painter = PainterChild("painter", resident, device, weights)

    def ready_info(self) -> tuple[str, PainterInfo | None, str]:
        """The version of styled there, what the painter paints with, and why the painter cannot paint, or ""."""
        try:
            return __version__, self._painter.ready(), ""
        except (ConfigError, WorkerDied) as error:
            return __version__, None, str(error).strip()

    def try_out(self, patience: float | None) -> Iterator[list[Message]]:
        yield from self._call("try_out", patience=patience)

    def paint(
        self,
        recipe: Recipe,
        threads: int | None,
        film: bool,
        patience: float | None,
        weights: Sequence[float],
        content: NDArray[np.float32],
        *pictures: NDArray[np.float32],
    ) -> Iterator[list[Message]]:
        """See Painter.paint; content (H, W, 3), `pictures` (h, w, 3) with their `weights`."""
        style = tuple((SharedArray.of(picture), weight) for picture, weight in zip(pictures, weights, strict=True))
        yield from self._call("paint", SharedArray.of(content), style, recipe, threads, film, patience=patience)

    def _call(self, method: str, *arguments: object, patience: float | None) -> Iterator[list[Message]]:
        if not self._painter.running:
            self._painter.close()

        def report(*details: object) -> None:
            self._messages.put(("progress", details))

        def work() -> None:
            try:
                result = self._painter.call(method, *arguments, progress=report, patience=patience)
                self._messages.put(("result", result.array() if isinstance(result, SharedArray) else result))
            except (JobError, ConfigError, WorkerDied) as error:
                self._messages.put(("error", error))
            except BaseException as error:
                self._messages.put(("error", WorkerLost(f"it broke down: {error!r}")))

        threading.Thread(target=work, name=method, daemon=True).start()
        ended = False
        while not ended:
            batch = [self._messages.get()]
            due = time.monotonic() + BATCH_SECONDS
            while not (ended := batch[-1][0] in ("result", "error")):
                try:
                    batch.append(self._messages.get(timeout=max(due - time.monotonic(), 0)))
                except queue.Empty:
                    break
            yield batch
