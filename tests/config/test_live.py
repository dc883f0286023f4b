"""The settings that the threads of a daemon share."""

from pathlib import Path

import pytest

from daemon.config.live import LiveConfig
from daemon.config.load import load


@pytest.fixture
def live(root: Path) -> LiveConfig:
    path = root / "config.yaml"
    return LiveConfig(path, load(path))


def save(live: LiveConfig, line: str) -> None:
    """As most editors do: a new file takes the old one's name."""
    temporary = live.path.with_suffix(".tmp")
    temporary.write_text(live.path.read_text() + line + "\n")
    temporary.replace(live.path)


def test_a_saved_file_is_reported_once_after_it_has_stood_still(live: LiveConfig) -> None:
    assert not live.changed_on_disk()
    save(live, "stall_seconds: 50")
    assert [live.changed_on_disk() for _ in range(4)] == [False, True, False, False]


def test_a_file_that_is_still_being_written_waits(live: LiveConfig) -> None:
    for line in ("# one", "# two", "# three"):
        save(live, line)
        assert not live.changed_on_disk()
    assert live.changed_on_disk()


def test_a_file_that_is_gone_for_a_moment_is_no_change(live: LiveConfig) -> None:
    away = live.path.with_suffix(".away")
    live.path.rename(away)
    assert not any(live.changed_on_disk() for _ in range(3))
    away.rename(live.path)
    assert not any(live.changed_on_disk() for _ in range(3))
