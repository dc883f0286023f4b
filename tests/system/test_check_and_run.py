"""`styled check` sees what `styled run` needs: both are run on the same wrong set-ups, and must say the same."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemon.errors import ExitCode
from daemon.events import Event
from tests.support.daemon import Start, wait_until
from tests.support.folders import painted
from tests.support.samples import CONFIG, jpeg

pytestmark = pytest.mark.slow


def _config(text: str) -> Callable[[Path], object]:
    return lambda root: (root / "config.yaml").write_text(text)


def _picture(content: bytes) -> Callable[[Path], object]:
    return lambda root: (root / "beta.png").write_bytes(content)


def _file(name: str, content: str = "") -> Callable[[Path], None]:
    def make(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)

    return make


def _link(name: str, target: str) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        (root / "inbox").mkdir()
        (root / name).symlink_to(target)

    return make


def _locked(name: str) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        (root / name).mkdir()
        (root / name).chmod(0o555)

    return make


# what is wrong, the exit code of both, and what both say
WRONG: dict[str, tuple[Callable[[Path], object], int, str]] = {
    "an unknown setting": (_config(CONFIG + "colour: blue\n"), 78, "colour: unknown setting"),
    "no weights": (_config(CONFIG.replace("weights: embedded", "weights: mine.pth")), 78, "weights: there is no file"),
    "weights to fetch": (_config(CONFIG.replace("weights: embedded", "weights: imagenet")), 78, "ImageNet weights are"),
    "too shallow": (_config(CONFIG.replace("preset: draft", "preset: gatys")), 78, "styles.alpha and beta: .*relu"),
    "half a picture": (_picture(jpeg(400, 300, kind="PNG")[:9000]), 78, "styles.beta.picture: .*beta.png"),
    "half a JPEG": (_picture(jpeg(400, 300)[:4000]), 78, "styles.beta.picture: .*beta.png"),
    "no picture": (_picture(b"a letter"), 78, "styles.beta.picture: .*beta.png"),
    "too large": (_config(CONFIG + "max_megapixels: 0.01\n"), 78, "styles.beta.picture: .*megapixel"),
    "a file as outbox": (_file("outbox"), 78, "root: .*outbox"),
    "a root in a file": (_config(CONFIG.replace("root: .", "root: beta.png/x")), 78, "root: .*beta.png is no folder"),
    "one folder in another": (_link("outbox", "inbox"), 78, "root: .*lies inside"),
    "another filesystem": (_link("outbox", "/dev/shm"), 78, "root: .*different filesystems"),
    "a newer work/": (_file("work/version", "99\n"), 78, "root: .*format 99"),
    "a locked folder": (_locked("outbox"), 78, "root: no right to write in .*outbox"),
    "a locked root": (_locked("there"), 78, "root: no right to write in .*there"),
    "a taken port": (_config(CONFIG + "metrics: PORT\n"), 1, "metrics: port [0-9]+ of 127.0.0.1 cannot be had"),
    "no such GPU": (_config(CONFIG.replace("device: cpu", "device: cuda:99")), 1, "device: cuda:99 "),
}
REAL = ("weights to fetch", "too shallow", "no such GPU")  # what the fast painter does not look at
POWERLESS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.getuid() == 0 else []


@pytest.fixture
def port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def _said(root: Path, *words: str) -> tuple[int, str]:
    command = [*POWERLESS, sys.executable, "-m", *words, "--config", str(root / "config.yaml")]
    environment = {**os.environ, "XDG_CACHE_HOME": str(root / "cache")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize("name", WRONG)
def test_check_and_run_end_alike(root: Path, name: str, port: int) -> None:
    spoil, code, words = WRONG[name]
    if name == "too large":
        (root / "beta.png").write_bytes(jpeg(200, 200, kind="PNG"))
    spoil(root)
    config = root / "config.yaml"
    config.write_text(config.read_text().replace("PORT", str(port)))
    if name == "a locked root":
        config.write_text(CONFIG.replace("root: .", "root: there/new"))
    checked, said = _said(root, "daemon", "check", "--deep")
    assert (checked, bool(re.search(words, said))) == (code, True), said
    ran, told = _said(root, *(["daemon", "run"] if name in REAL else ["tests.support.fast_daemon"]))
    assert (ran, bool(re.search(words, told))) == (code, True), told


def test_a_missing_style_picture_takes_its_style_down_alone_until_it_is_there(root: Path, start: Start) -> None:
    away = root / "away.png"
    (root / "beta.png").rename(away)
    code, said = _said(root, "daemon", "check")
    assert code == ExitCode.CONFIGURATION
    assert "styles.beta.picture: there is no file" in said
    for style in ("alpha", "beta"):
        (root / "inbox" / style).mkdir(parents=True)
        (root / "inbox" / style / "photo.jpg").write_bytes(jpeg())
    daemon = start(fast=True).ready()
    assert "beta.png cannot be read" in daemon.wait_for(Event.STYLE_DOWN, style="beta")["message"]
    wait_until(painted(root, "photo.jpg"), what=daemon.text)
    daemon.wait_for(Event.FOLDER_PAUSED)
    wait_until(lambda: "beta.png" in (root / "work/status.json").read_text(), what=daemon.text)
    why = subprocess.run(
        [sys.executable, "-m", "daemon", "why", "beta/photo.jpg", "--config", str(root / "config.yaml")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "beta.png" in why.stdout, why
    shutil.copy(away, root / "beta.png")
    wait_until((root / "outbox/beta/photo.jpg").exists, what=daemon.text)
    assert daemon.stop() == 0


@pytest.mark.parametrize("name", ["a taken port", "no such GPU", "a root in a file"])
def test_a_reload_refuses_what_would_end_the_next_start(root: Path, start: Start, name: str, port: int) -> None:
    daemon = (start() if "GPU" in name else start(fast=True)).ready()
    spoil, _, words = WRONG[name]
    spoil(root)
    config = root / "config.yaml"
    config.write_text(config.read_text().replace("PORT", str(port)))
    daemon.wait_for(Event.SETTINGS_REJECTED)
    assert re.search(words, daemon.text())
    assert daemon.stop() == 0


def test_root_checks_as_the_user_who_owns_the_folders(root: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    for folder in (root, *root.parents):
        if folder != Path("/") and not folder.stat().st_mode & 1:
            folder.chmod(folder.stat().st_mode | 0o011)
    for name in ("inbox", "outbox", "done", "failed", "work"):
        (root / name).mkdir()
        os.chown(root / name, 65534, 65534)
    (root / "beta.png").chmod(0o600)  # root's alone
    command = [sys.executable, "-m", "daemon", "check", "--config", str(root / "config.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Checked as nobody" in done.stderr
    assert done.returncode == ExitCode.CONFIGURATION
    assert "beta.png cannot be read by the user that runs styled" in done.stderr
