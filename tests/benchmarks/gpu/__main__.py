"""What a GPU makes of styled, with a verdict: `python -m tests.benchmarks.gpu [--json FILE] [--only SECTION …]`.

Run from the root of a checkout, in place: torch, numpy and safetensors are enough, nothing is installed or fetched.
With the daemon's other libraries there, a whole daemon is tried, too. A GPU needs under 8 minutes. Each line is a
figure, or a verdict with its bound. The last line says how many hold; the exit code is 0 if all do. On a CPU everything
is tiny, shows only that the program works, and says what a CPU cannot show.
"""

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import torch

from tests.benchmarks.gpu import computing, painting, programs
from tests.benchmarks.gpu.bench import Bench
from tests.benchmarks.gpu.report import Report

SECONDS = 460.0  # of all sections together
LONGEST = 180.0  # of a section
SECTIONS: tuple[Callable[[Bench], None], ...] = (
    computing.machine,
    computing.sound,
    computing.steps,
    painting.paintings,
    painting.host,
    painting.minimum,
    painting.sizes,
    painting.shortage,
    programs.poisoned,
    programs.several,
    programs.whole_daemon,
    programs.against_the_seed,
    computing.precisions,
    computing.parts,
    computing.launches,
)


def late(number: int, frame: FrameType | None) -> None:
    raise TimeoutError("no time left")


def run(section: Callable[[Bench], None], bench: Bench, seconds: float) -> None:
    """The section, within so many seconds; an error of it is a verdict like another."""
    print(f"--- {section.__name__}", flush=True)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        section(bench)
    except Exception as error:
        bench.report.verdict(section.__name__, False, f"{type(error).__name__}: {error}"[:140], "runs to its end")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        if bench.is_gpu:
            torch.cuda.empty_cache()


def main(arguments: list[str] | None = None) -> int:
    names = [section.__name__ for section in SECTIONS]
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.gpu", description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--only", nargs="*", choices=names, metavar="SECTION", help=", ".join(names))
    parser.add_argument("--task", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.task:
        print(json.dumps(painting.large(*json.loads(given.task))))
        return 0
    report, end = Report(), time.monotonic() + SECONDS
    bench = Bench(torch.device("cuda:0" if torch.cuda.is_available() else "cpu"), report)
    signal.signal(signal.SIGALRM, late)
    for section in SECTIONS:
        left = end - time.monotonic()
        if given.only and section.__name__ not in given.only:
            continue
        if left > 1:
            run(section, bench, min(left, LONGEST))
        else:
            report.not_tried(section.__name__, "no time left")
    if given.json:
        given.json.write_text(json.dumps(report.figures, indent=1, default=str))
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
