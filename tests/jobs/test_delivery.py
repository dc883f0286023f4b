"""Where a job's files end up, under which names, and what a failing disk leaves."""

import errno
import os
from pathlib import Path

import pytest

from daemon.jobs.claims import JobStore
from daemon.jobs.record import Job
from tests.support.jobs import REASON, deliver, inbox_photo, paint, take, tree


def test_a_delivered_photo_leaves_its_painting_and_its_original_and_nothing_else(
    jobs: JobStore, tmp_path: Path
) -> None:
    path = deliver(jobs, take(jobs, inbox_photo(tmp_path, folder="holiday")))
    assert path == tmp_path / "outbox/alpha/holiday/photo.jpg"
    assert tree(tmp_path) == {"outbox/alpha/holiday/photo.jpg": "painting", "done/alpha/holiday/photo.jpg": "photo"}
    assert not [each for each in jobs.folders.work.iterdir() if each.is_dir()]


def test_with_originals_delete_only_the_painting_is_left(jobs: JobStore, tmp_path: Path) -> None:
    deliver(jobs, take(jobs, inbox_photo(tmp_path, sidecar=b"size: 64")), delete_original=True)
    assert tree(tmp_path) == {"outbox/alpha/photo.jpg": "painting"}


def test_a_failed_photo_is_untouched_and_says_why(jobs: JobStore, tmp_path: Path) -> None:
    jobs.delivery.fail(take(jobs, inbox_photo(tmp_path, sidecar=b"size: 64")), REASON)
    found = tree(tmp_path)
    assert found.pop("failed/alpha/photo.jpg.txt") == (
        "photo.jpg was not painted.\n\nIt is blurred.\nHold still.\n\n"
        "To try again: styled retry NAME, or move the picture back to inbox/alpha/.\n"
    )
    assert found == {"failed/alpha/photo.jpg": "photo", "failed/alpha/photo.jpg.yaml": "size: 64"}


def test_the_companions_travel_with_their_photo(jobs: JobStore, tmp_path: Path) -> None:
    job = take(jobs, inbox_photo(tmp_path, sidecar=b"size: 64", mask=b"mask"))
    assert not (tmp_path / "inbox/alpha/photo.jpg.yaml").exists()
    deliver(jobs, job)
    archived = {f"done/alpha/photo.jpg{ending}" for ending in ("", ".yaml", ".mask.png")}
    assert set(tree(tmp_path)) == {"outbox/alpha/photo.jpg", *archived}


@pytest.mark.parametrize("taken", ["outbox", "failed", "done"])
def test_a_name_that_is_taken_anywhere_gives_one_suffix_everywhere(jobs: JobStore, tmp_path: Path, taken: str) -> None:
    (tmp_path / taken / "alpha").mkdir()
    (tmp_path / taken / "alpha/photo.jpg").write_text("older")
    deliver(jobs, take(jobs, inbox_photo(tmp_path, mask=b"mask")))
    found = tree(tmp_path)
    assert found.pop(f"{taken}/alpha/photo.jpg") == "older"
    assert set(found) == {
        "outbox/alpha/photo-2.jpg",
        "done/alpha/photo-2.jpg",
        "done/alpha/photo-2.jpg.mask.png",
    }


def test_a_painting_of_another_format_keeps_the_stem(jobs: JobStore, tmp_path: Path) -> None:
    deliver(jobs, take(jobs, inbox_photo(tmp_path, "IMG_1.HEIC")), ".png")
    assert set(tree(tmp_path)) == {"outbox/alpha/IMG_1.png", "done/alpha/IMG_1.HEIC"}


def test_the_longest_names_fit_everywhere(jobs: JobStore, tmp_path: Path) -> None:
    name = "é" * 125 + "x.jpg"
    assert len(os.fsencode(name)) == 255
    jobs.delivery.fail(take(jobs, inbox_photo(tmp_path, name)), REASON)
    deliver(jobs, take(jobs, inbox_photo(tmp_path, name)), ".jpeg")
    found = list(tree(tmp_path).values())
    assert (len(found), found.count("photo"), found.count("painting")) == (4, 2, 1)


