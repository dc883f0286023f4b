"""Commands that ask answer while config.yaml is wrong, on any terminal, and say who may ask."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.cli.output import read_status
from daemon.config.load import load
from daemon.config.saved import Saved, as_text
from daemon.events import Event
from daemon.storage.layout import Folders
from tests.support.commands import styled, styled_here
from tests.support.daemon import Start, wait_until
from tests.support.samples import CONFIG, jpeg

WRONG = {
    "a typing error": CONFIG + "colour: blue\n",
    "no YAML": CONFIG.replace("styles:", "styles: ["),
    "no text": "root: .\n\x00\udcff",
    "nothing": "",
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_running_daemon_answers_by_its_own_settings_whatever_was_saved(root: Path, start: Start, wrong: str) -> None:
    daemon = start(fast=True).ready()
    (root / "inbox/alpha/photo.jpg").write_bytes(jpeg())
    daemon.wait_for(Event.PAINTED)
    (root / "config.yaml").write_bytes(WRONG[wrong].encode(errors="surrogateescape"))
    daemon.wait_for(Event.SETTINGS_REJECTED)
    for question in (["status"], ["why", "alpha/photo.jpg"], ["doctor"], ["styles"], ["retry", "--all"]):
        answer = styled(*question, "--config", root / "config.yaml")
        assert answer.returncode == 0, (question, answer)
        assert "config.yaml is not in force" in answer.stderr, question
        assert len(answer.stderr.splitlines()) > 1, "it says why"


def test_what_only_the_daemon_refuses_is_said_and_a_file_that_vanished_stops_no_answer(
    root: Path, start: Start
) -> None:
    daemon = start(fast=True).ready()
    (root / "cut.jpg").write_bytes(jpeg()[:200])
    (root / "config.yaml").write_text(CONFIG + "  cut: {picture: cut.jpg}\n")
    wait_until(lambda: read_status(root).get("rejected"))
    answer = styled("styles", "--config", root / "config.yaml")
    assert "styles.cut.picture" in answer.stderr
    assert "cut" not in answer.stdout
    (root / "config.yaml").write_text(CONFIG)
    daemon.wait_for(Event.SETTINGS_TAKEN)
    (root / "beta.png").unlink()
    answer = styled("why", "alpha/x.jpg", "--config", root / "config.yaml")
    assert "nothing is known of this file" in answer.stderr
    assert "beta.png" in answer.stderr


def test_a_daemon_answers_although_config_yaml_names_another_root_by_now(root: Path, start: Start) -> None:
    daemon = start(fast=True).ready()
    (root / "config.yaml").write_text(CONFIG.replace("root: .", "root: elsewhere"))
    daemon.wait_for(Event.RESTART_NEEDED)
    answer = styled("status", "--config", root / "config.yaml")
    assert "watching on" in answer.stdout
    assert f"the daemon works on {root} until its next start" in answer.stderr
    assert daemon.stop() == 0
    assert "No daemon runs on" in styled("status", "--config", root / "config.yaml").stdout


def test_a_config_that_no_daemon_took_is_an_error_as_before(root: Path) -> None:
    Folders(root).prepare([])
    taken = Saved(root / "config.yaml", load(root / "config.yaml"))
    (root / "work/settings.json").write_text(as_text(taken))
    (root / "other.yaml").write_text("root: .\n")
    assert styled_here("status", "--config", root / "other.yaml").returncode == 78
    (root / "config.yaml").write_text("root: .\n")
    assert styled_here("status", "--config", root / "config.yaml").returncode == 0
    (root / "work/settings.json").write_text("{}")
    assert styled_here("status", "--config", root / "config.yaml").returncode == 78


def test_a_stranger_is_told_who_may_look(root: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("needs root, to become another user")
    Folders(root).prepare(["alpha"])
    (root / "work/lock").touch()
    (root / "work").chmod(0o700)
    for folder in (root, *root.parents):
        if folder.stat().st_uid == 0 and folder != Path("/") and not folder.stat().st_mode & 1:
            folder.chmod(folder.stat().st_mode | 0o011)
    command = [sys.executable, "-m", "daemon", "status", "--config", str(root / "config.yaml")]
    stranger = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]
    answer = subprocess.run(stranger, capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert "work/lock: Permission denied" in answer.stderr
    assert "the group root may look there" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_terminal_without_unicode_and_a_closed_pipe_are_no_errors(root: Path) -> None:
    (root / "config.yaml").write_text(CONFIG + "  鴨: {picture: alpha.png}\n", encoding="utf-8")
    command = [sys.executable, "-m", "daemon", "styles", "--config", str(root / "config.yaml")]
    latin = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    answer = subprocess.run(command, capture_output=True, check=False, env=latin)
    assert answer.returncode == 0, answer.stderr
    assert b"\\u9d28" in answer.stdout
    reading, writing = os.pipe()
    os.close(reading)
    answer = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (answer.returncode, answer.stderr) == (0, b"")
