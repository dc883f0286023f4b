"""The filesystem steps that the promises rest on, on a real filesystem."""

import errno
import os
from pathlib import Path

import pytest

from daemon.storage.files import NAME_MAX, free_name, make, sha256, write_atomically


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "record"
    write_atomically(path, "old", durable=True)
    write_atomically(path, "new \udcff", durable=False)
    assert path.read_bytes() == b"new \xff"
    assert os.listdir(tmp_path) == ["record"]


def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "record"
    path.write_text("old")

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            write_atomically(path, b"new", durable=True)
    assert (path.read_text(), os.listdir(tmp_path)) == ("old", ["record"])


def test_a_files_sha256_is_the_one_that_everybody_can_check(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    assert sha256(fd) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert os.lseek(fd, 0, os.SEEK_CUR) == 0, "the next reader starts at the start"
    os.close(fd)


def test_make_makes_parents_and_is_content_with_what_is_there(tmp_path: Path) -> None:
    make(tmp_path / "a" / "b" / "c")
    make(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a/b/c").is_dir()


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
