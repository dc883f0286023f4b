"""One picture's life on disk, and the same again after a crash at any point."""

import errno
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.errors import JobError, SourceChanged
from daemon.inbox.scan import InboxPhoto, Signature
from daemon.jobs.claims import JobStore
from daemon.jobs.record import Job
from daemon.storage.layout import Folders

REASON = JobError("It is blurred.", "Hold still.")


@pytest.fixture
def claims(tmp_path: Path) -> JobStore:
    folders = Folders(tmp_path)
    folders.prepare(["starry"])
    return JobStore(folders)


def drop(
    claims: JobStore, name: str = "photo.jpg", folder: str = "", *, text: str = "photo", **beside: str
) -> InboxPhoto:
    """A photo in the inbox, with companions by their ending, as the inbox hands it out."""
    place = claims.folders.inbox / "starry" / folder
    place.mkdir(parents=True, exist_ok=True)
    path = place / name
    path.write_text(text)
    companions = []
    for key, content in beside.items():
        companions.append(name + {"sidecar": ".yaml", "mask": ".mask.png"}[key])
        (place / companions[-1]).write_text(content)
    signature = Signature.of(path.stat())
    return InboxPhoto("starry", folder, name, str(path), signature, tuple(companions))


def take(claims: JobStore, arrival: InboxPhoto) -> Job:
    claim = claims.take(arrival)
    assert claim is not None
    return claim


def easel(claims: JobStore, claim: Job, text: str = "painting") -> None:
    claims.easel(claim).write_text(text)


def tree(claims: JobStore) -> dict[str, str]:
    """Every file under the root with its content, but for the daemon's own in work/."""
    return {
        str(path.relative_to(claims.folders.root)): path.read_text()
        for path in sorted(claims.folders.root.rglob("*"))
        if path.is_file() and path not in (claims.folders.journal, claims.folders.version)
    }


def in_hand(claims: JobStore) -> list[Path]:
    return claims.records.directories()


def test_a_delivered_picture_leaves_its_painting_and_its_original_and_nothing_else(claims: JobStore) -> None:
    claim = take(claims, drop(claims, folder="holiday"))
    easel(claims, claim)
    path = claims.deliver(claim, ".jpg", delete_original=False)
    assert path == claims.folders.outbox / "starry/holiday/photo.jpg"
    assert tree(claims) == {"outbox/starry/holiday/photo.jpg": "painting", "done/starry/holiday/photo.jpg": "photo"}
    assert not in_hand(claims)


def test_with_originals_delete_only_the_painting_is_left(claims: JobStore) -> None:
    claim = take(claims, drop(claims, sidecar="size: 64"))
    easel(claims, claim)
    claims.deliver(claim, ".jpg", delete_original=True)
    assert tree(claims) == {"outbox/starry/photo.jpg": "painting"}


def test_a_failed_picture_is_untouched_and_says_why(claims: JobStore) -> None:
    claim = take(claims, drop(claims, sidecar="size: 64"))
    claims.fail(claim, REASON)
    found = tree(claims)
    assert found.pop("failed/starry/photo.jpg.txt") == (
        "photo.jpg was not painted.\n\nIt is blurred.\nHold still.\n\n"
        "To try again: styled retry, or move the picture back to inbox/starry/.\n"
    )
    assert found == {"failed/starry/photo.jpg": "photo", "failed/starry/photo.jpg.yaml": "size: 64"}


def test_a_picture_that_comes_back_from_failed_takes_its_old_reason_away(claims: JobStore) -> None:
    claims.fail(take(claims, drop(claims)), REASON)
    (claims.folders.failed / "starry/photo.jpg").unlink()
    claims.put_back(take(claims, drop(claims)))
    assert tree(claims) == {"inbox/starry/photo.jpg": "photo"}


def test_the_companions_travel_with_their_photo(claims: JobStore) -> None:
    claim = take(claims, drop(claims, sidecar="size: 64", mask="mask"))
    assert not (claims.folders.inbox / "starry/photo.jpg.yaml").exists()
    easel(claims, claim)
    claims.deliver(claim, ".jpg", delete_original=False)
    assert set(tree(claims)) == {
        "outbox/starry/photo.jpg",
        *(f"done/starry/photo.jpg{ending}" for ending in ("", ".yaml", ".mask.png")),
    }


@pytest.mark.parametrize("taken", ["outbox", "failed", "done"])
def test_a_name_that_is_taken_anywhere_gives_one_suffix_everywhere(claims: JobStore, taken: str) -> None:
    (claims.folders.root / taken / "starry").mkdir()
    (claims.folders.root / taken / "starry/photo.jpg").write_text("older")
    claim = take(claims, drop(claims, mask="mask"))
    easel(claims, claim)
    claims.deliver(claim, ".jpg", delete_original=False)
    found = tree(claims)
    assert found.pop(f"{taken}/starry/photo.jpg") == "older"
    assert set(found) == {
        "outbox/starry/photo-2.jpg",
        "done/starry/photo-2.jpg",
        "done/starry/photo-2.jpg.mask.png",
    }


def test_a_painting_of_another_format_keeps_the_stem(claims: JobStore) -> None:
    claim = take(claims, drop(claims, name="IMG_1.HEIC"))
    easel(claims, claim)
    claims.deliver(claim, ".png", delete_original=False)
    assert set(tree(claims)) == {"outbox/starry/IMG_1.png", "done/starry/IMG_1.HEIC"}


