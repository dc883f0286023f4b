"""A clock that a test moves."""

from dataclasses import dataclass


@dataclass
class Clock:
    """`now`: seconds, as time.monotonic() or time.time() would give them."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now
