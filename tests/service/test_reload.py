"""A saved config.yaml is taken whole or not at all."""

from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.config.live import LiveConfig
from daemon.config.load import load
from daemon.config.models import Config
from daemon.errors import ConfigError
from daemon.events import Event
from daemon.service.reload import reload
from daemon.storage.layout import Folders
from tests.support.events import events
from tests.support.samples import CONFIG

Save = Callable[[str], list[str]]


@pytest.fixture
def live(root: Path) -> LiveConfig:
    live = LiveConfig(root / "config.yaml", load(root / "config.yaml"))
    Folders(root).prepare(live.current.styles)
    return live


@pytest.fixture
def applied() -> list[Config]:
    return []


@pytest.fixture
def gamma_was_there() -> list[bool]:
    """Whether inbox/gamma existed, each time that the inbox was told of new settings."""
    return []


@pytest.fixture
def save(
    root: Path,
    live: LiveConfig,
    applied: list[Config],
    gamma_was_there: list[bool],
    caplog: pytest.LogCaptureFixture,
) -> Save:
    """Write the file and reload it. Returns the events in the log."""
    caplog.set_level("INFO")

    def check(config: Config) -> None:
        if "beyond" in config.styles:
            raise ConfigError(["styles.beyond: the weights end before relu5_1"])

    def apply(config: Config) -> None:
        applied.append(config)
        gamma_was_there.append((root / "inbox/gamma").exists())

    def save(text: str) -> list[str]:
        caplog.clear()
        (root / "config.yaml").write_text(text)
        reload(live, check, apply)
        return events(caplog)

    return save


def test_new_settings_are_in_force_and_the_inbox_has_them_before_the_log_says_so(
    root: Path,
    live: LiveConfig,
    applied: list[Config],
    gamma_was_there: list[bool],
    save: Save,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert save(CONFIG + "  gamma: {picture: alpha.png}\n") == [Event.SETTINGS_TAKEN]
    assert "styles.gamma: added" in caplog.text
    assert applied == [live.current]
    assert "gamma" in live.current.styles
    assert (root / "inbox/gamma").is_dir()
    assert gamma_was_there == [False], "the inbox would have warned of a folder without a style"


def test_a_mistake_names_the_file_once(root: Path, save: Save, caplog: pytest.LogCaptureFixture) -> None:
    save(CONFIG + "\t\n")
    assert [text.count("config.yaml") for text in caplog.messages] == [1] * len(caplog.messages)
    save(CONFIG + "  beyond: {picture: alpha.png}\n")
    assert f"{root}/config.yaml: styles.beyond: the weights end before relu5_1" in caplog.messages
    assert [text.count("config.yaml") for text in caplog.messages] == [1] * len(caplog.messages)


def test_folders_that_cannot_be_made_leave_the_inbox_with_the_old_styles(
    root: Path, live: LiveConfig, applied: list[Config], save: Save
) -> None:
    (root / "work/version").write_text("99\n")
    assert save(CONFIG + "  gamma: {picture: alpha.png}\n") == [Event.SETTINGS_REJECTED]
    assert applied[-1] is live.current
    assert "gamma" not in live.current.styles


@pytest.mark.parametrize("style", ["gamma: {picture: missing.png}", "beyond: {picture: alpha.png}"])
def test_wrong_settings_change_nothing_and_every_problem_is_logged(
    root: Path, live: LiveConfig, applied: list[Config], save: Save, caplog: pytest.LogCaptureFixture, style: str
) -> None:
    before = live.current
    assert save(f"{CONFIG}  {style}\n") == [Event.SETTINGS_REJECTED]
    assert f"styles.{style.partition(':')[0]}" in caplog.text
    assert live.current is before
    assert not applied
    assert sorted(path.name for path in (root / "inbox").iterdir()) == ["alpha", "beta"]


def test_a_removed_style_and_a_setting_that_needs_a_restart_are_named(root: Path, save: Save) -> None:
    text = CONFIG.replace("device: cpu", "device: auto").replace("  beta: {picture: beta.png}\n", "")
    assert save(text) == [Event.RESTART_NEEDED, Event.STYLE_REMOVED, Event.SETTINGS_TAKEN]
    assert (root / "inbox/beta").is_dir()
