"""Films lie beside their paintings, and nothing is overwritten."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.service.films import forget_unfinished, put_beside
from daemon.storage.layout import Folders
from tests.support.daemon import Daemon
from tests.support.samples import CONFIG, jpeg


def test_a_film_gets_its_paintings_name_once(folders: Folders) -> None:
    painting = folders.outbox / "alpha/photo.jpg"
    assert put_beside(folders, "1", painting, b"film")
    assert (folders.outbox / "alpha/photo.film.webp").read_bytes() == b"film"
    assert not put_beside(folders, "2", painting, b"another")
    assert (folders.outbox / "alpha/photo.film.webp").read_bytes() == b"film"
    assert not list(folders.work.glob("film-*"))


def test_a_link_in_its_place_is_left_alone_and_followed_nowhere(folders: Folders, tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("mine")
    (folders.outbox / "alpha/photo.film.webp").symlink_to(tmp_path / "theirs")
    assert not put_beside(folders, "1", folders.outbox / "alpha/photo.jpg", b"film")
    assert (tmp_path / "theirs").read_text() == "mine"


def test_a_painting_that_was_taken_away_with_its_folder_has_no_film(folders: Folders) -> None:
    with pytest.raises(OSError, match="gone"):
        put_beside(folders, "1", folders.outbox / "gone/photo.jpg", b"film")
    assert not list(folders.work.glob("film-*"))


def test_what_a_crash_left_in_work_goes(folders: Folders) -> None:
    (folders.work / "film-1.film.webp").touch()
    (folders.work / "journal").touch()
    forget_unfinished(folders)
    assert sorted(os.listdir(folders.work)) == ["journal", "version"]


def test_the_daemon_makes_films_if_told_and_the_gallery_knows(root: Path, start: Callable[..., Daemon]) -> None:
    (root / "config.yaml").write_text(CONFIG + "output: {film: yes}\n")
    (root / "inbox/alpha").mkdir(parents=True)
    (root / "inbox/alpha/photo.jpg").write_bytes(jpeg())
    assert start("--once").process.wait(60) == 0
    assert (root / "outbox/alpha/photo.film.webp").read_bytes()[:4] == b"RIFF"
    found = re.search(r'id="data">(.*?)</script>', (root / "outbox/index.html").read_text())
    assert found is not None
    (row,) = json.loads(found[1])["rows"]
    assert row[-2] == 1, "the page has a button for it"
