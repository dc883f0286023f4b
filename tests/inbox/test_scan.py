"""One scan of the inbox: what becomes of every entry."""

import errno
import os
import socket
import stat
import unicodedata
from pathlib import Path
from typing import Literal

import pytest

from daemon.inbox.photo import InboxPhoto, Signature
from daemon.inbox.scan import DEEPEST, InboxScan, Kind, ScanEntry
from tests.support.inbox import put

STYLES = {"starry", "scream"}


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    for style in STYLES:
        (folder / style).mkdir(parents=True)
    return folder


def scan(inbox: Path) -> dict[str, ScanEntry]:
    found = {os.path.relpath(entry.path, inbox): entry for entry in InboxScan(inbox, STYLES, "starry")}
    assert len(found) == len(list(InboxScan(inbox, STYLES, "starry")))
    return found


def photos(inbox: Path) -> dict[str, InboxPhoto]:
    return {path: entry.photo for path, entry in scan(inbox).items() if entry.photo}


def test_the_folder_decides_the_style_and_deeper_folders_are_kept_to_be_mirrored(inbox: Path) -> None:
    put(inbox / "top.jpg")
    put(inbox / "scream/a.png")
    put(inbox / "scream/holiday/rome/b.HEIC")
    found = photos(inbox)
    assert {path: (each.style, each.folder, each.name) for path, each in found.items()} == {
        "top.jpg": ("starry", "", "top.jpg"),
        "scream/a.png": ("scream", "", "a.png"),
        "scream/holiday/rome/b.HEIC": ("scream", "holiday/rome", "b.HEIC"),
    }
    assert all(each.path == str(inbox / path) for path, each in found.items())
    status = (inbox / "top.jpg").stat()
    assert found["top.jpg"].signature == (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    assert found["top.jpg"].signature == Signature.of(status)


def test_companions_go_with_their_photo_and_are_never_photos(inbox: Path) -> None:
    for name in ("a.jpg", "a.jpg.yaml", "a.jpg.mask.png", "b.jpg", "c.jpg.yaml", "venice.mask.png", "b.jpg.YAML"):
        put(inbox / "starry" / name, name.encode())
    found = scan(inbox)
    a = found["starry/a.jpg"].photo
    assert a is not None
    assert a.companions == ("a.jpg.yaml", "a.jpg.mask.png")
    assert [each.size for each in a.companion_signatures] == [len("a.jpg.yaml"), len("a.jpg.mask.png")]
    assert set(photos(inbox)) == {"starry/a.jpg", "starry/b.jpg", "starry/venice.mask.png"}
    assert photos(inbox)["starry/b.jpg"].companions == ()
    assert found["starry/a.jpg.yaml"].why == "goes with a.jpg"
    assert found["starry/c.jpg.yaml"].why == "waits for c.jpg"
    assert "lower case" in found["starry/b.jpg.YAML"].why


def test_hidden_temporary_and_other_files_are_left_alone_and_their_folders_not_entered(inbox: Path) -> None:
    names = (".hidden.jpg", "a.jpg~", "a.jpg.part", "Thumbs.db", "notes.txt", ".git/a.jpg", "b.jpg.download/b.jpg")
    for name in names:
        put(inbox / "starry" / name)
    put(inbox / "@eaDir/a.jpg")
    put(inbox / ".trash/a.jpg")
    found = scan(inbox)
    assert {entry.kind for entry in found.values()} == {Kind.LEFT_ALONE}
    assert set(found) == {
        *("starry/.hidden.jpg", "starry/a.jpg~", "starry/a.jpg.part", "starry/Thumbs.db", "starry/notes.txt"),
        *("starry/.git", "starry/b.jpg.download", "@eaDir", ".trash"),
    }


def test_photos_in_a_folder_of_no_style_are_counted_and_named_with_the_command_that_moves_them(inbox: Path) -> None:
    for name in ("a.jpg", "deep/b.jpg", "deep/.hidden.jpg", "notes.txt"):
        put(inbox / "stary's" / name)
    found = scan(inbox)
    assert {path: entry.kind for path, entry in found.items()} == {
        "stary's": Kind.NO_STYLE,
        "stary's/a.jpg": Kind.UNPAINTED,
        "stary's/deep/b.jpg": Kind.UNPAINTED,
    }
    command = f"mv '{inbox}/stary'\"'\"'s'/* {inbox}/starry/"
    why = "config.yaml has no style stary's; did you mean starry? 2 photos wait there; move them"
    assert found["stary's"].why == f"{why}: {command}"
    assert found["stary's/a.jpg"].description.startswith("left alone: config.yaml has no style")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_are_equal_as_people_see_them(inbox: Path, form: Literal["NFC", "NFD"]) -> None:
    """A Mac writes é in two characters; the files keep their own bytes."""
    ours, theirs = unicodedata.normalize(form, "café"), unicodedata.normalize("NFD" if form == "NFC" else "NFC", "café")
    for ending in (".jpg", ".jpg.yaml"):
        put(inbox / theirs / f"{ours if ending == '.jpg' else theirs}{ending}")
    photo, companion = InboxScan(inbox, {ours, *STYLES}, "starry")
    assert photo.photo is not None
    assert (photo.photo.style, photo.photo.name, photo.path) == (ours, f"{ours}.jpg", f"{inbox}/{theirs}/{ours}.jpg")
    assert (photo.photo.companions, photo.photo.spelled) == ((f"{ours}.jpg.yaml",), (f"{theirs}.jpg.yaml",))
    assert companion.why == f"goes with {theirs}.jpg"


def test_where_the_disk_makes_no_difference_between_small_and_large_letters_a_style_is_found(
    inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(inbox / "STARRY/a.jpg")
    assert [entry.kind for entry in scan(inbox).values()] == [Kind.NO_STYLE, Kind.UNPAINTED]
    real = os.stat
    monkeypatch.setattr(os, "stat", lambda path, **more: real("STARRY" if path == "starry" else path, **more))
    assert photos(inbox)["STARRY/a.jpg"].style == "starry"


def test_where_the_disk_makes_no_difference_between_small_and_large_letters_companions_count(
    inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("A.JPG", "A.jpg.YAML", "A.jpg.mask.png"):
        put(inbox / "starry" / name)
    assert photos(inbox)["starry/A.JPG"].companions == ()
    assert scan(inbox)["starry/A.jpg.YAML"].kind is Kind.TROUBLE
    real, there = os.stat, {name.lower(): name for name in os.listdir(inbox / "starry")}
    monkeypatch.setattr(os, "stat", lambda path, **more: real(there.get(str(path).lower(), str(path)), **more))
    photo = photos(inbox)["starry/A.JPG"]
    assert (photo.companions, photo.spelled) == (("A.JPG.yaml", "A.JPG.mask.png"), ("A.jpg.YAML", "A.jpg.mask.png"))
    assert scan(inbox)["starry/A.jpg.YAML"].why == "goes with A.jpg"


def test_a_photo_beside_its_own_download_knows_it(inbox: Path) -> None:
    for name in ("a.jpg", "a.jpg.part", "b.jpg", "b.jpg.yaml.crdownload", "c.jpg", "d.jpg.part"):
        put(inbox / "starry" / name)
    found = {photo.name: photo.download for photo in photos(inbox).values()}
    assert found == {"a.jpg": "a.jpg.part", "b.jpg": "b.jpg.yaml.crdownload", "c.jpg": ""}


def test_a_path_that_would_be_too_long_behind_the_painting_is_refused_before(inbox: Path) -> None:
    folder, name = os.open(inbox / "starry", os.O_RDONLY), "n" * 250
    for _ in range(16):
        os.mkdir(name, dir_fd=folder)
        folder, before = os.open(name, os.O_RDONLY, dir_fd=folder), folder
        os.close(before)
    os.close(os.open("a.jpg", os.O_WRONLY | os.O_CREAT, dir_fd=folder))
    os.close(folder)
    ((entry),) = scan(inbox).values()
    assert entry.kind is Kind.TROUBLE
    assert "its path is longer than 3900 bytes" in entry.why


def test_links_and_special_files_are_never_followed_or_opened(inbox: Path, tmp_path: Path) -> None:
    put(tmp_path / "outside/secret.jpg")
    style = inbox / "starry"
    (style / "file.jpg").symlink_to(tmp_path / "outside/secret.jpg")
    (style / "folder").symlink_to(tmp_path / "outside")
    (style / "loop").symlink_to(style)
    (inbox / "gone.jpg").symlink_to("nowhere")
    os.mkfifo(style / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as line:
        here = os.open(style, os.O_RDONLY)
        line.bind(f"/proc/self/fd/{here}/socket.jpg")
        os.close(here)
        found = scan(inbox)
    assert not photos(inbox)
    assert {path.rpartition("/")[2] for path in found} == {
        *("file.jpg", "folder", "loop", "gone.jpg", "pipe.jpg", "socket.jpg")
    }
    assert found["starry/file.jpg"].why.startswith("a symbolic link")
    assert found["starry/pipe.jpg"].why.startswith("not a regular file")


def test_a_style_folder_that_is_a_link_is_not_entered_but_the_inbox_itself_may_be_one(
    inbox: Path, tmp_path: Path
) -> None:
    put(tmp_path / "outside/a.jpg")
    (inbox / "scream").rmdir()
    (inbox / "scream").symlink_to(tmp_path / "outside")
    put(inbox / "starry/b.jpg")
    (tmp_path / "link").symlink_to(inbox)
    assert set(photos(tmp_path / "link")) == {"starry/b.jpg"}


def test_a_folder_called_like_a_photo_is_a_folder(inbox: Path) -> None:
    put(inbox / "starry/c.jpg/d.jpg")
    assert {path: each.folder for path, each in photos(inbox).items()} == {"starry/c.jpg/d.jpg": "c.jpg"}


def test_a_folder_swapped_for_a_link_during_the_scan_is_not_followed(inbox: Path, tmp_path: Path) -> None:
    put(tmp_path / "outside/secret.jpg")
    put(inbox / "starry/a.jpg")
    (inbox / "starry/trap").mkdir()
    entries = iter(InboxScan(inbox, {"starry"}, "starry"))
    seen = [next(entries)]  # the style's folder has been listed: "trap" was a folder
    (inbox / "starry/trap").rmdir()
    (inbox / "starry/trap").symlink_to(tmp_path / "outside")
    seen += entries
    assert not [entry.path for entry in seen if "secret" in entry.path]


def test_names_that_are_no_utf8_are_photos_like_any_other(inbox: Path) -> None:
    raw = os.fsencode(inbox / "starry") + b"/caf\xe9\n.jpg"
    Path(os.fsdecode(raw)).write_bytes(b"x")
    (each,) = photos(inbox).values()
    assert os.fsencode(each.path) == raw


def test_a_folder_without_permission_is_named_and_the_others_go_on(
    inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(inbox / "starry/locked/a.jpg")
    put(inbox / "starry/open/b.jpg")
    real = os.open

    def guarded(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if path == "locked":  # root may look anywhere, so the refusal is made here
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", guarded)
    found = scan(inbox)
    assert found["starry/locked"].kind is Kind.TROUBLE
    assert "Permission denied" in found["starry/locked"].why
    assert "starry/open/b.jpg" in found


def test_folders_that_lie_too_deep_are_named_and_not_entered(inbox: Path) -> None:
    put(inbox / "starry" / "/".join(["d"] * DEEPEST) / "a.jpg")
    put(inbox / "starry" / "/".join(["e"] * (DEEPEST + 1)) / "b.jpg")
    assert [each.name for each in photos(inbox).values()] == ["a.jpg"]
    assert [entry.kind for entry in scan(inbox).values() if entry.photo is None] == [Kind.TROUBLE]


def test_another_filesystem_below_the_inbox_is_named_and_not_entered(
    inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(inbox / "starry/a.jpg")
    top = inbox.stat().st_ino
    real = os.fstat

    def elsewhere(fd: int) -> os.stat_result:
        status = real(fd)
        if not stat.S_ISDIR(status.st_mode) or status.st_ino == top:
            return status
        return os.stat_result((*status[:2], status.st_dev + 1, *status[3:10]))

    monkeypatch.setattr(os, "fstat", elsewhere)
    found = scan(inbox)
    assert {entry.kind for entry in found.values()} == {Kind.TROUBLE}
    assert "another filesystem" in found["starry"].why


def test_a_missing_inbox_is_an_error_and_no_empty_inbox(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(InboxScan(tmp_path / "inbox", STYLES, "starry"))


def test_a_scan_leaves_no_descriptor_open_even_when_it_is_broken_off(inbox: Path) -> None:
    put(inbox / "starry/deep/a.jpg")
    put(inbox / "starry/deep/b.jpg")
    before = len(os.listdir("/proc/self/fd"))
    entries = iter(InboxScan(inbox, STYLES, "starry"))
    next(entries)
    del entries
    assert len(os.listdir("/proc/self/fd")) == before


def test_each_entry_is_described_in_words(inbox: Path) -> None:
    put(inbox / "top.jpg")
    put(inbox / "scream/notes.txt")
    put(inbox / "unknown/a.jpg")
    move = f"1 photo waits there; move it: mv {inbox}/unknown/* {inbox}/starry/"
    why = f"left alone: config.yaml has no style unknown; there are scream, starry. {move}"
    descriptions = {os.path.relpath(each.path, inbox): each.description for each in InboxScan(inbox, STYLES, "starry")}
    assert descriptions == {
        "top.jpg": "to be painted in the style starry",
        "scream/notes.txt": "left alone: another kind of file: its extension is no picture's",
        "unknown": why,
        "unknown/a.jpg": why,
    }
