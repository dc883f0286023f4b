"""The five folders: made, tried, and refused where they cannot work."""

import os
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
