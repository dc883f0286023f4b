"""What several test modules share: small real pictures, a configured root, a real daemon in its own process."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def jpeg(width: int = 64, height: int = 48, seed: int = 0, kind: str = "JPEG") -> bytes:
    """A small picture with some structure: a gradient, a disc, a little noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    base = np.stack([x, y, 0.6 - 0.4 * x], -1)
    base[(x - 0.4) ** 2 + (y - 0.3) ** 2 < 0.03] = (0.9, 0.8, 0.2)
    pixels = np.clip(base + rng.normal(0, 0.05, base.shape), 0, 1)
    out = io.BytesIO()
    Image.fromarray((pixels * 255).astype(np.uint8)).save(out, kind)
    return out.getvalue()


CONFIG = """\
root: .
default_style: alpha
settle_seconds: 0.3
device: cpu
threads: 1
weights: embedded
recipe: {preset: draft, size: 48}
styles:
  alpha: {picture: alpha.png}
  beta: {picture: beta.png}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with a config.yaml of two styles, quick to paint."""
    (tmp_path / "alpha.png").write_bytes(jpeg(seed=1, kind="PNG"))
    (tmp_path / "beta.png").write_bytes(jpeg(40, 60, seed=2, kind="PNG"))
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tmp_path


def wait_until(condition: Callable[[], object], seconds: float = 180.0, what: Callable[[], str] | None = None) -> None:
    """Poll until true; the bound is for a machine that is busy with other things."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what() if what else "it did not happen in time"
        time.sleep(0.02)


class Daemon:
    """A real `styled run` in a process of its own, with its output kept."""

    def __init__(self, root: Path, *arguments: str, fast: bool = False, powerless: bool = False) -> None:
        """`fast`: with the painter of fast_daemon. `powerless`: even if we are root, like any other user."""
        self.root = root
        self.log = root / "log.txt"
        self._said_before = self.log.stat().st_size if self.log.exists() else 0  # by others on this root
        start = ["tests.fast_daemon"] if fast else ["daemon", "run"]
        drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if powerless and os.getuid() == 0 else []
        command = [*drop, sys.executable, "-m", *start, "--config", str(root / "config.yaml"), *arguments]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def said(self) -> str:
        """What this one has said, of all that stands in the log."""
        return self.log.read_bytes()[self._said_before :].decode(errors="replace")

    def wait_for(self, text: str, seconds: float = 60.0) -> None:
        wait_until(lambda: text in self.said() or self.process.poll() is not None, seconds, self.text)
        assert text in self.said(), self.text()

    def ready(self) -> "Daemon":
        self.wait_for("ready:")
        return self

    def signal(self, number: int) -> None:
        os.kill(self.process.pid, number)

    def stop(self, seconds: float = 60.0) -> int:
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.process.wait(seconds)


@pytest.fixture
def start(root: Path) -> Iterator[Callable[..., Daemon]]:
    """Starts daemons on `root`; whatever still runs at the test's end is killed."""
    started: list[Daemon] = []

    def begin(*arguments: str, at: Path = root, fast: bool = False, powerless: bool = False) -> Daemon:
        started.append(Daemon(at, *arguments, fast=fast, powerless=powerless))
        return started[-1]

    yield begin
    for daemon in started:
        if daemon.process.poll() is None:
            daemon.process.kill()
            daemon.process.wait()
