"""Fuzzing of the whole read path in a real reader process: `python -m tests.soak.fuzz [--minutes 10] [--seed N]`.

As in tests/system/test_read_path.py, for longer and with new seeds. Ends with exit code 1 and the smallest file that
it found at the first reader that breaks down, hangs, or says anything but plain words.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, given, settings

from daemon.processes.reader_process import BASE_BYTES, BYTES_PER_PIXEL
from tests.support.read_path import FILES, Desk

ROUND = 500  # files between two looks at the clock


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    files = rounds = 0
    with tempfile.TemporaryDirectory(prefix="styled-fuzz-") as folder:
        desk = Desk(Path(folder))

        @settings(max_examples=ROUND, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(FILES)
        def use(data: bytes) -> None:
            nonlocal files
            files += 1
            desk.use(data)

        end = time.monotonic() + options.minutes * 60
        while time.monotonic() < end:
            hypothesis.seed(options.seed + rounds)(use)()
            rounds += 1
        peak, limit = desk.peak_bytes(), BASE_BYTES + 1_000_000 * BYTES_PER_PIXEL
        desk.close()
    print(f"{files} files, each read, probed, used as a mask and as a painting; one reader lived through all of them")
    print(f"its address space: {peak / 2**20:.0f} MiB at most, of {limit / 2**20:.0f}")
    return 0 if peak <= limit else 1


if __name__ == "__main__":
    sys.exit(main())