def test_a_disk_that_fails_after_the_delivery_does_not_have_the_photo_painted_again(
    jobs: JobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = take(jobs, inbox_photo(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr("daemon.jobs.delivery.move_or_rename", _no_space)
        with pytest.raises(OSError, match="No space left"):
            deliver(jobs, job)
        jobs.abandon(job)
        assert jobs.tend() == 1, "the job stays in work/ as long as the disk takes nothing"
    assert jobs.tend() == 0
    assert tree(tmp_path) == {"outbox/alpha/photo.jpg": "painting", "done/alpha/photo.jpg": "photo"}


@pytest.mark.parametrize("obstacle", ["", "outside", "nowhere"])
def test_a_painting_whose_way_is_blocked_waits_in_work_and_is_not_painted_again(
    jobs: JobStore, tmp_path: Path, obstacle: str
) -> None:
    """Another user puts something where the painting's folder would be."""
    outside, blocked = tmp_path / "outside", tmp_path / "outbox/alpha"
    outside.mkdir()
    if obstacle:
        blocked.symlink_to(tmp_path / obstacle)
    else:
        blocked.write_text("a file")
    job = take(jobs, inbox_photo(tmp_path))
    with pytest.raises(NotADirectoryError, match="outbox/alpha"):
        deliver(jobs, job)
    jobs.abandon(job)
    assert jobs.tend() == 1
    assert not os.listdir(outside)
    blocked.unlink()
    assert jobs.tend() == 0
    assert tree(tmp_path) == {"outbox/alpha/photo.jpg": "painting", "done/alpha/photo.jpg": "photo"}


@pytest.mark.parametrize("top", ["done", "failed"])
def test_no_original_and_no_reason_leaves_through_a_link(jobs: JobStore, tmp_path: Path, top: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / top / "alpha").symlink_to(outside)
    job = take(jobs, inbox_photo(tmp_path))
    with pytest.raises(NotADirectoryError, match=f"{top}/alpha"):
        deliver(jobs, job) if top == "done" else jobs.delivery.fail(job, REASON)
    assert not os.listdir(outside)


def test_a_reason_overwrites_no_file_that_took_its_name_meanwhile(
    jobs: JobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, decided = take(jobs, inbox_photo(tmp_path)), jobs.records.write

    def late(job: Job) -> None:
        decided(job)
        (tmp_path / "failed/alpha").mkdir(exist_ok=True)
        (tmp_path / "failed/alpha/photo.jpg.txt").write_text("a user's")

    monkeypatch.setattr(jobs.records, "write", late)
    assert jobs.delivery.fail(job, REASON).name == "photo-2.jpg"
    found = tree(tmp_path)
    assert found["failed/alpha/photo.jpg.txt"] == "a user's"
    assert set(found) == {f"failed/alpha/photo{end}" for end in (".jpg.txt", "-2.jpg", "-2.jpg.txt")}


def test_a_power_loss_between_the_names_of_a_painting_gives_it_no_second_name(jobs: JobStore, tmp_path: Path) -> None:
    """The outbox has the name, and work/ has kept it, too."""
    job = take(jobs, inbox_photo(tmp_path))
    made, real = paint(jobs, job), jobs.delivery._archive
    jobs.delivery._archive = _no_space  # type: ignore[assignment, method-assign]
    with pytest.raises(OSError, match="No space"):
        jobs.delivery.deliver(job, ".jpg", delete_original=False)
    os.link(tmp_path / "outbox/alpha/photo.jpg", made)
    jobs.delivery._archive = real  # type: ignore[method-assign]
    JobStore(jobs.folders).recover()
    assert tree(tmp_path) == {"outbox/alpha/photo.jpg": "painting", "done/alpha/photo.jpg": "photo"}


def _no_space(*arguments: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
