"""The files for systemd, containers and launchd agree with one another and with the package."""

import os
import plistlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from daemon.cli.app import app
from daemon.config.load import load
from daemon.events import Event

REPOSITORY = Path(__file__).parents[2]
HOMES = REPOSITORY / "systemd"


def lines(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line and not line.startswith("#")]


def test_the_template_is_the_service_but_for_its_places() -> None:
    places = {
        "Description=styled, the style daemon": "Description=styled, the style daemon (%i)",
        "/etc/styled/config.yaml": "/etc/styled/%i.yaml",
        "StateDirectory=styled": "StateDirectory=styled-%i",
        "CUDA_CACHE_PATH=/var/lib/styled/": "CUDA_CACHE_PATH=/var/lib/styled-%i/",
    }
    expected = "\n".join(lines(HOMES / "styled.service"))
    for one, each in places.items():
        assert one in expected
        expected = expected.replace(one, each)
    assert "\n".join(lines(HOMES / "styled@.service")) == expected


@pytest.mark.parametrize("unit", ["styled.service", "styled@.service", "user/styled.service"])
def test_every_unit_restarts_without_limit_and_without_haste_but_not_for_wrong_settings(unit: str) -> None:
    expected = {"StartLimitIntervalSec=0", "Restart=always", "RestartSec=5", "RestartPreventExitStatus=78"}
    assert expected <= set(lines(HOMES / unit))


@pytest.mark.parametrize("script", ["install.sh", "uninstall.sh"])
def test_the_scripts_are_executable_and_plain_sh(script: str) -> None:
    path = HOMES / script
    assert os.access(path, os.X_OK)
    subprocess.run(["sh", "-n", str(path)], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", str(path)], check=True)


def test_the_containerfile_copies_what_exists_and_its_settings_load(tmp_path: Path) -> None:
    text = (HOMES / "container" / "Containerfile").read_text()
    copied = [name for line in re.findall(r"^COPY (?!--)(.*)", text, re.MULTILINE) for name in line.split()[:-1]]
    assert {"pyproject.toml", "daemon", "systemd"} <= set(copied)
    assert all((REPOSITORY / name).exists() for name in copied)
    found = re.search(r"sed '([^']*)' /opt/styled/share/styled/config\.yaml", text)
    assert found
    config = tmp_path / "config.yaml"
    with config.open("w") as out:
        subprocess.run(["sed", found[1], str(REPOSITORY / "config.yaml")], stdout=out, check=True)
    assert load(config).root == Path("/pictures")


def test_compose_builds_the_containerfile_and_gives_it_nothing_but_its_folder() -> None:
    place = HOMES / "container" / "compose.yaml"
    service = yaml.safe_load(place.read_text())["services"]["styled"]
    context = (place.parent / service["build"]["context"]).resolve()
    assert context == REPOSITORY
    assert (context / service["build"]["dockerfile"]).is_file()
    assert "ARG PIP_ARGS" in (context / service["build"]["dockerfile"]).read_text()
    assert (service["network_mode"], service["read_only"], service["cap_drop"]) == ("none", True, ["ALL"])
    assert [volume.rpartition(":")[2] for volume in service["volumes"]] == ["/pictures"]


def test_a_reload_checks_the_file_before_the_daemon_is_told() -> None:
    for unit in ("styled.service", "styled@.service", "user/styled.service"):
        first, second = (line for line in lines(HOMES / unit) if line.startswith("ExecReload="))
        assert "styled check --quiet --config" in first
        assert second == "ExecReload=/bin/kill -HUP $MAINPID"


def test_the_guide_names_every_number_that_prometheus_gets() -> None:
    source = (REPOSITORY / "daemon/service/metrics.py").read_text()
    guide = (HOMES / "README.md").read_text()
    names = set(re.findall(r'MetricFamily\("(styled_\w+)"', source.replace("\n", "")))
    assert len(names) >= 10
    assert [name for name in names if name not in guide] == []


def test_the_launch_agent_is_a_property_list_that_runs_the_daemon() -> None:
    agent = plistlib.loads((HOMES / "macos" / "styled.plist").read_bytes())
    shell, option, command = agent["ProgramArguments"]
    assert (shell, option) == ("/bin/sh", "-c")
    subprocess.run([shell, "-n", option, command], check=True)
    assert "styled" in command
    assert " run --config " in command
    assert agent["KeepAlive"] == {"SuccessfulExit": False}


def test_the_manual_names_every_command() -> None:
    manual = (HOMES / "styled.1").read_text()
    commands = get_command(app).list_commands(None)  # type: ignore[attr-defined]
    assert [name for name in commands if f".B {name}\n" not in manual] == []


def test_the_manual_names_every_event() -> None:
    events = (HOMES / "styled.1").read_text().partition(".SH EVENTS")[2].partition(".SH")[0]
    assert [event for event in Event if not re.search(rf"^{event},?$", events, re.MULTILINE)] == []


@pytest.mark.parametrize("name", ["styled.service", "styled@.service", "tmpfiles.conf"])
def test_members_of_the_group_may_not_write_in_the_root(name: str) -> None:
    """They could rename work/ and cache/ there, and put others in their place."""
    text = (HOMES / name).read_text()
    modes = re.findall(r"^(?:StateDirectoryMode=|d\s+/var/lib/styled(?:/work|/cache)?\s+)(\d+)", text, re.MULTILINE)
    assert modes
    assert not [mode for mode in modes if int(mode, 8) & 0o022]
