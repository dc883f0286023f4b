"""`styled why`: what became of a file."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from daemon.cli.retry import retry
from daemon.cli.why import why
from daemon.config.load import load
from daemon.errors import JobError
from daemon.storage.layout import Folders
from tests.support.samples import jpeg

NOT_RUNNING = {"state": "not running"}


@pytest.fixture
def folders(root: Path) -> Folders:
    folders = Folders(root)
    folders.prepare(["alpha", "beta"])
    return folders


def explained(file: str | Path, folders: Folders, status: dict[str, Any] = NOT_RUNNING) -> str:
    return "\n".join(why(str(file), load(folders.root / "config.yaml"), status))


def test_why_knows_what_lies_in_the_inbox(folders: Folders) -> None:
    photo = folders.inbox / "alpha/photo.jpg"
    photo.write_bytes(jpeg())
    (folders.inbox / "alpha/other.jpg.part").touch()
    (folders.inbox / "top.jpg").touch()
    status = {"state": "watching", "waiting": {"alpha": 7}, "next": ["/other.jpg", str(photo)], "growing": []}
    assert "no daemon runs" in explained(photo, folders)
    assert "number 2 of 7 that wait" in explained("alpha/photo.jpg", folders, status)
    assert "after the first 1 of 7" in explained("alpha/photo.jpg", folders, {**status, "next": ["/other.jpg"]})
    growing = [{"file": str(photo), "why": "it changed a moment ago", "seconds": 1.2}]
    assert "not complete yet: it changed a moment ago" in explained(photo, folders, {**status, "growing": growing})
    assert "left alone: temporary" in explained("alpha/other.jpg.part", folders)
    assert "the style alpha" in explained("top.jpg", folders)


def test_why_follows_a_picture_that_has_left_the_inbox(folders: Folders) -> None:
    for base, name in ((folders.failed, "bad.jpg"), (folders.outbox, "good.png"), (folders.done, "good.heic")):
        (base / "alpha").mkdir()
        (base / "alpha" / name).touch()
    (folders.failed / "alpha/bad.jpg.txt").write_text("bad.jpg was not painted.\n\nIt is blurred.\n")
    (folders.work / "1").mkdir()
    record = {"style": "alpha", "folder": "", "name": "now.jpg"}
    (folders.work / "1/job.json").write_text(json.dumps(record))
    from_the_root = ("inbox/alpha/bad.jpg", "failed/alpha/bad.jpg.txt")
    for asked in (
        *from_the_root,
        "alpha/bad.jpg",
        "bad.jpg",
        folders.inbox / "alpha/bad.jpg",
        folders.failed / "alpha/bad.jpg.txt",
    ):
        assert "It is blurred." in explained(asked, folders), asked
    delivered = explained(folders.inbox / "alpha/good.heic", folders)
    assert f"delivered: {folders.outbox}/alpha/good.png" in delivered
    assert f"its original: {folders.done}/alpha/good.heic" in delivered
    jobs = [{"file": "alpha/now.jpg", "stage": "painting"}]
    assert explained("now.jpg", folders, {"state": "watching", "jobs": jobs}) == "in work: painting"
    with pytest.raises(JobError, match="nothing is known"):
        explained("../../etc/passwd", folders)


def test_a_bare_name_is_found_in_every_style(folders: Folders) -> None:
    for style in ("alpha", "beta"):
        (folders.inbox / style / "twice.jpg").touch()
    said = explained("twice.jpg", folders)
    assert "the style alpha" in said
    assert "the style beta" in said


def test_retry_finds_a_bare_name_unless_it_failed_twice(folders: Folders) -> None:
    for style, name in (("alpha", "one.jpg"), ("beta", "two.jpg"), ("alpha", "two.jpg")):
        (folders.failed / style).mkdir(exist_ok=True)
        (folders.failed / style / name).touch()
        (folders.failed / style / f"{name}.txt").touch()
    assert retry(folders, "one.jpg") == folders.inbox / "alpha/one.jpg"
    with pytest.raises(JobError) as refusal:
        retry(folders, "two.jpg")
    assert refusal.value.reason == "There are alpha/two.jpg and beta/two.jpg in failed/."
    assert refusal.value.advice == "Say which: styled retry alpha/two.jpg"
    assert retry(folders, refusal.value.advice.split()[-1]) == folders.inbox / "alpha/two.jpg"
    assert retry(folders, "two.jpg.txt") == folders.inbox / "beta/two.jpg"


def test_a_name_is_found_however_its_accents_are_spelled_and_nothing_is_followed(folders: Folders) -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    (folders.failed / "alpha" / decomposed).mkdir(parents=True)
    (folders.failed / "alpha" / decomposed / f"{decomposed}.jpg").touch()
    os.mkfifo(folders.failed / "alpha" / decomposed / f"{decomposed}.jpg.txt")
    assert explained(f"alpha/{composed}/{composed}.jpg", folders).startswith("failed: ")
    assert retry(folders, f"alpha/{composed}/{composed}.jpg").name == f"{decomposed}.jpg"
    (folders.done / "alpha").symlink_to("/etc")
    with pytest.raises(JobError, match="nothing is known"):
        explained("alpha/hostname", folders)
