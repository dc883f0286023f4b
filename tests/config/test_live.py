"""The settings that the threads of a daemon share."""

import threading
from pathlib import Path

import pytest

from daemon.config.live import LiveConfig
from daemon.config.load import load
from daemon.errors import ConfigError


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


def test_what_is_loaded_is_in_force_only_after_it_replaced_the_old(live: LiveConfig) -> None:
    before = live.current
    save(live, "stall_seconds: 50")
    new = live.load()
    assert live.current is before
    live.replace(new)
    assert (live.current.stall_seconds, before.stall_seconds) == (50.0, 900.0)


def test_wrong_settings_change_nothing(live: LiveConfig) -> None:
    before = live.current
    save(live, "originals: burn")
    with pytest.raises(ConfigError, match="originals: 'burn' cannot be used"):
        live.load()
    assert live.current is before


def test_one_save_is_reported_to_one_thread_only(live: LiveConfig) -> None:
    save(live, "stall_seconds: 50")
    live.changed_on_disk()
    found: list[bool] = []
    threads = [threading.Thread(target=lambda: found.append(live.changed_on_disk())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.count(True) == 1
