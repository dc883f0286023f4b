"""When and how the loss of a scale is read, and whether the loss has stopped falling."""

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

log = logging.getLogger("styled")

CONVERGED = {"event": "converged"}
PATIENCE, STILL = 30, 1e-4  # evaluations in which the loss must fall by this share; otherwise the scale ends early
STEPS_PER_LOOK = 10  # evaluations on a GPU between two looks at the loss
SILENCE = 60.0  # seconds after which the loss is looked at anyway: a slow painter must not look like a dead painter


class Look(NamedTuple):
    """A loss on its way from the device."""

    done: int  # evaluations at which this was the best loss
    loss: Tensor  # (), on the host
    copied: torch.cuda.Event | None  # happens when `loss` has its value; None: it has


class Looks:
    """The looks at the loss of one scale, none of which keeps the device waiting.

    A look on a GPU copies the loss into pinned memory, with an event behind the copy. The host reads the value one look
    later, while the GPU computes the evaluations since then; so the host is never more than two looks ahead of the GPU.
    The first loss is read at once, because it tells how long an evaluation takes. Which looks decide that the scale
    ends, and after which evaluation, does not depend on time.
    """

    def __init__(self, device: torch.device, last: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`last`: evaluations of the scale."""
        self._every = 1 if device.type == "cpu" else STEPS_PER_LOOK
        self._later = reads_later(device)
        self._last, self._clock = last, clock
        self._taken: deque[Look] = deque()  # not read yet
        self._seen: list[tuple[int, float]] = []  # (evaluations done, loss) of the regular looks
        self._newest = self._other = 0  # evaluations at the last look, and at the last look at another loss
        self._start, self._pace = clock(), 0.0  # seconds per evaluation so far
        self.ended = last == 0  # whether the scale needs no more evaluations

    def after(self, done: int, loss: Tensor) -> list[tuple[int, float]]:
        """(evaluations, loss) of every look that is to be told after `done` evaluations; mostly none.

        `loss` (): the best loss now, which the device may still have to compute. If the loss stands still, the scale
        ends, and this look counts as that of the last evaluation.
        """
        if not (self._is_regular(done) or done == 1 or (done - self._newest) * self._pace >= SILENCE):
            return []
        self._take(done, loss)
        waits = done in (1, self._last) or not self._later
        found = [self._noted(self._taken.popleft()) for _ in range(len(self._taken) - (0 if waits else 1))]
        stands_still = self._is_regular(done) and self._stands_still()
        if stands_still and done < self._last:
            log.info("the picture has stopped changing after %d of %d evaluations", done, self._last, extra=CONVERGED)
            found = [*found, *map(self._noted, self._taken)]
            found[-1] = self._last, found[-1][1]
        self.ended = done == self._last or stands_still
        return found

    def forget(self) -> None:
        """Compare no later loss with those so far, because another loss is minimised from now on."""
        self._seen.clear()
        self._other = self._newest

    def _take(self, done: int, loss: Tensor) -> None:
        copied = None
        if self._later:
            loss, copied = pinned().copy_(loss, non_blocking=True), event()
            copied.record()
        self._taken.append(Look(done, loss, copied))
        self._newest = done

    def _noted(self, look: Look) -> tuple[int, float]:
        """Read a look, and wait for its event."""
        if look.copied is not None:
            look.copied.synchronize()
        loss = float(look.loss)
        self._pace = (self._clock() - self._start) / look.done
        if self._is_regular(look.done) and look.done > self._other:
            self._seen.append((look.done, loss))
        return look.done, loss

    def _stands_still(self) -> bool:
        """Whether the loss fell by less than the share STILL in PATIENCE evaluations."""
        if not self._seen:
            return False
        done, loss = self._seen[-1]
        before = [earlier for count, earlier in self._seen if count <= done - PATIENCE]
        return bool(before) and loss >= before[-1] * (1 - STILL)

    def _is_regular(self, done: int) -> bool:
        return done % self._every == 0 or done == self._last


def reads_later(device: torch.device) -> bool:
    """Whether a loss is read one look later, with pinned memory and events."""
    return device.type == "cuda"


def pinned() -> Tensor:
    """A float () on the host, to which a GPU copies while the host goes on; torch keeps such memory and reuses it.

    Ordinary memory if the system gives no other: the host then waits for the copy.
    """
    try:
        return torch.empty((), pin_memory=True)
    except RuntimeError:
        return torch.empty(())


def event() -> torch.cuda.Event:
    """An event for which the host waits without using the processor."""
    return torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
