"""Random life: whatever users and machines do to a real folder under a real daemon, no picture is lost."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from daemon.config.load import load
from daemon.jobs.audit import examine
from tests.support.daemon import Daemon, wait_until
from tests.support.folders import below
from tests.support.samples import CONFIG, jpeg

pytestmark = pytest.mark.slow

NAMES = st.sampled_from(["a.jpg", "b.jpg", "trip/c.jpg", "d.JPG", "e\n.jpg"])
STYLES = st.sampled_from(["alpha", "beta"])
QUICK = CONFIG.replace("settle_seconds: 0.3", "settle_seconds: 0.1")


class RandomLife(RuleBasedStateMachine):
    """`made`: the content of every photo that was ever finished, each one of a kind. `gone`: those that a user took
    away or wrote over before they were claimed, as far as can be known: then they need not be anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="styled-life-", dir=_memory()))
        self.made: set[bytes] = set()
        self.gone: set[bytes] = set()
        self.number = 0
        self.mounted = False
        self.daemon: Daemon

    @initialize()
    def begin(self) -> None:
        mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(self.root)]
        self.mounted = os.getuid() == 0 and subprocess.run(mount, check=False, capture_output=True).returncode == 0
        (self.root / "alpha.png").write_bytes(jpeg(seed=1, kind="PNG"))
        (self.root / "beta.png").write_bytes(jpeg(40, 60, seed=2, kind="PNG"))
        (self.root / "config.yaml").write_text(QUICK)
        self.daemon = Daemon(self.root, fast=True).ready()

    # what users do

    @rule(style=STYLES, name=NAMES)
    def drop(self, style: str, name: str) -> None:
        path = self._place(style, name)
        if not path.exists():
            path.write_bytes(self._photo())

    @rule(style=STYLES, name=NAMES)
    def drop_by_rename(self, style: str, name: str) -> None:
        path = self._place(style, name)
        hidden = path.with_name(".upload")
        hidden.write_bytes(self._photo())
        self._lose(path)
        hidden.replace(path)

    @rule(style=STYLES, name=NAMES)
    def write_slowly(self, style: str, name: str) -> None:
        path, data = self._place(style, name), self._photo()
        if path.exists():
            self.gone.add(data)
            return
        with path.open("wb", buffering=0) as file:
            file.write(data[:50])
            time.sleep(0.25)
            file.write(data[50:])

    @rule(style=STYLES, name=NAMES)
    def overwrite(self, style: str, name: str) -> None:
        path = self._place(style, name)
        self._lose(path)
        path.write_bytes(self._photo())

    @rule(style=STYLES, old=NAMES, new=NAMES)
    def rename(self, style: str, old: str, new: str) -> None:
        source, target = self._place(style, old), self._place(style, new)
        self._lose(target)
        with contextlib.suppress(FileNotFoundError):
            source.replace(target)

    @rule(style=STYLES, name=NAMES)
    def delete(self, style: str, name: str) -> None:
        path = self._place(style, name)
        self._lose(path)
        path.unlink(missing_ok=True)

    @rule(style=STYLES)
    def move_a_folder_in(self, style: str) -> None:
        folder = self.root / "inbox" / style / f"moved-{self.number}"
        (self.root / "outside").mkdir()
        for name in ("x.jpg", "y.jpg"):
            (self.root / "outside" / name).write_bytes(self._photo())
        (self.root / "outside").rename(folder)

    @rule(style=STYLES, mode=st.sampled_from([0o000, 0o400, 0o666]), name=NAMES)
    def chmod(self, style: str, mode: int, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._place(style, name).chmod(mode)

    @rule(style=STYLES)
    def take_paintings_away(self, style: str) -> None:
        shutil.rmtree(self.root / "outbox" / style, ignore_errors=True)

    # what machines do

    @rule()
    def kill(self) -> None:
        self.daemon.process.kill()
        self.daemon.process.wait()
        self.daemon = Daemon(self.root, fast=True)

    @rule()
    def restart(self) -> None:
        wait_until(lambda: (self.root / "work/status.json").exists())
        self.daemon.ready()
        self.daemon.stop()
        self.daemon = Daemon(self.root, fast=True)

    @rule(seconds=st.sampled_from([0.1, 0.2]))
    def reload(self, seconds: float) -> None:
        text = QUICK.replace("settle_seconds: 0.1", f"settle_seconds: {seconds}")
        with contextlib.suppress(OSError):
            temporary = self.root / "config.tmp"
            temporary.write_text(text)
            temporary.replace(self.root / "config.yaml")
        self.daemon.ready()  # before that, HUP ends it, as it ends any program
        self.daemon.signal(signal.SIGHUP)

    @precondition(lambda self: self.mounted)
    @rule(seconds=st.sampled_from([0.1, 1.0]))
    def fill_the_disk_and_free_it(self, seconds: float) -> None:
        ballast, free = self.root / "ballast", os.statvfs(self.root)
        with ballast.open("wb") as file, contextlib.suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, max(free.f_bavail * free.f_frsize, 1))
        time.sleep(seconds)
        ballast.unlink()

    @rule()
    def wait(self) -> None:
        time.sleep(0.3)

    # what holds after every step, and in the end

    @invariant()
    def no_picture_is_lost(self) -> None:
        if not self.made:
            return
        missing = self.made - self.gone - self._contents()
        if missing:  # a rename while we looked, folder by folder; no picture moves for ever
            missing -= self._contents() | self._contents()
        assert not missing, f"{len(missing)} lost"

    def teardown(self) -> None:
        try:
            for path in below(self.root / "inbox"):
                with contextlib.suppress(FileNotFoundError):
                    path.chmod(0o644)
            self.daemon.ready()
            wait_until(lambda: not self._waiting(), 180, self.daemon.text)
            assert self.daemon.stop() == 0, self.daemon.text()
            self.no_picture_is_lost()
            report = examine(load(self.root / "config.yaml"))
            assert report.adds_up, report
            assert not report.findings
            assert not report.in_work
            assert not below(self.root / "failed"), self.daemon.text()
            originals = [path.read_bytes() for path in below(self.root / "done")]
            assert len(originals) == len(set(originals)), "painted twice"
        finally:
            if self.daemon.process.poll() is None:
                self.daemon.process.kill()
                self.daemon.process.wait()
            if self.mounted:
                subprocess.run(["umount", "-l", self.root], check=False)
            shutil.rmtree(self.root, ignore_errors=True)

    def _photo(self) -> bytes:
        """A picture like no other."""
        self.number += 1
        data = jpeg(32, 24, seed=self.number) + b"%08d" % self.number
        self.made.add(data)
        return data

    def _place(self, style: str, name: str) -> Path:
        path = self.root / "inbox" / style / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _lose(self, path: Path) -> None:
        """What lies there may be claimed in this very moment, or be lost by what its user does next."""
        with contextlib.suppress(OSError):
            self.gone.add(path.read_bytes())

    def _contents(self) -> set[bytes]:
        found = set()
        for folder in ("inbox", "work", "failed", "done"):
            for path in below(self.root / folder):
                with contextlib.suppress(OSError):
                    found.add(path.read_bytes())
        return found

    def _waiting(self) -> list[Path]:
        folders = [path for path in (self.root / "work").iterdir() if path.is_dir()]
        return folders + below(self.root / "inbox")


def _memory() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


RandomLife.TestCase.settings = settings(
    max_examples=int(os.environ.get("STYLED_LIVES", "3")),
    stateful_step_count=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a life cannot be lived again in the same way
    suppress_health_check=list(HealthCheck),
)
TestRandomLife = RandomLife.TestCase
