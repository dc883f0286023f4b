"""Seen time: only what passes while the machine runs, from run to run, whatever the wall clock says."""

import json
import time
from pathlib import Path

import pytest

from daemon.jobs import seen_time
from daemon.jobs.seen_time import DAY, SeenTime


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """The kernel's clocks, as the test sets them."""
    now = {"boot": 100.0, "wall": 1e9}
    monkeypatch.setattr(seen_time, "boot_seconds", lambda: now["boot"])
    monkeypatch.setattr(seen_time, "boot_id", lambda: "this boot")
    monkeypatch.setattr(time, "time", lambda: now["wall"])
    return now


def test_time_passes_while_the_machine_runs_also_between_two_runs(tmp_path: Path, clocks: dict[str, float]) -> None:
    clock = SeenTime(tmp_path / "clock")
    assert clock.now() == 0
    clocks["boot"] += 50
    clock.save()
    clocks["boot"] += 25
    assert SeenTime(tmp_path / "clock").now() == 75


def test_a_machine_that_was_off_saw_nothing(
    tmp_path: Path, clocks: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SeenTime(tmp_path / "clock")
    clock.at_least(7 * DAY)
    clock.save()
    monkeypatch.setattr(seen_time, "boot_id", lambda: "another boot")
    clocks |= {"boot": 5.0, "wall": 1e9 + 3650 * DAY}
    again = SeenTime(tmp_path / "clock")
    assert again.now() == 7 * DAY
    assert again.leap() == "3650 d 0 h forward"
    assert again.leap() == ""


@pytest.mark.parametrize(("moved", "said"), [(-2 * DAY, "48 h 00 min back"), (5.0, ""), (10 * DAY, "10 d 0 h forward")])
def test_a_leap_moves_nothing_and_is_said_once(
    tmp_path: Path, clocks: dict[str, float], moved: float, said: str
) -> None:
    clock = SeenTime(tmp_path / "clock")
    assert clock.leap() == ""
    clocks["boot"] += 1
    clocks["wall"] += 1 + moved
    assert clock.leap().replace("2 d 0 h", "48 h 00 min") == said
    assert clock.now() == 1
    assert clock.leap() == ""


@pytest.mark.parametrize("damage", ["", "{}", "[]", '{"seen": Infinity}', "\x00" * 9000])
def test_a_damaged_file_begins_at_nothing(tmp_path: Path, clocks: dict[str, float], damage: str) -> None:
    facts = {"seen": 9.0, "since_boot": 1.0, "wall": 1.0, "boot": "this boot"}
    text = json.dumps(facts | json.loads(damage)) if damage.startswith('{"') else damage
    (tmp_path / "clock").write_text(text)
    assert SeenTime(tmp_path / "clock").now() == 0


def test_the_real_clock_runs(tmp_path: Path) -> None:
    clock = SeenTime(tmp_path / "clock")
    before = clock.now()
    time.sleep(0.02)
    assert clock.now() - before >= 0.02
