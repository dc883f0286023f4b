"""Steps in folders where somebody else may put a link, a FIFO or another folder in the way at any moment."""

import os
import stat
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemon.storage import folder as module
from daemon.storage.files import Handle
from daemon.storage.folder import Folder, adopt, move, rename_new, replace


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Folder]:
    (tmp_path / "here").mkdir()
    with Folder.open(tmp_path / "here") as folder:
        yield folder


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """Another user's folder."""
    (tmp_path / "private").mkdir()
    (tmp_path / "private/a").write_text("secret")
    return tmp_path / "private"


@pytest.mark.parametrize("with_flag", [True, False])
def test_a_move_never_overwrites(here: Folder, with_flag: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not with_flag:  # as on systems and filesystems without RENAME_NOREPLACE
        monkeypatch.setattr(module, "_renameat2", None)
    (here.path / "a").write_text("a")
    (here.path / "b").write_text("b")
    with pytest.raises(FileExistsError, match="here/b"):
        rename_new(here, "a", here, "b")
    assert (here.path / "b").read_text() == "b"
    move(here, "a", here, "c")
    assert (here.path / "c").read_text() == "a"
    with pytest.raises(FileNotFoundError):
        rename_new(here, "a", here, "d")


def test_a_move_that_a_power_loss_halved_is_finished(here: Folder) -> None:
    (here.path / "a").write_text("a")
    os.link(here.path / "a", here.path / "b")
    move(here, "a", here, "b")
    assert os.listdir(here.path) == ["b"]


def test_no_step_goes_through_a_link(here: Folder, private: Path) -> None:
    (here.path / "sub").symlink_to(private)
    (here.path / "a").symlink_to(private / "a")
    for make in (False, True):
        with pytest.raises(NotADirectoryError, match=r"symbolic link .* '.*here/sub'"):
            here.enter("sub", make=make)
    with pytest.raises(FileNotFoundError):
        here.file("a")
    assert not here.is_stamped("a", [6, (private / "a").stat().st_mtime_ns])
    assert [name for _, name in here.walk()] == []
    here.remove("a")
    here.remove("sub")
    assert (private / "a").read_text() == "secret"


def test_a_folder_that_is_swapped_for_a_link_after_it_was_opened_stays_the_folder(here: Folder, private: Path) -> None:
    (here.path / "sub").mkdir()
    (here.path / "sub/a").write_text("bait")
    with here.enter("sub") as sub:
        (here.path / "sub").rename(here.path / "real")
        (here.path / "sub").symlink_to(private)
        move(sub, "a", here, "claimed")
    assert (here.path / "claimed").read_text() == "bait"
    assert (private / "a").exists()


@pytest.mark.parametrize("kind", ["fifo", "socket", "folder", "link to nothing"])
def test_only_a_regular_file_is_opened_and_nothing_is_waited_for(here: Folder, kind: str) -> None:
    makers: dict[str, Callable[[Path], object]] = {
        "fifo": os.mkfifo,
        "socket": lambda path: os.mknod(path, stat.S_IFSOCK | 0o600),
        "folder": os.mkdir,
        "link to nothing": lambda path: os.symlink("nowhere", path),
    }
    makers[kind](here.path / "a")
    with pytest.raises(FileNotFoundError):
        here.file("a")


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "/etc"])
def test_a_step_is_one_name(here: Folder, name: str) -> None:
    with pytest.raises(ValueError, match="names no entry"):
        here.enter(name)
    with pytest.raises(ValueError, match="names no entry"):
        here.remove(name)


def test_replacing_a_link_leaves_the_file_that_the_link_names(here: Folder, private: Path) -> None:
    (here.path / "page").symlink_to(private / "a")
    (here.path / "new").write_text("page")
    replace(here, "new", here, "page")
    assert not (here.path / "page").is_symlink()
    assert (private / "a").read_text() == "secret"


def test_a_walk_sees_files_of_every_depth_and_passes_over_what_it_may_not_enter(here: Folder, private: Path) -> None:
    deep = here.path / "a/b/c"
    deep.mkdir(parents=True)
    (deep / "file").write_text("")
    (here.path / "file").write_text("")
    (here.path / "link").symlink_to(private)
    os.mkfifo(here.path / "fifo")
    assert sorted(str(folder.path / name) for folder, name in here.walk()) == [f"{deep}/file", f"{here.path}/file"]


def test_what_leaves_work_has_the_rights_of_its_new_folder(here: Folder) -> None:
    """As the folder's default access list says, which names a user."""
    entries = [(1, 7, -1), (2, 6, 65534), (4, 4, -1), (0x10, 7, -1), (0x20, 5, -1)]
    rights = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    try:
        os.setxattr(here.path, "system.posix_acl_default", rights)
    except OSError:
        pytest.skip("this filesystem has no access lists")
    for path in (here.path.parent / "made", here.path / "born"):
        path.write_text("")
    made = Handle.open(here.path.parent / "made", os.O_RDONLY)
    adopt(made, here)
    assert os.fstat(made.fd).st_mode & 0o111 == 0
    assert os.getxattr(made.fd, "system.posix_acl_access") == os.getxattr(here.path / "born", "system.posix_acl_access")
