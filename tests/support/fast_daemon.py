"""The real daemon with a painter that takes milliseconds, and with faults on demand:
`python -m tests.support.fast_daemon --config FILE [--once]`.

The colour of a photo says what the photo does to the painter, its last bytes what it does to the reader (see
faulty_reader.py). A file `sick` beside config.yaml says what the device does to every photo, and a file `slow` how
many seconds each painting takes. The daemon starts in a fraction of a second, because it loads no torch.
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

from daemon.processes.painters import PainterInfo
from daemon.processes.shared_array import SharedArray
from daemon.transfer.recipe import Recipe
from daemon.transfer.steps import Step

KILLS, BREAKS, HANGS = (255, 0, 0), (0, 255, 0), (0, 0, 255)  # colours of photos
READER = "tests.support.faulty_reader:FaultyReader"


class FastPainter:
    """The photo, inverted."""

    def __init__(self, folder: Path, device: str, weights: str) -> None:
        self.ready_info = PainterInfo("cpu", "a fast test", "embedded", "", "relu5_1")
        self._sick = folder / "sick"
        self._slow = folder / "slow"

    def try_out(self, progress: Callable[..., None]) -> None:
        self._fall_ill("trial")

    def paint(
        self,
        content: SharedArray,
        style: tuple[tuple[SharedArray, float], ...],
        recipe: Recipe,
        threads: int | None,
        progress: Callable[..., None],
    ) -> SharedArray:
        pixels = content.array()
        colour = pixels.mean((0, 1)) * 255
        if _is(colour, KILLS):
            os.kill(os.getpid(), signal.SIGKILL)
        if _is(colour, BREAKS):
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        if _is(colour, HANGS):
            time.sleep(1000)
        self._fall_ill("photos")
        if self._slow.exists():
            time.sleep(float(self._slow.read_text()))
        progress(Step(1, 1, 0.5, 1, 1, 1.0))
        return SharedArray.of(1 - pixels)

    def _fall_ill(self, now: str) -> None:
        if self._sick.exists() and self._sick.read_text() in (now, "all"):
            raise RuntimeError("CUDA error: the device fell off the bus")


def _is(found: Any, colour: tuple[int, int, int]) -> bool:
    return all(abs(float(each) - wanted) < 3 for each, wanted in zip(found, colour, strict=True))


def main() -> int:
    # imported here, because each child loads this module again and needs none of these
    from daemon.config.load import load
    from daemon.console.console import Console
    from daemon.errors import ConfigError
    from daemon.processes import readers
    from daemon.processes.pool import Pool
    from daemon.service import backoff, housekeeping
    from daemon.service.service import Service, handle_signals

    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--patience", type=float, default=60, help="seconds for a reader's answer")
    options = parser.parse_args()
    readers.PATIENCE = options.patience
    backoff.PAUSES = (0.3, 0.6)
    backoff.PATIENCE = 5.0
    housekeeping.COMPACT_BYTES = 20_000
    Pool.RETRY_SECONDS = (0.3, 0.3, 0.3)
    from tests.support import fast_daemon  # not __main__, which other machines do not have

    try:
        config = load(options.config)
        with Console(config, verbosity=int(options.verbose)) as console:
            painter = functools.partial(fast_daemon.FastPainter, options.config.parent)
            service = Service(options.config, config, console.refresh, painter=painter, reader=READER)
            handle_signals(service)
            return service.run(once=options.once)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 78


if __name__ == "__main__":
    sys.exit(main())
