"""The filesystem steps that the promises rest on, on a real filesystem."""

import os
from pathlib import Path

import pytest

from daemon.errors import ConfigError
from daemon.storage import files
from daemon.storage.files import NAME_MAX, free_name, make, move, rename_new, write_atomically
from daemon.storage.layout import Folders
from daemon.storage.lock import Lock


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


@pytest.mark.parametrize("with_flag", [True, False])
def test_a_move_never_overwrites(tmp_path: Path, with_flag: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not with_flag:  # as on systems and filesystems without RENAME_NOREPLACE
        monkeypatch.setattr(files, "_renameat2", None)
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    with pytest.raises(FileExistsError):
        rename_new(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_text() == "b"
    move(tmp_path / "a", tmp_path / "c")
    assert (tmp_path / "c").read_text() == "a"
    with pytest.raises(FileNotFoundError):
        rename_new(tmp_path / "a", tmp_path / "d")


def test_a_text_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "record"
    write_atomically(path, "old", tmp_path / ".t")
    write_atomically(path, "new \udcff", tmp_path / ".t")
    assert path.read_bytes() == b"new \xff"
    assert os.listdir(tmp_path) == ["record"]


def test_make_makes_parents_and_is_content_with_what_is_there(tmp_path: Path) -> None:
    make(tmp_path / "a" / "b" / "c")
    make(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a/b/c").is_dir()


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


@pytest.mark.parametrize(
    ("name", "taken", "expected"),
    [
        ("photo.jpg", set(), "photo.jpg"),
        ("photo.jpg", {"photo.jpg", "photo-2.jpg"}, "photo-3.jpg"),
        ("photo", {"photo"}, "photo-2"),
        ("a.tar.jpg", {"a.tar.jpg"}, "a.tar-2.jpg"),
    ],
)
def test_the_first_free_name(name: str, taken: set[str], expected: str) -> None:
    assert free_name(name, lambda n: n not in taken) == expected


@pytest.mark.parametrize("letter", ["a", "é", "鴨", "\udcff"])
def test_every_name_fits_with_what_is_added_to_it(letter: str) -> None:
    name = os.fsdecode((os.fsencode(letter) * 251)[:251]) + ".jpg"
    taken: set[str] = set()
    for _ in range(12):
        free = free_name(name, lambda n: n not in taken, len(".mask.png"))
        assert len(os.fsencode(free + ".mask.png")) <= NAME_MAX
        assert free.endswith(".jpg")
        taken.add(free)
    assert len(taken) == 12
