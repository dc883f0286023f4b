"""The five folders: made, tried, and refused where they cannot work."""

import errno
import os
import threading
from pathlib import Path

import pytest

from daemon.errors import ConfigError
from daemon.storage.layout import Folders


def test_prepare_makes_every_folder_and_leaves_nothing_else(tmp_path: Path) -> None:
    Folders(tmp_path / "new").prepare(["starry", "night"])
    made = sorted(str(path.relative_to(tmp_path / "new")) for path in (tmp_path / "new").rglob("*"))
    assert made == ["done", "failed", "inbox", "inbox/night", "inbox/starry", "outbox", "work", "work/version"]


def test_nested_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "outbox").symlink_to("inbox")
    with pytest.raises(ConfigError, match=r"root: .*inbox lies inside .*outbox"):
        Folders(tmp_path).prepare([])


def test_a_file_where_a_folder_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "failed").write_text("")
    with pytest.raises(ConfigError, match=r"root: cannot make the folder .*failed"):
        Folders(tmp_path).prepare([])


@pytest.mark.skipif(not os.path.ismount("/dev/shm"), reason="needs a second filesystem")
def test_folders_on_two_filesystems_are_refused(tmp_path: Path) -> None:
    import tempfile

    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        if os.stat(other).st_dev == tmp_path.stat().st_dev:
            pytest.skip("both are the same filesystem here")
        (tmp_path / "outbox").symlink_to(other)
        with pytest.raises(ConfigError, match="different filesystems"):
            Folders(tmp_path).prepare([])


def test_nobody_but_the_daemon_writes_in_work(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work").chmod(0o2777)
    Folders(tmp_path).prepare([])
    assert oct((tmp_path / "work").stat().st_mode & 0o7777) == "0o2755"


def test_a_sandbox_that_refuses_the_setgid_bit_stops_no_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the unit's RestrictSUIDSGID= does, where styled makes its folders below a root with that bit."""
    real = os.chmod

    def chmod(path: Path, mode: int) -> None:
        if mode & 0o6000:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(path))
        real(path, mode)

    (tmp_path / "work").mkdir()
    (tmp_path / "work").chmod(0o2775)
    monkeypatch.setattr(os, "chmod", chmod)
    Folders(tmp_path).prepare(["night"])
    assert (tmp_path / "work").stat().st_mode & 0o022 == 0


@pytest.mark.parametrize("kind", ["a file", "a link", "a probe"])
def test_whoever_may_write_in_the_inbox_does_not_keep_the_daemon_from_starting(tmp_path: Path, kind: str) -> None:
    folders = Folders(tmp_path)
    folders.prepare(["alpha"])
    if kind == "a probe":
        (folders.inbox / ".styled-probe-12345678").mkdir()
    else:
        (folders.inbox / "alpha").rmdir()
        (folders.inbox / "alpha").symlink_to("/etc") if kind == "a link" else (folders.inbox / "alpha").touch()
    folders.prepare(["alpha", "beta"])
    assert (folders.inbox / "beta").is_dir()


def test_the_folder_of_a_style_is_made_once_however_it_is_spelled(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    folders.prepare(["cafe\u0301"])
    folders.prepare(["caf\u00e9"])
    assert os.listdir(folders.inbox) == ["cafe\u0301"]


def test_a_check_and_a_reload_at_the_same_time_hinder_neither(tmp_path: Path) -> None:
    folders = [Folders(tmp_path) for _ in range(4)]
    folders[0].prepare([])
    found: list[object] = []

    def look(each: Folders) -> None:
        try:
            found.extend(problem for _ in range(60) for problem in each.problems())
        except Exception as error:
            found.append(error)

    threads = [threading.Thread(target=look, args=(each,)) for each in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == []
    assert not [*tmp_path.rglob(".styled-probe-*")]
