"""The counts, over restarts and midnights."""

import json
from pathlib import Path

import pytest

from daemon.service.counters import Counters
from daemon.status import Counts
from tests.service.test_hooks import DELIVERED, FAILED


def test_it_counts_today_and_in_all_over_restarts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    day = ["2026-11-22"]
    monkeypatch.setattr("daemon.service.counters.time.strftime", lambda form: day[0])
    tally = Counters(tmp_path / "tally.json")
    assert tally.load() == Counts()
    tally.count(DELIVERED)
    tally.count(FAILED)
    day[0] = "2026-11-23"
    again = Counters(tmp_path / "tally.json")
    assert again.load().delivered == 1
    counts = again.count(DELIVERED)
    assert (counts.delivered, counts.delivered_today, counts.failed, counts.failed_today) == (2, 1, 1, 0)
    assert counts.last_failure == "alpha/b.jpg: It is\\nblurred."


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"delivered": "many"}', json.dumps({"delivered": 1})])
def test_a_file_that_is_not_ours_counts_from_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "tally.json").write_text(content)
    assert Counters(tmp_path / "tally.json").load() == Counts()
