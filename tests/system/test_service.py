"""A real daemon in its own process, real files dropped into real folders, really killed."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from daemon.cli.output import read_provenance
from daemon.events import Event
from daemon.storage.layout import Folders
from daemon.storage.lock import Lock
from tests.support.daemon import Daemon, Start, wait_until
from tests.support.folders import files, leftovers, painted
from tests.support.samples import CONFIG, jpeg

pytestmark = pytest.mark.slow

SLOW = CONFIG.replace("preset: draft, size: 48", "preset: fine, size: 400")


def painter_of(daemon: Daemon) -> int:
    """The process id of its painter, which is started last."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == daemon.process.pid and b"spawn_main" in (process / "cmdline").read_bytes():
                found.append(int(process.name))
    return max(found)


def test_whatever_is_dropped_comes_out_as_a_painting(root: Path, start: Start) -> None:
    """Waiting before the start, copied, moved, renamed from a hidden name; into both styles, the top and deeper."""
    (root / "inbox" / "beta").mkdir(parents=True)
    (root / "inbox" / "beta" / "waiting.jpg").write_bytes(jpeg())
    daemon = start().ready()
    (root / "source.png").write_bytes(jpeg(kind="PNG"))
    shutil.copy(root / "source.png", root / "inbox/alpha/copied.png")
    os.mkdir(root / "inbox/alpha/holiday")
    os.rename(root / "source.png", root / "inbox/alpha/holiday/moved.png")
    (root / "inbox/.hidden.webp").write_bytes(jpeg(kind="WEBP"))
    os.rename(root / "inbox/.hidden.webp", root / "inbox/renamed.webp")
    expected = {"beta/waiting.jpg", "alpha/copied.png", "alpha/holiday/moved.png", "alpha/renamed.webp"}
    for name in expected:
        wait_until((root / "outbox" / name).exists, what=daemon.text)
    wait_until(lambda: len(files(root, "done")) == 4)
    assert daemon.stop() == 0
    assert files(root, "outbox") == {f"outbox/{name}" for name in expected}
    assert files(root, "done") == {f"done/{name}" for name in expected}
    assert not files(root, "inbox", "failed") | leftovers(root)
    with Image.open(root / "outbox/beta/waiting.jpg") as painting:
        assert (painting.format, painting.size) == ("JPEG", (48, 36))


