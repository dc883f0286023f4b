"""A photo is claimed out of the inbox and put back, while other programs touch it."""

import dataclasses
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.errors import JobError, PhotoLocked, SourceChanged
from daemon.inbox.photo import Signature
from daemon.jobs.claims import JobStore
from daemon.jobs.record import Job
from daemon.storage import folder as folder_module
from daemon.storage.folder import Folder
from tests.support.jobs import REASON, inbox_photo, take, tree


def test_a_picture_that_comes_back_from_failed_takes_its_old_reason_away(jobs: JobStore, tmp_path: Path) -> None:
    jobs.delivery.fail(take(jobs, inbox_photo(tmp_path)), REASON)
    (tmp_path / "failed/alpha/photo.jpg").unlink()
    jobs.put_back(take(jobs, inbox_photo(tmp_path)))
    assert tree(tmp_path) == {"inbox/alpha/photo.jpg": "photo"}


def test_somebody_who_took_the_photo_first_is_no_error(jobs: JobStore, tmp_path: Path) -> None:
    photo = inbox_photo(tmp_path, sidecar=b"size: 64")
    Path(photo.path).unlink()
    assert jobs.take(photo) is None
    assert tree(tmp_path) == {"inbox/alpha/photo.jpg.yaml": "size: 64"}


@pytest.mark.parametrize("change", ["appended", "replaced", "link", "fifo", "folder"])
def test_what_is_not_what_the_inbox_saw_is_never_read(jobs: JobStore, tmp_path: Path, change: str) -> None:
    photo = inbox_photo(tmp_path)
    path = Path(photo.path)
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
    job = take(jobs, photo)
    with pytest.raises(SourceChanged):
        jobs.open(job, photo.signature)
    jobs.put_back(job)
    assert os.path.lexists(path)
    assert not [each for each in jobs.folders.work.iterdir() if each.is_dir()]


@pytest.mark.parametrize("back", [False, True])
def test_a_folder_that_became_a_link_exposes_nothing(jobs: JobStore, tmp_path: Path, back: bool) -> None:
    """Between the look and the claim, or between the claim and the way back."""
    private, sub = tmp_path / "private", tmp_path / "inbox/alpha/sub"
    private.mkdir(mode=0o700)
    (private / "photo.jpg").write_text("secret")
    photo = inbox_photo(tmp_path, folder="sub")
    job = take(jobs, photo) if back else None
    sub.rename(tmp_path / "inbox/alpha/real")
    sub.symlink_to(private)
    if job is None:
        assert jobs.take(photo) is None
    else:
        with pytest.raises(NotADirectoryError, match="inbox/alpha/sub"):
            jobs.put_back(job)
    assert {path.name: path.read_text() for path in private.iterdir()} == {"photo.jpg": "secret"}


def test_a_file_larger_than_any_picture_is_not_read_to_its_end(jobs: JobStore, tmp_path: Path) -> None:
    path = Path(inbox_photo(tmp_path).path)
    os.truncate(path, 4 << 40)  # 4 TiB of nothing
    photo = dataclasses.replace(inbox_photo(tmp_path / "other"), path=str(path), signature=Signature.of(path.stat()))
    job = take(jobs, photo)
    with pytest.raises(JobError, match=r"4,398\.0 GB, more than a picture of 200 megapixels can have"):
        jobs.open(job, photo.signature, 200)


