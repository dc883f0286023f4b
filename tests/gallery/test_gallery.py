"""outbox/index.html follows the paintings: what is delivered appears, what is taken away goes, whatever lies there."""

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from daemon.gallery.board import Board
from daemon.gallery.files import HEAD, MARK, PAGES, stamp
from daemon.gallery.gallery import Gallery
from daemon.gallery.page import render
from daemon.pictures.thumbnails import sketch
from daemon.pictures.writing import write
from daemon.processes.readers import Readers
from daemon.storage.layout import Folders
from tests.support.daemon import Daemon, wait_until
from tests.support.records import a_record
from tests.support.samples import CONFIG, jpeg


def data(page: Path) -> dict[str, Any]:
    """The page's own data."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text(), re.DOTALL)
    assert found is not None
    read: dict[str, Any] = json.loads(found[1])
    return read


def rows(page: Path) -> list[list[Any]]:
    listed: list[list[Any]] = data(page)["rows"]
    return listed


def names(page: Path) -> list[str]:
    return [row[1] for row in rows(page)] if page.exists() else []


@pytest.fixture(scope="module")
def readers() -> Iterator[Readers]:
    readers = Readers(1)
    yield readers
    for child in readers.pool.children:
        child.close()


@pytest.fixture
def begin(folders: Folders, readers: Readers) -> Iterator[Callable[[], Gallery]]:
    started: list[Gallery] = []

    def gallery() -> Gallery:
        started.append(Gallery(folders, readers))
        started[-1].start()
        return started[-1]

    yield gallery
    for each in started:
        each.close(30)


def painted(path: Path, source: str = "photo.png") -> None:
    pixels = np.full((30, 40, 3), 0.3, np.float32)
    with path.open("wb") as file:
        write(file, pixels, None, format="png", quality=90, record=a_record(source=source).to_json())


def test_a_delivery_appears_with_its_thumbnails_and_a_painting_taken_away_goes(
    folders: Folders, begin: Callable[[], Gallery], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.gallery.gallery.LOOK_SECONDS", 0.1)
    monkeypatch.setattr("daemon.gallery.gallery.REST_SECONDS", 0.05)
    gallery, path = begin(), folders.outbox / "alpha/photo.png"
    wait_until(gallery.files.page.exists)
    assert names(gallery.files.page) == []
    painted(path)
    pixels = np.full((30, 40, 3), 0.3, np.float32)
    gallery.add("job-1", path, a_record(), sketch(pixels, pixels))
    wait_until(lambda: names(gallery.files.page) == ["photo.png"])
    assert {each.name for each in gallery.files.folder.glob("*.webp")} == {"job-1.webp", "job-1-before.webp"}
    path.unlink()
    wait_until(lambda: names(gallery.files.page) == [])
    assert not list(gallery.files.folder.glob("*.webp"))


def test_the_page_says_what_waits_and_failed_and_shows_the_styles_pictures(
    folders: Folders, readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seconds in ("LOOK_SECONDS", "REST_SECONDS", "BOARD_SECONDS"):
        monkeypatch.setattr(f"daemon.gallery.gallery.{seconds}", 0.05)
    picture = folders.root / "night.png"
    picture.write_bytes(jpeg(60, 40, kind="PNG"))
    now = Board(
        title="Kamo", styles={"alpha": (picture, folders.root / "gone.png")}, working=("alpha/a.jpg",), waiting=3
    )
    gallery = Gallery(folders, readers, lambda: now)
    (folders.failed / "alpha").mkdir()
    (folders.failed / "alpha/b.jpg").write_bytes(b"text")
    reason = "b.jpg was not painted.\n\nIt is <text>.\nSave it again.\n\nTo try again: styled retry.\n"
    (folders.failed / "alpha/b.jpg.txt").write_text(reason)
    (folders.failed / "alpha/notes.txt").write_text("mine")
    os.mkfifo(folders.failed / "alpha/c.jpg.txt")
    (folders.failed / "alpha/c.jpg").touch()
    painted(folders.outbox / "alpha/photo.png")
    gallery.start()
    wait_until(lambda: gallery.files.page.exists() and data(gallery.files.page)["pictures"] not in ([], [[]]))
    ((name,),) = data(gallery.files.page)["pictures"]
    assert (gallery.files.folder / f"{name}.webp").is_file()
    board = data(gallery.files.page)["board"]
    assert (board["title"], board["running"], board["working"], board["waiting"]) == ("Kamo", 1, ["alpha/a.jpg"], 3)
    assert [failure[:2] for failure in board["failures"]] == [["alpha/b.jpg", "It is <text>. Save it again."]]
    now = replace(now, waiting=2)
    wait_until(lambda: data(gallery.files.page)["board"]["waiting"] == 2)
    gallery.close(30)
    board = data(gallery.files.page)["board"]
    assert (board["running"], board["working"], board["waiting"]) == (0, [], 2)
    assert stamp(data(gallery.files.page)["at"]) == (gallery.files.folder / "now.svg").read_text()


def test_what_waits_alone_writes_a_page_of_many_paintings_rarely(
    folders: Folders, readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = Gallery(folders, readers)
    written: list[int] = []
    monkeypatch.setattr(gallery.files, "write_page", lambda text, at: written.append(at))
    gallery._known = {str(n): None for n in range(100_000)}  # type: ignore[misc]
    gallery._changed, gallery._board_changed, gallery._written = False, True, time.monotonic() - 60
    gallery._write()
    assert written == []
    gallery._known = {}
    gallery._write()
    assert len(written) == 1


def test_thumbnails_are_made_once_and_known_after_a_restart(folders: Folders, begin: Callable[[], Gallery]) -> None:
    path = folders.outbox / "alpha/photo.png"
    painted(path)
    gallery = begin()
    gallery.add("job-1", path, a_record(), sketch(np.zeros((3, 4, 3), np.float32), None))
    gallery.close(30)
    (thumbnail,) = gallery.files.folder.glob("*.webp")
    made = thumbnail.stat().st_mtime_ns
    again = begin()
    wait_until(lambda: again._known)
    again.close(30)
    assert names(again.files.page) == ["photo.png"]
    assert [each.stat().st_mtime_ns for each in gallery.files.folder.glob("*.webp")] == [made]


def test_what_the_page_does_not_know_is_read_from_the_paintings(
    folders: Folders, begin: Callable[[], Gallery], monkeypatch: pytest.MonkeyPatch
) -> None:
    """.gallery/ was taken away, or its list is nonsense; pictures of other origin stay off the page."""
    monkeypatch.setattr("daemon.gallery.gallery.REST_SECONDS", 0.05)
    (folders.outbox / "alpha/deep").mkdir()
    (folders.done / "alpha/deep").mkdir(parents=True)
    painted(folders.outbox / "alpha/deep/ours.png", "ours.jpg")
    (folders.done / "alpha/deep/ours.jpg").write_bytes(jpeg(80, 60))
    (folders.outbox / "alpha/foreign.png").write_bytes(jpeg(kind="PNG"))
    (folders.outbox / "alpha/broken.png").write_bytes(b"no picture")
    os.mkfifo(folders.outbox / "alpha/pipe.png")
    (folders.outbox / ".gallery").mkdir()
    nonsense = b'nonsense\n{"path": "a"}\n[]\n\xff\n' + b"[" * 100_000 + b'\n{"path": "a", "length": 1e999}\n'
    (folders.work / "gallery.jsonl").write_bytes(nonsense)
    (folders.outbox / ".gallery/orphan.webp").write_bytes(b"")
    os.utime(folders.outbox / ".gallery/orphan.webp", (0, 0))
    gallery = begin()
    wait_until(lambda: names(gallery.files.page) == [os.path.join("deep", "ours.png")])
    gallery.close(30)
    (only,) = rows(gallery.files.page)
    assert only[-1] == 1, "with its photo, which still lies in done/"
    assert len(list(gallery.files.folder.glob("*.webp"))) == 2


def test_a_disk_that_takes_no_page_ends_nothing(
    folders: Folders, begin: Callable[[], Gallery], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.gallery.gallery.LOOK_SECONDS", 0.05)
    monkeypatch.setattr("daemon.gallery.gallery.REST_SECONDS", 0.05)
    for page in PAGES:
        (folders.outbox / page).mkdir()
    gallery, path = begin(), folders.outbox / "alpha/photo.png"
    painted(path)
    gallery.add("job-1", path, a_record(), sketch(np.zeros((3, 4, 3), np.float32), None))
    wait_until(lambda: "cannot be written" in caplog.text)
    for page in PAGES:
        shutil.rmtree(folders.outbox / page)
    path.unlink()  # something to write about
    wait_until(gallery.files.page.is_file)


@pytest.mark.slow
def test_nothing_is_written_or_removed_through_what_lies_in_the_way(
    folders: Folders, begin: Callable[[], Gallery], tmp_path: Path
) -> None:
    """Another user plants links and FIFOs under the names that the gallery uses."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "holiday.webp").write_bytes(b"holiday")
    (folders.outbox / ".gallery").symlink_to(outside)
    (folders.outbox / ".index.html.tmp").symlink_to("../work/version")
    gallery, path = begin(), folders.outbox / "alpha/photo.png"
    painted(path)
    with pytest.raises(NotADirectoryError):
        gallery.add("job-1", path, a_record(), sketch(np.zeros((3, 4, 3), np.float32), None))
    wait_until(gallery.files.page.exists)
    gallery.close(30)
    assert [each.read_bytes() for each in outside.iterdir()] == [b"holiday"]
    assert folders.version.read_text() == "1\n"

    (folders.outbox / ".gallery").unlink()
    (folders.outbox / ".gallery").mkdir()
    (folders.outbox / ".gallery/job-2.webp").symlink_to(outside / "holiday.webp")
    os.mkfifo(folders.outbox / ".gallery/now.svg")
    again = begin()
    again.add("job-2", path, a_record(), sketch(np.zeros((3, 4, 3), np.float32), None))
    wait_until(lambda: "photo.png" in names(again.files.page))
    again.close(30)
    assert [each.read_bytes() for each in outside.iterdir()] == [b"holiday"]
    assert (folders.outbox / ".gallery/now.svg").is_file()


