"""install.sh and uninstall.sh say what they would do, and refuse what they do not know before they touch anything."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "systemd"


@pytest.fixture
def tools(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine with systemd, on which every tool that changes something leaves a trace."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("systemctl", "systemd-sysusers", "systemd-tmpfiles", "rm", "ln", "install", "runuser", "mkdir"):
        (folder / name).write_text(f'#!/bin/sh\necho "{name} $*" >>{tmp_path / "touched"}\n')
        (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def said(tools: dict[str, str], script: str, *arguments: str) -> tuple[int, str]:
    command = ["sh", str(SCRIPTS / script), *arguments]
    done = subprocess.run(command, env=tools, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("script", ["install.sh", "uninstall.sh"])
@pytest.mark.parametrize("option", ["--help", "-h", "--dry-run", "--no-such", "-x"])
def test_no_such_word_changes_anything(tools: dict[str, str], tmp_path: Path, script: str, option: str) -> None:
    code, text = said(tools, script, option)
    assert code == (1 if option in ("--no-such", "-x") else 0)
    assert option in text if code else text
    assert not (tmp_path / "touched").exists()


def test_words_too_many_are_refused(tools: dict[str, str], tmp_path: Path) -> None:
    assert said(tools, "uninstall.sh", "please") == (
        1,
        "uninstall.sh: unknown argument please; see uninstall.sh --help. Nothing was removed.\n",
    )
    code, text = said(tools, "install.sh", "--dry-run", "a.whl", "b.whl")
    assert (code, "two sources, a.whl and b.whl" in text) == (1, True)
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize(
    ("options", "extras", "drop_ins"),
    [
        (["--gpu"], "", "none"),
        (["--cpu", "--with", "metrics"], " with metrics", "cpu metrics"),
        (["--gpu", "--with", "cluster", "--with", "metrics"], " with metrics,ray", "metrics cluster"),
        (["--gpu", "--with", "metrics", "--without", "metrics"], "", "none"),
    ],
)
def test_a_drop_in_brings_the_packages_that_it_needs(
    tools: dict[str, str], options: list[str], extras: str, drop_ins: str
) -> None:
    code, text = said(tools, "install.sh", "--dry-run", *options)
    assert code == 0
    assert f"would    install styled{extras} from {SCRIPTS.parent}\n" in text
    assert f"with the drop-ins: {drop_ins}\n" in text
