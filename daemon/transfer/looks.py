"""When the loss of a scale is read, and whether it has stopped falling."""

import time
from collections.abc import Callable

import torch

PATIENCE, STILL = 30, 1e-4  # evaluations in which the loss must fall by this share; otherwise the scale ends early
STEPS_PER_LOOK = 10  # evaluations on a GPU between two reads of the loss, because each read waits for the device
SILENCE = 60.0  # seconds after which the loss is read anyway: a slow painter must not look like a dead painter


class Looks:
    """The reads of the loss of one scale.

    The host of a GPU runs ahead and cannot see how far the GPU is, so Looks learns the time of an evaluation from the
    first reads. Whether the loss stands still is decided by the regular reads alone, which do not depend on time.
    """

    def __init__(self, device: torch.device, last: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`last`: evaluations of the scale."""
        self._every = 1 if device.type == "cpu" else STEPS_PER_LOOK
        self._last, self._clock = last, clock
        self._seen: list[tuple[int, float]] = []  # (evaluations done, loss) of the regular reads
        self._looked, self._then, self._pace = 0, clock(), 0.0  # evaluations, time and seconds per evaluation

    def is_due(self, done: int) -> bool:
        """Whether to read the loss after `done` evaluations."""
        return self._is_regular(done) or done == 1 or (done - self._looked) * self._pace >= SILENCE

    def stands_still(self, done: int, loss: float) -> bool:
        """Note the loss that was read; whether it fell by less than the share STILL in PATIENCE evaluations."""
        now = self._clock()
        self._pace = (now - self._then) / (done - self._looked)
        self._looked, self._then = done, now
        if not self._is_regular(done):
            return False
        self._seen.append((done, loss))
        before = [earlier for count, earlier in self._seen if count <= done - PATIENCE]
        return bool(before) and loss >= before[-1] * (1 - STILL)

    def forget(self) -> None:
        """Compare no later loss with those so far, because another loss is minimised from now on."""
        self._seen.clear()

    def _is_regular(self, done: int) -> bool:
        return done % self._every == 0 or done == self._last
