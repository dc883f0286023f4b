"""A step of an optimiser as a CUDA graph: one launch instead of hundreds, which take 11 µs each on an H100."""

import logging
import threading
from collections.abc import Callable
from functools import cache
from typing import ClassVar

import torch

from ..errors import first_line
from ..memory import is_shortage

log = logging.getLogger("styled")

_one_at_a_time = threading.Lock()  # torch allows a process no second capture meanwhile


class CapturedStep:
    """Calls `step`. On a GPU the second call captures `step` in a CUDA graph, and this and all later calls replay it.

    The first call runs `step` as usual, because libraries make their plans and workspaces then. If the capture or the
    first replay fails, and on a CPU, every call runs `step` as usual.

    Rules for `step`:
    - `step` takes no decision on the host and waits for nothing: a replay repeats the captured launches for any values.
    - Values from the call before and for the next call lie in the same tensors, written in place. LBFGS and
      ProjectedGradient do so: `evaluate` always receives the same x and may return loss and gradient in new tensors,
      which the optimiser copies within the step. In a graph these tensors have the same memory at each replay.
    - The tensors that `evaluate` reads besides x (targets, features of the photo, weights) stay in place and are not
      replaced. For another plan, level or loss make a new CapturedStep.
    - Python runs in the first two calls only, so counts and reports belong outside of `step`.
    """

    enabled: ClassVar[bool] = True  # False: capture nothing, for tests and to look for a fault
    failure: ClassVar[str] = ""  # why the first capture of this process that failed did so

    def __init__(self, step: Callable[[], None], device: torch.device) -> None:
        self._step = step
        self._graph: torch.cuda.CUDAGraph | None = None
        self._captures = self.enabled and device.type == "cuda"
        self._calls = 0

    def __call__(self) -> None:
        """Do a step."""
        self._calls += 1
        if self._captures and self._calls == 2:
            self._graph = self._replayed()
            if self._graph is not None:
                return
        if self._graph is None:
            self._step()
        else:
            self._graph.replay()

    def _replayed(self) -> torch.cuda.CUDAGraph | None:
        """The step as a graph, after its first replay, which may fail too; None if the step was not done."""
        try:
            graph = graph_of(self._step)
            graph.replay()
            return graph
        except Exception as error:  # an operation that no capture permits, or no memory for the graph
            while isinstance(error.__context__, Exception):
                error = error.__context__  # torch then fails to end the capture, too, and says that last
            if not is_shortage(error):  # this step alone lacks the memory
                self._tell(error)
            return None

    @classmethod
    def _tell(cls, error: Exception) -> None:
        if not cls.failure:
            cls.failure = first_line(error)
            log.warning("steps are launched one by one, which is slower: %s", cls.failure, extra={"event": "eager"})


def graph_of(step: Callable[[], None]) -> torch.cuda.CUDAGraph:
    """The step as a graph for the current device. Computes nothing; raises what torch raises if the capture fails."""
    graph = torch.cuda.CUDAGraph()
    # Torch captures on another stream and, if the capture fails, does not return to the present stream.
    with (
        _one_at_a_time,
        torch.cuda.stream(torch.cuda.current_stream()),
        # Other threads may use CUDA meanwhile. Torch's own stream for captures is one of the GPU that captured first.
        torch.cuda.graph(graph, stream=_stream(torch.cuda.current_device()), capture_error_mode="thread_local"),
    ):
        step()
    return graph


@cache
def _stream(device: int) -> torch.cuda.Stream:
    """The stream for the captures of a GPU, always the same: cuBLAS keeps a workspace for each stream."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def is_capturing() -> bool:
    """Whether this thread is capturing a graph."""
    return torch.cuda.is_available() and torch.cuda.is_current_stream_capturing()
