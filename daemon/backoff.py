"""How long to wait between two tries of the same thing."""

from collections.abc import Sequence


def pause(ladder: Sequence[float], failures: int) -> float:
    """Seconds to wait after so many failures in a row (1 or more); the ladder's last step is never exceeded."""
    return ladder[min(max(failures, 1), len(ladder)) - 1]
