"""Watches die quietly; the doorbell must notice. Folders are real, the watch and the clock are the test's."""

import errno
import logging
import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from daemon.inbox import watch
from daemon.inbox.watch import CHECK_SECONDS, RETRY_SECONDS, FolderWatch


@dataclass
class Hook:
    """Where watches are hung: counts them, and fails as told."""

    now: float = 1000.0
    fails: OSError | RuntimeError | None = None
    hung: list["Watch"] = field(default_factory=list)

    def hang(self) -> "Watch":
        if self.fails is not None:
            raise self.fails
        self.hung.append(Watch())
        return self.hung[-1]


@dataclass
class Watch:
    alive: bool = True
    stopped: bool = False

    def is_alive(self) -> bool:
        return self.alive

    def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def hook() -> Hook:
    return Hook()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


@pytest.fixture
def bell(folder: Path, hook: Hook) -> FolderWatch:
    return FolderWatch(str(folder), hook.hang, lambda: hook.now)


def listing(bell: FolderWatch, *fresh: str) -> None:
    bell.tend()
    bell.compare(fresh)


def test_it_is_hung_once_and_left_alone_while_it_works(bell: FolderWatch, hook: Hook) -> None:
    for _ in range(3):
        listing(bell)
    assert len(hook.hung) == 1
    assert (bell.how, bell.is_armed, bell.is_trusted(), bell.is_sound()) == ("watching", True, True, True)


def test_a_dead_watch_is_noticed_between_listings_and_hung_anew(
    bell: FolderWatch, hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    listing(bell)
    hook.hung[0].alive = False
    assert not bell.is_sound()
    listing(bell)
    assert hook.hung[0].stopped
    assert len(hook.hung) == 2
    assert bell.is_sound()
    assert "watching anew" in caplog.text


@pytest.mark.parametrize("how", ["deleted", "renamed away"])
def test_a_folder_made_again_under_the_same_name_is_watched_anew(
    how: str, bell: FolderWatch, hook: Hook, folder: Path
) -> None:
    listing(bell)
    if how == "deleted":
        folder.rmdir()
        hook.hung[0].alive = False  # as watchdog's emitter is, then; the new folder may get the old one's inode
    else:
        folder.rename(f"{folder}-old")
    assert not bell.is_sound()
    folder.mkdir()
    assert not bell.is_sound()
    listing(bell)
    assert len(hook.hung) == 2
    assert bell.is_sound()


def test_without_a_folder_there_is_no_watch_until_it_is_back(bell: FolderWatch, hook: Hook, folder: Path) -> None:
    listing(bell)
    folder.rmdir()
    listing(bell)
    assert not bell.is_armed
    assert hook.hung[0].stopped
    folder.mkdir()
    listing(bell)
    assert bell.is_armed


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "inotify watch limit reached"), "fs.inotify.max_user_watches"),
        (OSError(errno.EMFILE, "inotify instance limit reached"), "fs.inotify.max_user_instances"),
        (RuntimeError("can't start new thread"), "can't start new thread"),
    ],
)
def test_without_a_watch_the_folder_is_polled_with_one_line_that_says_what_to_raise(
    error: OSError | RuntimeError, words: str, bell: FolderWatch, hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    hook.fails = error
    for _ in range(3):
        listing(bell)
        hook.now += RETRY_SECONDS + 1
    assert caplog.text.count(words) == 1
    assert bell.how.startswith("polling: ")
    assert not bell.is_trusted()
    assert bell.is_sound(), "nothing to mend between listings"


def test_a_watch_that_could_not_be_had_is_asked_for_again_after_a_while(bell: FolderWatch, hook: Hook) -> None:
    hook.fails = OSError(errno.ENOSPC, "inotify watch limit reached")
    listing(bell)
    hook.fails = None
    listing(bell)
    assert not bell.is_armed
    hook.now += RETRY_SECONDS
    listing(bell)
    assert bell.how == "watching"


def test_filesystems_without_events_are_polled_without_being_told(
    bell: FolderWatch, hook: Hook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(watch, "without_events", lambda folder: "nfs4")
    for _ in range(3):
        listing(bell)
    assert not hook.hung
    assert bell.how == "polling: changes on nfs4 are not announced"
    assert len(caplog.records) == 1


def test_a_photo_that_nobody_announced_makes_it_mistrusted_for_a_while_and_hung_anew(
    bell: FolderWatch, hook: Hook, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    listing(bell, f"{folder}/backlog.jpg")  # what waited before is no fault of the bell
    listing(bell, f"{folder}/starry/a.jpg")
    assert bell.is_sound(), "the event may still be on its way"
    hook.now += CHECK_SECONDS
    assert not bell.is_sound()
    listing(bell)
    assert len(hook.hung) == 2
    assert not bell.is_trusted()
    assert "max_user_watches" in caplog.text
    hook.now += RETRY_SECONDS
    assert bell.is_trusted()


@pytest.mark.parametrize("when", ["before the listing", "during it", "late"])
@pytest.mark.parametrize("where", ["starry/holiday", "starry", ""])
def test_a_photo_whose_folder_or_one_above_it_rang_is_announced(
    when: str, where: str, bell: FolderWatch, hook: Hook, folder: Path
) -> None:
    listing(bell)
    rang = os.path.join(folder, where).rstrip("/")
    if when == "before the listing":
        bell.heard(rang)
    bell.tend()
    if when == "during it":
        bell.heard(rang)
    bell.compare([f"{folder}/starry/holiday/a.jpg"])
    hook.now += CHECK_SECONDS
    if when == "late":
        bell.heard(rang)
    assert bell.is_sound()


def test_a_ring_from_another_folder_announces_nothing(bell: FolderWatch, hook: Hook, folder: Path) -> None:
    listing(bell)
    bell.heard(f"{folder}/starry")
    bell.heard(f"{folder}/scream-2")
    listing(bell, f"{folder}/scream/a.jpg")
    hook.now += CHECK_SECONDS
    assert not bell.is_sound()


def test_new_settings_may_find_what_never_rang(bell: FolderWatch, hook: Hook, folder: Path) -> None:
    listing(bell)
    bell.excuse()
    listing(bell, f"{folder}/new-style/a.jpg")
    hook.now += CHECK_SECONDS
    assert bell.is_sound()
