"""A step of an optimiser as a CUDA graph: one launch in the place of hundreds, 11 µs each from Python on an H100."""

import logging
from collections.abc import Callable
from typing import ClassVar

import torch

log = logging.getLogger("styled")


class CapturedStep:
    """Calls `step`; on a GPU the second call captures it in a CUDA graph, and every call from then on replays that.

    The first call is an ordinary one: libraries make their plans and workspaces in it. Where the capture fails, and on
    a CPU, each call is an ordinary one.

    What `step` must keep to:
    - It decides nothing on the host and waits for nothing: a replay does what the capture did, whatever the values.
    - All that it reads from the call before or leaves for the next one lies in the same tensors, written in place.
      LBFGS and ProjectedGradient do so: `evaluate` is always given the same x and may return its loss and gradient in
      new tensors, which the optimiser copies within the step; in a graph these are the same memory at each replay.
    - What `evaluate` reads besides x (targets, features of the photo, weights) stays where it is, and is not replaced.
      With another plan, level or loss, make a new CapturedStep.
    - Nothing else happens in it: Python runs at the first two calls only, so a count or a report belongs outside.
    """

    enabled: ClassVar[bool] = True  # False: nothing is captured; for tests and to look for a fault
    _told: ClassVar[bool] = False

    def __init__(self, step: Callable[[], None], device: torch.device) -> None:
        self._step = step
        self._graph: torch.cuda.CUDAGraph | None = None
        self._captures = self.enabled and device.type == "cuda"
        self._calls = 0

    def __call__(self) -> None:
        """One step."""
        self._calls += 1
        if self._captures and self._calls == 2:
            self._graph = self._captured()
        if self._graph is None:
            self._step()
        else:
            self._graph.replay()

    def _captured(self) -> torch.cuda.CUDAGraph | None:
        try:
            return graph_of(self._step)
        except Exception as error:  # what no capture permits, or no memory for the graph's own tensors
            self._tell(error)
            return None

    @classmethod
    def _tell(cls, error: Exception) -> None:
        if not cls._told:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            log.warning("steps are launched one by one, which is slower: %s", reason, extra={"event": "eager"})
        cls._told = True


def graph_of(step: Callable[[], None]) -> torch.cuda.CUDAGraph:
    """The step as a graph for the current device. Nothing is computed yet, and nothing where the capture raises."""
    graph = torch.cuda.CUDAGraph()
    # torch captures on a stream of its own, and where that fails it does not come back from there by itself.
    with (
        torch.cuda.stream(torch.cuda.current_stream()),
        torch.cuda.graph(graph, capture_error_mode="thread_local"),  # other threads may do as they like meanwhile
    ):
        step()
    return graph


def is_capturing() -> bool:
    """Whether this thread is in the middle of `graph_of`."""
    return torch.cuda.is_available() and torch.cuda.is_current_stream_capturing()
