"""Kills a Life (see lifetimes.py) at every operation and checks what is left:
`python -m tests.support.crashing FOLDER SCENARIO once|twice`.

It runs as a process with one thread, so that it can fork: each trial is a child that lives for milliseconds. Prints one
JSON object; a failed trial ends the process with a traceback.
"""

import gc
import json
import logging
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from tests.support.lifetimes import Life
from tests.support.tape import Tape, killed_at


def in_child(what: Callable[[], None]) -> bool:
    """Run `what` in a child. True: it ended. False: it was killed. Any other end of the child ends this process."""
    pid = os.fork()
    if pid == 0:
        try:
            what()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return False
    if status:
        sys.exit(f"the trial ended with {os.waitstatus_to_exitcode(status)}")
    return True


def killed(what: Callable[[], None], number: int, *, after: bool = False) -> bool:
    """Run `what` in a child and kill the child at its `number`-th operation. False: it has fewer operations."""
    tape: Tape = killed_at(number, after=after)

    def run() -> None:
        tape.start()
        what()

    return not in_child(run)


def begin(folder: Path, scenario: str) -> Life:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    life = Life(folder, scenario)
    life.drop()
    return life


def end(life: Life) -> None:
    def run() -> None:
        life.check_moment()
        life.live()
        life.live()  # a second run has nothing left to do
        life.check_end()

    in_child(run)


def once(folder: Path, scenario: str) -> int:
    """Kill before and after every operation. Returns the number of operations."""
    number = 0
    while True:
        number += 1
        for after in (False, True):
            life = begin(folder, scenario)
            was_killed = killed(lambda: life.live(disturbed=True), number, after=after)  # noqa: B023
            end(life)
            if not was_killed:
                return number - 1


def twice(folder: Path, scenario: str) -> int:
    """Kill before every operation of the job, and the recovery before each of its operations. Returns the pairs."""
    trials = first = 0
    while True:
        first += 1
        second = 0
        while True:
            second += 1
            life = begin(folder, scenario)
            if not killed(life.work, first):
                return trials
            if not killed(life.recover, second):
                break
            trials += 1
            end(life)


def main() -> None:
    logging.disable()
    gc.freeze()  # a child then copies no memory that it does not touch
    folder, scenario, how = sys.argv[1:]
    count = {"once": once, "twice": twice}[how](Path(folder), scenario)
    print(json.dumps({"scenario": scenario, "count": count}))


if __name__ == "__main__":
    main()
