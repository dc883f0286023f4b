"""One daemon per root, whatever kind of filesystem it lies on."""

import errno
import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.config.load import load
from daemon.errors import ConfigError, JobError
from daemon.jobs.audit import examine, repair
from daemon.storage.lock import Lock
from tests.support.daemon import Daemon

HOLD = """
import sys
from pathlib import Path
from daemon.storage.lock import Lock
Lock(Path(sys.argv[1])).acquire()
input()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work/lock"


def beating(path: Path) -> Callable[[float], None]:
    """Another host's daemon writes its status while we wait."""

    def wait(seconds: float) -> None:
        (path.parent / "status.json").write_text("{}")

    return wait


def test_one_daemon_per_root_and_the_second_learns_who_has_it(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    first, second = Lock(tmp_path / "work/lock"), Lock(tmp_path / "work/lock")
    assert not first.is_held()
    first.acquire()
    with pytest.raises(ConfigError, match=rf"looked after by styled, process {os.getpid()} on "):
        second.acquire()
    assert second.is_held()
    first.release()
    assert not second.is_held()
    second.acquire()
    second.release()


def test_the_second_is_told_who_holds_the_root(path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as holder:
        while not (path.exists() and path.read_text()):
            assert holder.poll() is None
        with pytest.raises(ConfigError, match=f"by styled, process {holder.pid} on {socket.gethostname()};"):
            Lock(path).acquire()
        holder.kill()
    lock = Lock(path, wait=lambda seconds: pytest.fail("a dead process of this host needs no waiting for"))
    lock.acquire()
    lock.release()


def test_a_daemon_at_work_on_another_host_is_seen_by_its_heartbeat(path: Path) -> None:
    path.write_text("styled, process 7 on elsewhere\n")
    with pytest.raises(ConfigError, match="process 7 on elsewhere"):
        Lock(path, wait=beating(path)).acquire()
    assert path.read_text() == "styled, process 7 on elsewhere\n"


def test_a_real_daemon_on_another_host_keeps_a_second_one_and_the_doctors_repair_away(
    root: Path, start: Callable[..., Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A filesystem that keeps locks to the host which took them, as old NFS does: ours is granted at once."""
    daemon = start(fast=True).ready()
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
    monkeypatch.setattr(fcntl, "flock", lambda fd, how: None)
    lock = Lock(root / "work/lock")
    assert lock.is_held()
    with pytest.raises(ConfigError, match=f"looked after by styled, process {daemon.process.pid} on "):
        lock.acquire()
    with pytest.raises(JobError, match="Stop it first"):
        repair(examine(load(root / "config.yaml")))
    daemon.process.kill()
    daemon.process.wait()
    assert not Lock(root / "work/lock", wait=lambda seconds: None).is_held()


def test_a_root_whose_daemon_died_on_another_host_is_free(path: Path) -> None:
    path.write_text("styled, process 7 on elsewhere\n")
    lock = Lock(path, wait=lambda seconds: None)
    lock.acquire()
    assert lock.acquired
    lock.release()


def test_on_a_filesystem_without_locks_the_heartbeat_decides(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(fd: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    path.write_text(f"styled, process 7 on {socket.gethostname()}\n")
    with pytest.raises(ConfigError, match="process 7"):
        Lock(path, wait=beating(path)).acquire()
    lock = Lock(path, wait=lambda seconds: None)
    lock.acquire()
    assert lock.acquired


def test_a_released_lock_holds_no_name(path: Path) -> None:
    lock = Lock(path)
    lock.acquire()
    assert lock.is_ours()
    lock.release()
    assert path.read_text() == ""
    assert not lock.is_held()


def test_a_replaced_work_folder_is_noticed(path: Path) -> None:
    lock = Lock(path)
    lock.acquire()
    path.unlink()
    assert not lock.is_ours()
    path.touch()
    assert not lock.is_ours()


def test_a_lock_that_may_not_be_opened_is_the_settings_fault(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*arguments: object) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(ConfigError, match="give rights"):
        Lock(path).acquire()
