"""The commands as a person types them."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from daemon import __version__
from daemon.events import Event
from tests.support.commands import styled, styled_here
from tests.support.daemon import Daemon, wait_until
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
    done = styled_here("check", "--quiet", "--config", root / "config.yaml")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (root / "config.yaml").write_text(CONFIG.replace("settle_seconds: 0.3", "settle_seconds: soon"))
    done = styled_here("check", "--quiet", "--config", root / "config.yaml")
    assert done.returncode == 78
    assert "soon" in done.stderr


def test_check_reports_every_problem_at_once_with_78(root: Path) -> None:
    (root / "beta.png").write_text("this is no picture")
    (root / "config.yaml").write_text(CONFIG.replace("preset: draft", "preset: gatys"))
    done = styled_here("check", "--config", root / "config.yaml")
    assert done.returncode == 78
    assert "styles.beta.picture" in done.stderr
    assert "styles.alpha and beta: " in done.stderr
    assert "relu5_1" in done.stderr


def test_without_a_configuration_it_says_how_to_get_one(tmp_path: Path) -> None:
    done = styled_here("run", cwd=tmp_path)
    assert done.returncode == 78
    assert "styled init" in done.stderr
    assert "wrong" not in done.stderr, "nothing is"


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
    (tmp_path / "demo/outbox/ink/face.jpg").unlink()
    again = styled("demo", tmp_path / "demo", "--size", "32")
    assert again.returncode == 0, again.stderr
    assert "stopped: 1 painted" in again.stderr, "only what is missing is painted again"
    assert all(str(path) in again.stdout for path in paintings)
    (tmp_path / "demo/config.yaml").write_text("# mine")
    refused = styled("demo", tmp_path / "demo")
    assert refused.returncode == 1
    assert "is not empty" in refused.stderr


def test_init_makes_a_folder_that_runs_and_replaces_no_configuration(tmp_path: Path) -> None:
    done = styled_here("init", "pictures", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "styled run --config pictures/config.yaml" in done.stdout
    assert (tmp_path / "pictures/inbox/starry").is_dir()
    assert (tmp_path / "pictures/inbox/all").is_dir()
    assert styled_here("check", cwd=tmp_path / "pictures").returncode == 0
    again = styled_here("init", cwd=tmp_path / "pictures")
    assert again.returncode == 1
    assert "config.yaml exists already" in again.stderr


def test_what_a_run_did_is_said_at_its_end(root: Path, start: Callable[..., Daemon]) -> None:
    """With --once, and after Ctrl+C in the middle of a painting."""
    inbox = root / "inbox/alpha"
    inbox.mkdir(parents=True)
    (inbox / "a.jpg").write_bytes(jpeg(40, 30))
    (inbox / "broken.jpg").write_text("this is no picture")
    daemon = start("--once", fast=True)
    assert daemon.process.wait(60) == 3
    assert re.search(r"stopped: 1 painted in .* of painting; 1 failed$", daemon.events(Event.STOPPED)[0]["message"])

    (root / "slow").write_text("30")
    for name in "bcdefg":
        (inbox / f"{name}.jpg").write_bytes(jpeg(40, 30))
    daemon = start(fast=True).ready()
    status = ("status", "--json", "--config", root / "config.yaml")
    wait_until(lambda: any(job["stage"] == "painting" for job in json.loads(styled(*status).stdout)["jobs"]))
    assert daemon.stop() == 0
    said = daemon.events(Event.STOPPED)[0]["message"]
    found = re.fullmatch(r"stopped: 0 painted; (\d) went back into the inbox unfinished; (\d) more wait there", said)
    assert found is not None, said
    assert int(found[1]) + int(found[2]) == 6


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


@pytest.mark.slow
def test_weights_from_a_file_that_is_another_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "mine.pth").write_bytes(b"half of it")
    done = styled("weights", "--from", tmp_path / "mine.pth")
    assert done.returncode == 1
    assert "must begin with dcbb9e9d" in " ".join(done.stderr.split())


def test_weights_reports_a_server_that_cannot_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    done = styled_here("weights", "--url", "http://127.0.0.1:9/vgg19-dcbb9e9d.pth")
    assert done.returncode == 1
    assert "127.0.0.1:9 cannot be reached" in done.stderr
