"""The commands as a person types them, in processes of their own."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from daemon import __version__
from tests.support.commands import styled
from tests.support.daemon import Daemon
from tests.support.samples import CONFIG, jpeg


def test_it_says_its_version() -> None:
    assert styled("--version").stdout == f"styled {__version__}\n"


@pytest.mark.slow
def test_check_says_that_all_is_right_and_what_would_happen_to_each_file(root: Path) -> None:
    inbox = root / "inbox/alpha"
    inbox.mkdir(parents=True)
    (inbox / "photo.jpg").write_bytes(jpeg())
    (inbox / "half.jpg.part").write_bytes(b"")
    (root / "inbox/unknown").mkdir()
    done = styled("check", "--deep", "--config", root / "config.yaml")
    assert done.returncode == 0, done.stderr
    assert "the configuration is right" in done.stdout
    assert re.search(r"photo\.jpg: .*alpha", done.stdout)
    assert re.search(r"half\.jpg\.part: left alone: temporary", done.stdout)
    assert re.search(r"unknown: left alone: .*no style", done.stdout)
    assert not (root / "outbox").exists(), "check changes nothing"


def test_check_can_say_only_what_is_wrong(root: Path) -> None:
    done = styled("check", "--quiet", "--config", root / "config.yaml")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (root / "config.yaml").write_text(CONFIG.replace("settle_seconds: 0.3", "settle_seconds: soon"))
    done = styled("check", "--quiet", "--config", root / "config.yaml")
    assert done.returncode == 78
    assert "soon" in done.stderr


def test_check_reports_every_problem_at_once_with_78(root: Path) -> None:
    (root / "beta.png").write_text("this is no picture")
    (root / "config.yaml").write_text(CONFIG.replace("preset: draft", "preset: gatys"))
    done = styled("check", "--config", root / "config.yaml")
    assert done.returncode == 78
    assert "styles.beta.picture" in done.stderr
    assert "styles.alpha and beta: " in done.stderr
    assert "relu5_1" in done.stderr


def test_without_a_configuration_it_says_how_to_get_one(tmp_path: Path) -> None:
    done = styled("run", cwd=tmp_path)
    assert done.returncode == 78
    assert "styled demo" in done.stderr


def test_status_with_and_without_a_daemon(root: Path, start: Callable[..., Daemon]) -> None:
    config = root / "config.yaml"
    assert json.loads(styled("status", "--json", "--config", config).stdout)["state"] == "not running"
    assert "No daemon runs on" in styled("status", "--config", config).stdout
    daemon = start().ready()
    deadline = time.monotonic() + 10
    while (found := json.loads(styled("status", "--json", "--config", config).stdout))["state"] != "watching":
        assert time.monotonic() < deadline, found
    assert found["weights"] == "embedded"
    assert "watching on" in styled("status", "--config", config).stdout
    assert daemon.stop() == 0


@pytest.mark.slow
def test_the_demo_runs_the_daemon_and_makes_a_sheet(tmp_path: Path) -> None:
    done = styled("demo", tmp_path / "demo", "--size", "32")
    assert done.returncode == 0, done.stderr
    page = tmp_path / "demo/outbox/index.html"
    assert str(page) in done.stdout
    assert page.as_uri() in done.stdout
    paintings = list((tmp_path / "demo/outbox").rglob("*.jpg"))
    assert len(paintings) >= 3
    assert all(str(path) in done.stdout for path in paintings)
    with Image.open(tmp_path / "demo/demo.jpg") as sheet:
        assert sheet.width > 600
    assert not list((tmp_path / "demo/inbox").rglob("*.jpg"))
    again = styled("demo", tmp_path / "demo")
    assert again.returncode == 1
    assert "is not empty" in again.stderr


@pytest.mark.slow
@pytest.mark.parametrize("command", [("check",), ("run", "--once")])
def test_imagenet_weights_that_are_missing_stop_the_start_and_name_the_command(
    root: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """Nothing is fetched in silence: 548 MB are a decision."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(root / "cache"))
    (root / "config.yaml").write_text(CONFIG.replace("weights: embedded", "weights: imagenet"))
    (root / "inbox").mkdir()
    (root / "inbox/photo.jpg").write_bytes(jpeg())
    done = styled(*command, "--config", root / "config.yaml")
    assert done.returncode == 78
    said = " ".join(done.stderr.split())
    assert "weights: The ImageNet weights are not in" in said
    assert "Run `styled weights` to fetch them (548 MB)" in said
    assert "`styled weights --from FILE`" in said
    assert not (root / "cache").exists()
    assert [*root.glob("inbox/**/photo.jpg")], "put back"


def test_weights_from_a_file_that_is_another_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "mine.pth").write_bytes(b"half of it")
    done = styled("weights", "--from", tmp_path / "mine.pth")
    assert done.returncode == 1
    assert "must begin with dcbb9e9d" in " ".join(done.stderr.split())


def test_weights_reports_a_server_that_cannot_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    done = styled("weights", "--url", "http://127.0.0.1:9/vgg19-dcbb9e9d.pth")
    assert done.returncode == 1
    assert "127.0.0.1:9 cannot be reached" in done.stderr
