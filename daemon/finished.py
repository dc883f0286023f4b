"""A picture's way has ended: what everybody who follows the daemon is told. Pure data."""

from dataclasses import dataclass, field
from pathlib import Path

from daemon.canvas import Canvas
from daemon.provenance import Provenance


@dataclass(frozen=True, slots=True)
class Finished:
    """Delivered, with its record and pixels, or failed, with its reason. `place`: the photo's path below inbox/."""

    job: str
    place: str
    style: str
    path: Path  # the painting, or the original in failed/
    reason: str = ""
    seconds: float = 0.0  # of the whole way
    record: Provenance | None = None
    photo: Canvas | None = field(default=None, repr=False)
    painting: Canvas | None = field(default=None, repr=False)

    @property
    def delivered(self) -> bool:
        return not self.reason
