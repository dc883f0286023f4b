"""A daemon that is killed at any instant, or loses its power, loses no picture and paints none twice."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.lifetimes import SCENARIOS, Life
from tests.support.tape import Power

pytestmark = pytest.mark.slow

FEWEST = 40  # operations of the shortest life: fewer, and the tape has lost some


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where there is some: nothing here hangs on a real disk, and each trial then takes milliseconds."""
    memory = Path("/dev/shm")
    place = memory / f"styled-test-{os.getpid()}" if os.access(memory, os.W_OK) else tmp_path / "trials"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    yield place
    shutil.rmtree(place)


def crash(folder: Path, scenario: str, how: str) -> int:
    command = [sys.executable, "-m", "tests.support.crashing", str(folder / "root"), scenario, how]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return int(json.loads(done.stdout)["count"])


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_killed_before_and_after_every_operation_it_ends_as_if_nothing_had_been(folder: Path, scenario: str) -> None:
    assert crash(folder, scenario, "once") >= FEWEST


@pytest.mark.parametrize("scenario", ["deliver"])
def test_killed_at_every_operation_and_again_at_every_one_of_the_recovery(folder: Path, scenario: str) -> None:
    assert crash(folder, scenario, "twice") >= FEWEST


@pytest.mark.parametrize("names", [False, True], ids=["nothing unsynced", "names without contents"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_power_lost_after_every_operation_leaves_all_that_was_promised(
    folder: Path, scenario: str, names: bool
) -> None:
    (folder / "root").mkdir()
    life = Life(folder / "root", scenario)
    life.drop()
    power = Power(life.root, names=names)
    power.tape.start()
    try:
        life.live(disturbed=True)
    finally:
        power.tape.stop()
    assert power.tape.count >= FEWEST
    for number, moment in enumerate(power.moments, start=1):
        after = Life(folder / str(number), scenario)
        after.root.mkdir()
        moment.lay_out(after.root)
        try:
            after.check_moment()
            after.live()
            after.live()
            after.check_end()
        except BaseException as error:
            error.add_note(f"the power was cut after operation {number} of {power.tape.count}")
            raise
        shutil.rmtree(after.root)
    power.close()