def test_the_longest_names_fit_everywhere(claims: JobStore) -> None:
    name = "é" * 125 + "x.jpg"
    assert len(os.fsencode(name)) == 255
    claims.fail(take(claims, drop(claims, name=name)), REASON)
    claim = take(claims, drop(claims, name=name))
    easel(claims, claim)
    claims.deliver(claim, ".jpeg", delete_original=False)
    found = list(tree(claims).values())
    assert (len(found), found.count("photo"), found.count("painting")) == (4, 2, 1)


def test_names_that_are_not_utf8_survive_the_record(claims: JobStore) -> None:
    name = os.fsdecode(b"\xff\xfe.jpg")
    take(claims, drop(claims, name=name))
    assert claims.recover() == (0, 1)
    assert (claims.folders.inbox / "starry" / name).read_text() == "photo"


def test_somebody_who_took_the_photo_first_is_no_error(claims: JobStore) -> None:
    arrival = drop(claims, sidecar="size: 64")
    Path(arrival.path).unlink()
    assert claims.take(arrival) is None
    assert tree(claims) == {"inbox/starry/photo.jpg.yaml": "size: 64"}


@pytest.mark.parametrize("change", ["appended", "replaced", "link", "fifo", "folder"])
def test_what_is_not_what_the_inbox_saw_is_never_read(claims: JobStore, change: str) -> None:
    arrival = drop(claims)
    path = Path(arrival.path)
    if change == "appended":
        path.write_text("photo and more")
    else:
        path.unlink()
        swaps: dict[str, Callable[[], object]] = {
            "replaced": lambda: path.write_text("other"),
            "link": lambda: path.symlink_to("/etc/passwd"),
            "fifo": lambda: os.mkfifo(path),
            "folder": path.mkdir,
        }
        swaps[change]()
    claim = take(claims, arrival)
    with pytest.raises(SourceChanged):
        claims.open(claim, arrival.signature)
    claims.put_back(claim)
    assert os.path.lexists(path)
    assert not in_hand(claims)


def test_a_writer_that_goes_on_after_the_claim_is_noticed_before_success(claims: JobStore) -> None:
    arrival = drop(claims)
    with Path(arrival.path).open("a") as writer:
        claim = take(claims, arrival)
        claims.open(claim, arrival.signature)
        claims.check_unchanged(claim, arrival.signature)
        writer.write(" and more")
    with pytest.raises(SourceChanged):
        claims.check_unchanged(claim, arrival.signature)


def test_a_name_that_was_taken_meanwhile_is_not_overwritten_by_putting_back(claims: JobStore) -> None:
    claim = take(claims, drop(claims, sidecar="old"))
    drop(claims, text="newer")
    claims.put_back(claim)
    assert tree(claims) == {
        "inbox/starry/photo.jpg": "newer",
        "inbox/starry/photo-2.jpg": "photo",
        "inbox/starry/photo-2.jpg.yaml": "old",
    }


def test_a_job_is_taken_back_by_one_thread_at_a_time(claims: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keeper tends what is stranded while the worker whose job it was is still at it."""
    claim, resolve = take(claims, drop(claims)), claims._resolve
    entered, go_on, times = threading.Event(), threading.Event(), []

    def slowly(claim: Job) -> bool:
        times.append(claim.id)
        entered.set()
        go_on.wait(60)
        return resolve(claim)

    monkeypatch.setattr(claims, "_resolve", slowly)
    worker = threading.Thread(target=claims.abandon, args=(claim,))
    keeper = threading.Thread(target=claims.tend)
    worker.start()
    assert entered.wait(60)
    keeper.start()
    keeper.join(0.2)
    go_on.set()
    for thread in (worker, keeper):
        thread.join(60)
    assert times == [claim.id]
    assert tree(claims) == {"inbox/starry/photo.jpg": "photo"}


def test_a_disk_that_fails_after_the_delivery_does_not_have_it_painted_again(
    claims: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = take(claims, drop(claims))
    easel(claims, claim)
    with monkeypatch.context() as patch:
        patch.setattr("daemon.jobs.claims.move_beside", _no_space)
        with pytest.raises(OSError, match="No space left"):
            claims.deliver(claim, ".jpg", delete_original=False)
        claims.abandon(claim)
        assert claims.tend() == 1, "it stays in work/ as long as it can go nowhere"
    assert claims.tend() == 0
    assert tree(claims) == {"outbox/starry/photo.jpg": "painting", "done/starry/photo.jpg": "photo"}


def _no_space(*arguments: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_what_is_not_ours_in_work_is_left_alone(claims: JobStore, caplog: pytest.LogCaptureFixture) -> None:
    for name, record in (("theirs", None), ("torn", '{"id": "torn"'), ("future", json.dumps({"id": "future"}))):
        (claims.folders.work / name).mkdir()
        (claims.folders.work / name / "photo.jpg").write_text("photo")
        if record:
            (claims.folders.work / name / "job.json").write_text(record)
    before = tree(claims)
    assert claims.recover() == (0, 0)
    assert tree(claims) == before
    assert len(caplog.records) == 3