def test_bad_files_are_refused_one_by_one_and_the_next_good_one_is_painted(root: Path, start: Start) -> None:
    daemon = start().ready()
    inbox = root / "inbox/alpha"
    good = jpeg()
    (inbox / "text.jpg").write_text("this is no picture")
    (inbox / "torn.jpg").write_bytes(good[: len(good) // 2])
    os.mkfifo(inbox / "a.jpg")
    (inbox / "b.jpg").symlink_to("/etc/passwd")
    (inbox / "c.jpg").mkdir()
    (inbox / "new\nline.jpg").write_bytes(good)
    long = "n" * 251 + ".jpg"
    (inbox / long).write_bytes(good)
    raw = os.fsdecode(b"\xff\xfe.jpg")
    (inbox / raw).write_bytes(good)
    (inbox / "notes.txt").write_text("shopping")
    (inbox / "good.jpg").write_bytes(good)
    for name in ("good.jpg", "new\nline.jpg", long, raw):
        wait_until(painted(root, f"{name}"), what=daemon.text)
    wait_until(lambda: len(files(root, "failed")) == 4)
    assert daemon.stop() == 0
    assert files(root, "failed") == {
        f"failed/alpha/{name}{ending}" for name in ("text.jpg", "torn.jpg") for ending in ("", ".txt")
    }
    assert files(root, "inbox") == {"inbox/alpha/a.jpg", "inbox/alpha/b.jpg", "inbox/alpha/notes.txt"}
    assert (inbox / "c.jpg").is_dir()
    assert (root / "failed/alpha/torn.jpg").read_bytes() == good[: len(good) // 2]
    assert not leftovers(root)
    assert "new\\nline.jpg" in daemon.text()


def test_the_daemon_killed_in_the_middle_paints_it_once_after_the_restart(root: Path, start: Start) -> None:
    (root / "config.yaml").write_text(SLOW)
    daemon = start().ready()
    (root / "inbox/alpha/photo.jpg").write_bytes(jpeg(400, 300))
    wait_until(lambda: _stage(root) == "painting", what=daemon.text)
    daemon.signal(signal.SIGKILL)
    daemon.process.wait()
    assert len(leftovers(root)) == 2  # the original and its record
    (root / "config.yaml").write_text(CONFIG)
    again = start()
    wait_until(painted(root, "photo.jpg"), what=again.text)
    assert again.stop() == 0
    assert files(root, "outbox", "done", "inbox", "failed") == {"outbox/alpha/photo.jpg", "done/alpha/photo.jpg"}
    assert not leftovers(root)


def test_a_killed_painter_is_replaced_and_the_picture_painted(root: Path, start: Start) -> None:
    (root / "config.yaml").write_text(SLOW.replace("size: 400", "size: 128"))
    daemon = start().ready()
    (root / "inbox/alpha/photo.jpg").write_bytes(jpeg(128, 96))
    wait_until(lambda: _stage(root) == "painting", what=daemon.text)
    os.kill(painter_of(daemon), signal.SIGKILL)
    wait_until(painted(root, "photo.jpg"), 300, what=daemon.text)
    assert "SIGKILL" in daemon.wait_for(Event.RETRY)["message"]
    assert daemon.stop() == 0


def test_a_stop_in_the_middle_is_quick_and_puts_the_picture_back(root: Path, start: Start) -> None:
    (root / "config.yaml").write_text(SLOW)
    daemon = start().ready()
    (root / "inbox/alpha/photo.jpg").write_bytes(jpeg(400, 300))
    wait_until(lambda: _stage(root) == "painting", what=daemon.text)
    assert daemon.stop(30) == 0
    assert files(root, "inbox", "outbox", "done", "failed") == {"inbox/alpha/photo.jpg"}
    assert not leftovers(root)
    assert not Lock(Folders(root).work / "lock").is_held()


def test_a_new_style_is_painted_without_a_restart_and_a_broken_config_changes_nothing(root: Path, start: Start) -> None:
    daemon = start().ready()
    (root / "config.yaml").write_text(CONFIG + "  gamma: {picture: missing.png}\n  delta: [1]\n")
    daemon.wait_for(Event.SETTINGS_REJECTED)
    for setting in ("styles.gamma.picture", "styles.delta"):
        daemon.wait_for_text(setting)
    (root / "config.yaml").write_text(CONFIG + "  gamma: {picture: alpha.png, style_weight: 2}\n")
    wait_until((root / "inbox/gamma").is_dir, what=daemon.text)
    (root / "inbox/gamma/photo.jpg").write_bytes(jpeg())
    wait_until(painted(root, "photo.jpg", "gamma"), what=daemon.text)
    before = len(daemon.events(Event.SETTINGS_TAKEN))
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: len(daemon.events(Event.SETTINGS_TAKEN)) == before + 1, what=daemon.text)
    assert daemon.stop() == 0


def test_a_sidecar_counts_and_a_wrong_one_fails_its_photo_alone(root: Path, start: Start) -> None:
    inbox = root / "inbox/alpha"
    inbox.mkdir(parents=True)
    (inbox / "small.jpg.yaml").write_text("size: 32")
    (inbox / "small.jpg").write_bytes(jpeg())
    (inbox / "wrong.jpg.yaml").write_text("siez: 32")
    (inbox / "wrong.jpg").write_bytes(jpeg())
    assert start("--once").process.wait(60) == 3
    with Image.open(root / "outbox/alpha/small.jpg") as painting:
        assert max(painting.size) == 32
    assert "did you mean size?" in (root / "failed/alpha/wrong.jpg.txt").read_text()
    assert (root / "done/alpha/small.jpg.yaml").exists()
    assert (root / "failed/alpha/wrong.jpg.yaml").exists()


def test_what_comes_out_as_no_painting_is_painted_once_more_with_safe_settings(root: Path, start: Start) -> None:
    inbox = root / "inbox/alpha"
    inbox.mkdir(parents=True)
    (inbox / "wild.png.yaml").write_text("{preset: fine, smoothness: 1000000, style_weight: 0, content_weight: 0}")
    (inbox / "wild.png").write_bytes(jpeg(kind="PNG"))
    daemon = start("--once")
    assert daemon.process.wait(90) == 0, daemon.text()
    assert len(daemon.events(Event.SECOND_TRY)) == 1
    painting = root / "outbox/alpha/wild.png"
    assert (read_provenance(painting).recipe.smoothness, read_provenance(painting).recipe.style_weight) == (1, 1)
    with Image.open(painting) as image:
        assert len(image.convert("L").getcolors() or ()) > 50


def test_once_waits_for_what_is_growing_and_exits_0(root: Path, start: Start) -> None:
    (root / "inbox/beta").mkdir(parents=True)
    data = jpeg()
    with (root / "inbox/beta/slow.jpg").open("wb", buffering=0) as file:
        file.write(data[:100])
        daemon = start("--once")
        daemon.ready()
        file.write(data[100:])
    assert daemon.process.wait(60) == 0
    assert files(root, "outbox") == {"outbox/beta/slow.jpg"}


def test_a_second_daemon_on_the_same_root_is_refused(root: Path, start: Start) -> None:
    first = start().ready()
    second = start()
    assert second.process.wait(30) == 1, "once the first has gone, it may start"
    assert f"styled, process {first.process.pid}" in second.text()
    assert first.stop() == 0


def test_wrong_settings_exit_78_with_every_reason(root: Path, start: Start) -> None:
    (root / "config.yaml").write_text("default_style: x\nsettle_seconds: never\nstyles: {x: {picture: gone.jpg}}\n")
    daemon = start()
    assert daemon.process.wait(30) == 78
    assert "settle_seconds" in daemon.text()
    assert "styles.x.picture" in daemon.text()


def test_a_style_picture_that_is_no_picture_exits_78(root: Path, start: Start) -> None:
    (root / "beta.png").write_text("this is no picture")
    daemon = start()
    assert daemon.process.wait(60) == 78
    assert "styles.beta.picture" in daemon.text()


def test_a_preset_that_the_weights_cannot_serve_exits_78_and_names_the_way_out(root: Path, start: Start) -> None:
    (root / "config.yaml").write_text(CONFIG.replace("preset: draft", "preset: gatys"))
    daemon = start()
    assert daemon.process.wait(60) == 78
    assert "styled weights" in daemon.text()


def test_it_tells_systemd_when_it_is_ready_what_it_does_and_when_it_stops(root: Path, tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(address)
        supervisor.settimeout(60)

        def heard(line: str) -> list[str]:
            """All messages up to the first that holds this line."""
            messages = [supervisor.recv(4000).decode()]
            while line not in messages[-1].splitlines():
                messages.append(supervisor.recv(4000).decode())
            return messages

        environment = {**os.environ, "NOTIFY_SOCKET": address, "WATCHDOG_USEC": "2000000"}
        command = [sys.executable, "-m", "daemon", "run", "--config", str(root / "config.yaml")]
        with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
            assert any(message.startswith("STATUS=starting") for message in heard("READY=1"))
            heard("STATUS=nothing in hand; 0 waiting; 0 painted, 0 failed")
            heard("WATCHDOG=1")
            process.send_signal(signal.SIGHUP)
            assert any(message.startswith("RELOADING=1\nMONOTONIC_USEC=") for message in heard("READY=1"))
            (root / "inbox/alpha/photo.jpg").write_bytes(jpeg())
            heard("STATUS=nothing in hand; 0 waiting; 1 painted, 0 failed")
            process.terminate()
            heard("STOPPING=1")
            assert process.wait(10) == 0
    assert not leftovers(root)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_the_second_signal_forces(number: int, code: int) -> None:
    script = (
        "import os, sys, threading, types\n"
        "from daemon.service.service import handle_signals\n"
        "stopping = threading.Event()\n"
        "handle_signals(types.SimpleNamespace(stopping=stopping, stop=stopping.set))\n"
        f"os.kill(os.getpid(), {number})\n"
        "assert stopping.is_set()\n"
        f"os.kill(os.getpid(), {number})\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == code


def _stage(root: Path) -> str:
    try:
        jobs = json.loads((root / "work/status.json").read_text())["jobs"]
    except (OSError, ValueError):
        return ""
    return jobs[0]["stage"] if jobs else ""
