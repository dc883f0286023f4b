"""A step of an optimiser as a CUDA graph: one launch instead of hundreds, which take 11 µs each on an H100."""

import logging
from collections.abc import Callable
from typing import ClassVar

import torch

log = logging.getLogger("styled")


class CapturedStep:
    """Calls `step`. On a GPU the second call captures `step` in a CUDA graph, and this and all later calls replay it.

    The first call runs `step` as usual, because libraries make their plans and workspaces then. If the capture fails,
    and on a CPU, every call runs `step` as usual.

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
            self._graph = self._captured()
        if self._graph is None:
            self._step()
        else:
            self._graph.replay()

    def _captured(self) -> torch.cuda.CUDAGraph | None:
        try:
            return graph_of(self._step)
        except Exception as error:  # an operation that no capture permits, or no memory for the graph
            self._tell(error)
            return None

    @classmethod
    def _tell(cls, error: Exception) -> None:
        if not cls.failure:
            cls.failure = (str(error).splitlines() or [type(error).__name__])[0]
            log.warning("steps are launched one by one, which is slower: %s", cls.failure, extra={"event": "eager"})


def graph_of(step: Callable[[], None]) -> torch.cuda.CUDAGraph:
    """The step as a graph for the current device. Computes nothing; raises what torch raises if the capture fails."""
    graph = torch.cuda.CUDAGraph()
    # Torch captures on another stream and, if the capture fails, does not return to the present stream.
    with (
        torch.cuda.stream(torch.cuda.current_stream()),
        torch.cuda.graph(graph, capture_error_mode="thread_local"),  # other threads may use CUDA meanwhile
    ):
        step()
    return graph


def is_capturing() -> bool:
    """Whether this thread is capturing a graph."""
    return torch.cuda.is_available() and torch.cuda.is_current_stream_capturing()