@pytest.mark.parametrize("kind", ["a page", "a link", "empty"])
def test_somebody_elses_page_stays_as_it_is(folders: Folders, begin: Callable[[], Gallery], kind: str) -> None:
    own, other = folders.outbox / "index.html", folders.outbox / "start.html"
    other.write_text("<h1>My own start page</h1>")
    if kind == "a link":
        own.symlink_to(other.name)
    else:
        own.write_text("" if kind == "empty" else other.read_text())
    before = own.read_bytes()
    gallery = begin()
    wait_until((folders.outbox / "gallery.html").exists)
    gallery.close(30)
    assert own.read_bytes() == before == b"" or own.read_bytes() == before == other.read_bytes()
    assert gallery.files.page.name == "gallery.html"


def test_a_page_of_ours_is_known_by_its_beginning() -> None:
    assert MARK in render([], 0.0).encode()[:HEAD]


def test_the_daemon_keeps_its_gallery_and_does_without_if_told(root: Path, start: Callable[..., Daemon]) -> None:
    (root / "inbox/alpha").mkdir(parents=True)
    (root / "inbox/alpha/<b>&.jpg").write_bytes(jpeg())
    assert start("--once").process.wait(60) == 0
    (row,) = rows(root / "outbox/index.html")
    assert (row[1], row[3], row[-1]) == ("<b>&.jpg", "alpha/%3Cb%3E%26.jpg", 1)
    assert len(row[12]) > 5, "the losses"
    counts = json.loads((root / "work/tally.json").read_text())
    assert (counts["delivered"], counts["delivered_today"], counts["failed"]) == (1, 1, 0)

    shutil.rmtree(root / "outbox")
    (root / "config.yaml").write_text(CONFIG + "gallery: no\nhooks: {on_failed: [touch, '{path}.seen']}\n")
    (root / "inbox/alpha/bad.jpg").write_text("no picture")
    (root / "inbox/alpha/good.jpg").write_bytes(jpeg())
    assert start("--once").process.wait(60) == 3
    assert sorted(path.name for path in (root / "outbox").iterdir()) == ["alpha"]
    assert json.loads((root / "work/tally.json").read_text())["delivered"] == 2
    assert (root / "failed/alpha/bad.jpg.seen").exists()
