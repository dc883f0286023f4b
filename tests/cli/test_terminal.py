"""Which config.yaml a command uses, and what it says of that."""

from pathlib import Path

import pytest

from daemon.cli.terminal import chosen
from daemon.config import load
from tests.support.commands import styled_here


def test_a_command_in_a_checkout_says_which_configuration_it_uses_if_a_service_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    service = tmp_path / "etc.yaml"
    monkeypatch.setattr(load, "SYSTEM_CONFIG", service)
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").touch()
    chosen(None)
    assert capsys.readouterr().err == "", "there is no other"
    service.touch()
    assert chosen(None) == Path("config.yaml")
    assert capsys.readouterr().err == f"This command uses {tmp_path}/config.yaml; for the service: --config {service}\n"
    chosen(service)
    Path("config.yaml").unlink()
    assert chosen(None) == service
    assert capsys.readouterr().err == "", "the person said so, or there is no other"


def test_the_environment_chooses_the_configuration(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLED_CONFIG", str(root / "config.yaml"))
    assert str(root / "inbox/alpha") in styled_here("styles", cwd=Path("/")).stdout
