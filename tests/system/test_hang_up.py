"""HUP: on a terminal that is closed it ends the daemon, everywhere else it reads config.yaml again."""

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.events import Event
from tests.support.daemon import Daemon, Start

pytestmark = pytest.mark.slow


class TerminalDaemon(Daemon):
    """A daemon that is started on a terminal of its own, in the foreground."""

    def __init__(self, root: Path, *, ignores: bool = False) -> None:
        self.root, self.log = root, root / "log.txt"
        self._events = root / "events.jsonl"
        self._events.touch()
        self.log.touch()
        self.master, terminal = pty.openpty()

        def take_terminal() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            signal.signal(signal.SIGHUP, signal.SIG_IGN if ignores else signal.SIG_DFL)

        files = ["--config", str(root / "config.yaml"), "--events", str(self._events)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.fast_daemon", *files],
            stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True, preexec_fn=take_terminal,
        )  # fmt: skip
        os.close(terminal)
        self._closing = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        os.set_blocking(self.master, False)
        while not self._closing.wait(0.02):
            try:
                os.read(self.master, 65536)
            except BlockingIOError:
                continue
            except OSError:
                return

    def close_terminal(self) -> None:
        self._closing.set()
        self._reader.join()
        os.close(self.master)


@pytest.fixture
def on_terminal(root: Path, request: pytest.FixtureRequest) -> Iterator[TerminalDaemon]:
    daemon = TerminalDaemon(root, ignores=getattr(request, "param", False))
    yield daemon.ready()
    daemon.process.kill()
    daemon.process.wait()


def test_closing_the_terminal_ends_the_daemon_with_0(on_terminal: TerminalDaemon) -> None:
    on_terminal.close_terminal()
    assert on_terminal.process.wait(30) == 0


def test_hup_by_hand_reloads_also_on_a_terminal(on_terminal: TerminalDaemon) -> None:
    on_terminal.signal(signal.SIGHUP)
    on_terminal.wait_for(Event.SETTINGS_TAKEN)
    on_terminal.close_terminal()
    assert on_terminal.process.wait(30) == 0


@pytest.mark.parametrize("on_terminal", [True], indirect=True, ids=["nohup"])
def test_under_nohup_a_closed_terminal_ends_nothing(on_terminal: TerminalDaemon) -> None:
    on_terminal.close_terminal()
    on_terminal.wait_for(Event.SETTINGS_TAKEN)  # bash sends HUP, and so does the kernel
    assert on_terminal.process.poll() is None
    on_terminal.signal(signal.SIGTERM)
    assert on_terminal.process.wait(30) == 0


def test_without_a_terminal_hup_reloads(root: Path, start: Start) -> None:
    daemon = start(fast=True).ready()
    daemon.signal(signal.SIGHUP)
    daemon.wait_for(Event.SETTINGS_TAKEN)
    assert daemon.stop() == 0
