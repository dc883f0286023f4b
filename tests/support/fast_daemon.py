"""The real `styled run` but for its painter, which takes milliseconds, and faults on demand:
`python -m tests.support.fast_daemon --config FILE [--patience SECONDS] [what else run takes]`.

A photo says by its colour what it does to the painter, and by its last bytes what it does to the reader; a file
`sick` beside config.yaml says what the device does to every photo, and a file `slow` for how many seconds. It
starts in a fraction of a second, because it loads no torch.
"""

import argparse
import functools
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from daemon.processes.shared_array import SharedArray
from tests.support.painters import InvertingPainter

KILLS, BREAKS, HANGS = (255, 0, 0), (0, 255, 0), (0, 0, 255)  # colours of photos
READER = "tests.support.faulty_reader:FaultyReader"


class FastPainter(InvertingPainter):
    """Falls ill as the photo or the files `sick` and `slow` in `folder` say."""

    def __init__(self, folder: Path, device: str, weights: str) -> None:
        self._sick = folder / "sick"
        self._slow = folder / "slow"

    def try_out(self, progress: Callable[..., None]) -> None:
        self._fall_ill("trial")

    def before(self, content: SharedArray, style: tuple[tuple[SharedArray, float], ...]) -> None:
        colour = content.array().mean((0, 1)) * 255
        if _is(colour, KILLS):
            os.kill(os.getpid(), signal.SIGKILL)
        if _is(colour, BREAKS):
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        if _is(colour, HANGS):
            time.sleep(1000)
        self._fall_ill("photos")
        if self._slow.exists():
            time.sleep(float(self._slow.read_text()))

    def _fall_ill(self, now: str) -> None:
        if self._sick.exists() and self._sick.read_text() in (now, "all"):
            raise RuntimeError("CUDA error: the device fell off the bus")


def _is(found: Any, colour: tuple[int, int, int]) -> bool:
    return all(abs(float(each) - wanted) < 3 for each, wanted in zip(found, colour, strict=True))


def main() -> None:
    # here, because each child loads this module again, and needs none of this
    from daemon.processes import readers
    from daemon.processes.pool import Pool
    from daemon.service import housekeeping, obstacles, service
    from tests.support import fast_daemon  # not __main__, which other machines do not have

    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--patience", type=float, default=60, help="seconds for a reader's answer")
    options, others = parser.parse_known_args()
    readers.PATIENCE = options.patience
    obstacles.PAUSES = (0.3, 0.6)
    obstacles.PATIENCE = 5.0
    housekeeping.COMPACT_BYTES = 20_000
    Pool.RETRY_SECONDS = (0.3, 0.3, 0.3)
    painter = functools.partial(fast_daemon.FastPainter, options.config.parent)
    fast = functools.partial(service.Service, painter=painter, reader=READER)
    service.Service = fast  # type: ignore[assignment, misc]
    from daemon.cli.app import run_command  # after the line above

    sys.argv = ["styled", "run", "--config", str(options.config), *others]
    run_command()


if __name__ == "__main__":
    main()