@pytest.mark.parametrize("name", ["photo.jpg", "photo.jpg.yaml"])
def test_a_file_that_may_not_be_moved_is_its_own_trouble(
    jobs: JobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """As in a sticky folder, or with a file made immutable."""
    photo, real = inbox_photo(tmp_path, sidecar=b"size: 64"), folder_module.rename_new

    def refuse(source: Folder, wanted: str, target: Folder, new: str) -> None:
        if wanted == name and source.path == tmp_path / "inbox/alpha":
            raise PermissionError(1, "Operation not permitted", str(source.path / wanted))
        real(source, wanted, target, new)

    monkeypatch.setattr(folder_module, "rename_new", refuse)
    with pytest.raises(PhotoLocked, match=f"no permission to move {name} out"):
        jobs.take(photo)
    assert tree(tmp_path) == {"inbox/alpha/photo.jpg": "photo", "inbox/alpha/photo.jpg.yaml": "size: 64"}


def test_a_sidecar_that_comes_after_the_claim_goes_back_with_its_photo(jobs: JobStore, tmp_path: Path) -> None:
    """Also a photo that was dropped right into inbox/, which goes back to the folder of its style."""
    photo = inbox_photo(tmp_path)
    top = Path(photo.path).rename(tmp_path / "inbox/photo.jpg")
    job = take(jobs, dataclasses.replace(photo, path=str(top)))
    jobs.check_companions(job, top.parent)
    (tmp_path / "inbox/photo.jpg.yaml").write_text("size: 64")
    (tmp_path / "inbox/photo.jpg.mask.png").mkdir()
    with pytest.raises(SourceChanged):
        jobs.check_companions(job, top.parent)
    jobs.put_back(job)
    assert tree(tmp_path) == {"inbox/alpha/photo.jpg": "photo", "inbox/alpha/photo.jpg.yaml": "size: 64"}
    again = take(jobs, inbox_photo(tmp_path))
    inbox_photo(tmp_path, content=b"another", sidecar=b"its own")
    jobs.check_companions(again, tmp_path / "inbox/alpha")


def test_a_sidecar_that_is_spelled_otherwise_gets_its_photos_spelling(jobs: JobStore, tmp_path: Path) -> None:
    composed, decomposed = "caf\u00e9.jpg", "cafe\u0301.jpg"
    photo = inbox_photo(tmp_path, composed)
    (tmp_path / f"inbox/alpha/{decomposed}.yaml").write_text("size: 64")
    photo = dataclasses.replace(photo, companions=(f"{composed}.yaml",), spelled=(f"{decomposed}.yaml",))
    job = take(jobs, photo)
    assert jobs.companion(job, ".yaml") is not None
    jobs.put_back(job)
    assert tree(tmp_path) == {f"inbox/alpha/{composed}": "photo", f"inbox/alpha/{composed}.yaml": "size: 64"}


def test_a_work_folder_that_is_gone_is_no_photo_that_is_gone(jobs: JobStore, tmp_path: Path) -> None:
    photo = inbox_photo(tmp_path)
    (tmp_path / "work").rename(tmp_path / "elsewhere")
    with pytest.raises(FileNotFoundError):
        jobs.take(photo)
    assert Path(photo.path).exists()


def test_a_writer_that_goes_on_after_the_claim_is_noticed_before_success(jobs: JobStore, tmp_path: Path) -> None:
    photo = inbox_photo(tmp_path)
    with Path(photo.path).open("a") as writer:
        job = take(jobs, photo)
        jobs.open(job, photo.signature)
        jobs.check_unchanged(job, photo.signature)
        writer.write(" and more")
    with pytest.raises(SourceChanged):
        jobs.check_unchanged(job, photo.signature)


def test_a_name_that_was_taken_meanwhile_is_not_overwritten_by_putting_back(jobs: JobStore, tmp_path: Path) -> None:
    job = take(jobs, inbox_photo(tmp_path, sidecar=b"old"))
    inbox_photo(tmp_path, content=b"newer")
    jobs.put_back(job)
    assert tree(tmp_path) == {
        "inbox/alpha/photo.jpg": "newer",
        "inbox/alpha/photo-2.jpg": "photo",
        "inbox/alpha/photo-2.jpg.yaml": "old",
    }


def test_a_job_is_taken_back_by_one_thread_at_a_time(
    jobs: JobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Housekeeping tends the stranded jobs while a job thread still abandons its job."""
    job, resolve = take(jobs, inbox_photo(tmp_path)), jobs._resolve
    entered, go_on, times = threading.Event(), threading.Event(), []

    def slowly(job: Job) -> bool:
        times.append(job.id)
        entered.set()
        go_on.wait(60)
        return resolve(job)

    monkeypatch.setattr(jobs, "_resolve", slowly)
    worker = threading.Thread(target=jobs.abandon, args=(job,))
    keeper = threading.Thread(target=jobs.tend)
    worker.start()
    assert entered.wait(60)
    keeper.start()
    keeper.join(0.2)
    go_on.set()
    for thread in (worker, keeper):
        thread.join(60)
    assert times == [job.id]
    assert tree(tmp_path) == {"inbox/alpha/photo.jpg": "photo"}


@pytest.mark.slow
def test_of_many_who_claim_the_same_photo_exactly_one_gets_it(jobs: JobStore, tmp_path: Path) -> None:
    """As two daemons would on a filesystem without locks; the rename alone decides."""
    for _ in range(20):
        go, pids = os.pipe(), []
        photo = inbox_photo(tmp_path)
        for _ in range(4):
            pid = os.fork()
            if pid == 0:
                os.close(go[1])
                os.read(go[0], 1)
                os._exit(0 if JobStore(jobs.folders).take(photo) else 1)
            pids.append(pid)
        os.close(go[1])
        os.close(go[0])
        won = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids].count(0)
        assert won == 1
        JobStore(jobs.folders).recover()
        assert [path.name for path in (tmp_path / "inbox/alpha").iterdir()] == ["photo.jpg"]
