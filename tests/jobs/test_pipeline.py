"""One picture's pipeline, with real readers and with painters of the test's own, in real processes."""

import dataclasses
import io
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from daemon.config.models import Config
from daemon.errors import DegeneratePainting, RetryLater, ServicePaused, WorkerDied
from daemon.events import Event
from daemon.inbox.photo import InboxPhoto
from daemon.jobs.claims import JobStore
from daemon.jobs.pipeline import Pipeline
from daemon.jobs.record import Job
from daemon.processes.child import Child
from daemon.processes.painters import Painters
from daemon.processes.pool import Member, Pool
from daemon.processes.readers import Readers
from daemon.processes.shared_array import SharedArray
from daemon.processes.style_cache import LoadedStyle
from daemon.status import Status
from daemon.storage.files import Handle
from daemon.storage.layout import Folders
from tests.support.jobs import inbox_photo
from tests.support.painters import InvertingPainter
from tests.support.samples import jpeg


class NotingPainter(InvertingPainter):
    """Notes in a file which style pictures it gets."""

    def __init__(self, notes: str) -> None:
        self.notes = Path(notes)

    def before(self, content: SharedArray, style: tuple[tuple[SharedArray, float], ...]) -> None:
        with self.notes.open("a") as file:
            file.write("".join(f"{picture.array().mean():.3f} x {weight:g}\n" for picture, weight in style))


class DeadlyPainter(NotingPainter):
    """Dies on every photo, as under a driver that breaks down."""

    def before(self, content: SharedArray, style: tuple[tuple[SharedArray, float], ...]) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class DegeneratePainter(NotingPainter):
    """No output of this painter is a usable painting."""

    def before(self, content: SharedArray, style: tuple[tuple[SharedArray, float], ...]) -> None:
        raise DegeneratePainting("Its painting came out in one colour.", "Try another style.")


class Processes(NamedTuple):
    """A reader and a painter, and the file in which the painter notes what it gets."""

    readers: Readers
    painter: Pool[Member]
    notes: Path


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    notes = tmp_path_factory.mktemp("painter") / "notes"
    found = Processes(Readers(1), Pool([Child("painter", NotingPainter, str(notes))]), notes)
    yield found
    for child in (*found.painter.children, *found.readers.pool.children):
        child.close()


@pytest.fixture
def notes(processes: Processes) -> Path:
    processes.notes.unlink(missing_ok=True)
    return processes.notes


@pytest.fixture
def pipeline(root: Path, config: Config, processes: Processes) -> Pipeline:
    painters = Painters([], "embedded")
    painters.pool = processes.painter
    return Pipeline(JobStore(Folders(root)), processes.readers, painters, Status())


def png_photo(root: Path, name: str = "photo.png", content: bytes = b"", **beside: bytes) -> InboxPhoto:
    return inbox_photo(root, name, content or jpeg(kind="PNG"), folder="", **beside)


def test_a_print_size_in_a_sidecar_makes_a_painting_for_that_paper(
    root: Path, config: Config, pipeline: Pipeline
) -> None:
    pipeline.run(png_photo(root, sidecar=b"size: 3x1in@30dpi"), config)
    with Image.open(root / "outbox/alpha/photo.png") as painting:
        assert painting.size == (40, 30), "the photo is 4 : 3, the paper 90 x 30 px"
        assert painting.info["dpi"] == pytest.approx((30, 30), abs=0.1)


def test_a_picture_goes_the_whole_way(root: Path, config: Config, pipeline: Pipeline) -> None:
    pipeline.run(png_photo(root), config)
    with Image.open(root / "outbox/alpha/photo.png") as painting, Image.open(root / "done/alpha/photo.png") as photo:
        painted, original = np.asarray(painting), np.asarray(photo.resize(painting.size, Image.Resampling.LANCZOS))
    assert np.abs(painted.astype(int) - (255 - original.astype(int))).mean() < 3
    assert (pipeline.status.delivered, pipeline.status.failed, pipeline.status.steps) == (1, 0, 1)
    assert not pipeline.status.tasks()


def test_a_note_on_a_picture_names_the_picture(
    root: Path, config: Config, pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    frames, data = [Image.new("RGB", (40, 30), colour) for colour in ("red", "blue")], io.BytesIO()
    frames[0].save(data, "PNG", save_all=True, append_images=frames[1:])
    with caplog.at_level(logging.WARNING, "styled"):
        pipeline.run(png_photo(root, "party.png", data.getvalue()), config)
    assert "alpha/party.png: it is an animation; its first picture is painted" in caplog.messages


def test_a_changed_style_picture_is_used_from_the_next_photo_on(
    root: Path, config: Config, pipeline: Pipeline, notes: Path
) -> None:
    pipeline.run(png_photo(root, "a.png"), config)
    pipeline.run(png_photo(root, "b.png"), config)
    Image.new("RGB", (60, 60), "white").save(root / "alpha.png")
    pipeline.run(png_photo(root, "c.png"), config)
    first, second, third = notes.read_text().splitlines()
    assert first == second
    assert third == "1.000 x 1"


@pytest.mark.slow
def test_a_picture_that_ends_its_painter_three_times_is_set_aside(
    root: Path, config: Config, pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline.painters.pool = Pool([Child("painter", DeadlyPainter, str(root / "notes"))])
    photo = png_photo(root)
    for tries in range(3):
        assert Path(photo.path).exists(), f"it goes back after {tries} deaths"
        pipeline.run(photo, config)
    reason = (root / "failed/alpha/photo.png.txt").read_text()
    assert "broke down on it 3 times: the painter was ended by SIGKILL" in reason
    assert [getattr(record, "event", "") for record in caplog.records] == [Event.RETRY] * 3 + [Event.FAILED]
    assert pipeline.status.failed == 1


def test_a_photo_whose_painting_is_degenerate_twice_is_set_aside_with_its_reason(
    root: Path, config: Config, pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline.painters.pool = Pool([Child("painter", DegeneratePainter, str(root / "notes"))])
    pipeline.run(png_photo(root), config)
    reason = (root / "failed/alpha/photo.png.txt").read_text()
    assert "in one colour. A second try with safe settings did no better." in reason
    assert [getattr(record, "event", "") for record in caplog.records] == [Event.SECOND_TRY, Event.FAILED]
    assert not (root / "outbox/alpha/photo.png").exists()
    pipeline.painters.pool.children[0].close()


def test_a_missing_style_picture_fails_no_photo(root: Path, config: Config, pipeline: Pipeline) -> None:
    (root / "alpha.png").unlink()
    with pytest.raises(RetryLater, match=r"the style picture .*alpha\.png cannot be read"):
        pipeline.run(png_photo(root), config)
    assert (root / "inbox/alpha/photo.png").exists()
    assert not (root / "failed/alpha").exists()


@pytest.mark.parametrize(("content", "reason"), [(b"a shopping list", "not a picture"), (jpeg()[:600], "breaks off")])
def test_a_bad_picture_fails_with_its_reason(
    root: Path, config: Config, pipeline: Pipeline, content: bytes, reason: str
) -> None:
    pipeline.run(png_photo(root, "bad.jpg", content), config)
    assert reason in (root / "failed/alpha/bad.jpg.txt").read_text()
    assert (root / "failed/alpha/bad.jpg").read_bytes() == content


def test_a_mask_paints_where_it_is_white_and_keeps_the_photo_where_it_is_black(
    root: Path, config: Config, pipeline: Pipeline
) -> None:
    halves = io.BytesIO()
    Image.fromarray(np.repeat(np.array([[0, 255]], np.uint8), 2, 0).repeat(60, 1).repeat(40, 0)).save(halves, "PNG")
    pipeline.run(png_photo(root, mask=halves.getvalue()), config)
    with Image.open(root / "outbox/alpha/photo.png") as painting, Image.open(root / "done/alpha/photo.png") as photo:
        result = np.asarray(painting, int)
        original = np.asarray(photo.resize(painting.size, Image.Resampling.LANCZOS), int)
    assert np.abs(result[:, :20] - original[:, :20]).mean() < 2
    assert np.abs(result[:, -20:] - (255 - original[:, -20:])).mean() < 2
    assert (root / "done/alpha/photo.png.mask.png").exists()


def test_a_mask_that_is_no_picture_fails_its_photo(root: Path, config: Config, pipeline: Pipeline) -> None:
    pipeline.run(png_photo(root, mask=b"this is no mask"), config)
    assert "Its mask cannot be used" in (root / "failed/alpha/photo.png.txt").read_text()


def test_an_empty_file_fails_with_its_reason(root: Path, config: Config, pipeline: Pipeline) -> None:
    pipeline.run(inbox_photo(root, "empty.jpg", b""), config)
    assert "The file is empty." in (root / "failed/alpha/empty.jpg.txt").read_text()


def test_a_photo_that_grows_while_it_is_painted_goes_back(
    root: Path, config: Config, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = png_photo(root)
    writer = open(photo.path, "ab")  # noqa: SIM115 (the writer outlives the claim)
    open_temporary = pipeline.delivery.open_temporary

    def late_writer(job: Job) -> Handle:
        writer.write(b"more")
        writer.close()
        return open_temporary(job)

    monkeypatch.setattr(pipeline.delivery, "open_temporary", late_writer)
    pipeline.run(photo, config)
    assert (root / "inbox/alpha/photo.png").read_bytes().endswith(b"more")
    assert not list((root / "outbox").rglob("*.png"))


def test_a_sidecar_that_comes_before_the_painting_begins_counts(
    root: Path, config: Config, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, load = png_photo(root), pipeline.styles.load
    sidecar = root / "inbox/alpha/photo.png.yaml"

    def late(*arguments: Any) -> LoadedStyle:
        sidecar.write_text("size: 32")
        return load(*arguments)

    monkeypatch.setattr(pipeline.styles, "load", late)
    pipeline.run(photo, config)
    assert not list((root / "outbox").rglob("*.png")), "it went back and waits, with its sidecar"
    monkeypatch.undo()
    names = (f"{photo.name}.yaml",)
    pipeline.run(dataclasses.replace(photo, companions=names, spelled=names), config)
    with Image.open(root / "outbox/alpha/photo.png") as painting:
        assert max(painting.size) == 32


@pytest.mark.parametrize("wish", ["{size: 1024, style_scale: 20}", "{size: 9000}"])
def test_settings_that_ask_for_more_than_max_megapixels_fail_their_photo(
    root: Path, config: Config, pipeline: Pipeline, wish: str
) -> None:
    """The limit holds for what is enlarged, too: the photo and the style's picture."""
    small = config.model_copy(update={"max_megapixels": 20.0})
    pipeline.run(png_photo(root, sidecar=wish.encode()), small)
    assert "megapixels with a long side of" in (root / "failed/alpha/photo.png.txt").read_text()
    assert not list((root / "inbox/alpha").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("step", ["read", "store"])
def test_a_reader_that_dies_once_is_not_the_pictures_fault(
    root: Path, config: Config, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    real, deaths = getattr(pipeline.readers, step), iter([True])

    def mortal(*arguments: object, **keywords: object) -> object:
        if next(deaths, False):
            raise WorkerDied("the reader was ended by SIGKILL")
        return real(*arguments, **keywords)

    monkeypatch.setattr(pipeline.readers, step, mortal)
    photo = png_photo(root)
    pipeline.run(photo, config)
    assert not pipeline.status.failed
    pipeline.run(photo, config)
    assert (root / "outbox/alpha/photo.png").exists()
    assert pipeline.status.failed == 0


def test_a_bug_ends_one_job_and_a_bug_on_every_photo_pauses_the_service(
    root: Path, config: Config, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def buggy(*arguments: object) -> None:
        raise KeyError("nobody foresaw this")

    monkeypatch.setattr(pipeline, "read", buggy)
    for name in ("a.png", "b.png"):
        pipeline.run(png_photo(root, name, jpeg(seed=len(name), kind="PNG") + name.encode()), config)
        assert "styled itself broke down on it: KeyError" in (root / f"failed/alpha/{name}.txt").read_text()
    with pytest.raises(ServicePaused, match="as on the photos before"):
        pipeline.run(png_photo(root, "c.png"), config)
    assert (root / "inbox/alpha/c.png").exists(), "no photo is to blame"
    assert Event.JOB_BROKE in {vars(record).get("event") for record in caplog.records}
    monkeypatch.undo()
    pipeline.run(png_photo(root, "c.png"), config)
    assert (root / "outbox/alpha/c.png").exists()


def test_a_bug_after_the_delivery_was_decided_loses_nothing(
    root: Path, config: Config, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver = pipeline.delivery.deliver

    def buggy(*arguments: object, **settings: object) -> Path:
        deliver(*arguments, **settings)  # type: ignore[arg-type]
        raise KeyError("nobody foresaw this")

    monkeypatch.setattr(pipeline.delivery, "deliver", buggy)
    with pytest.raises(KeyError):
        pipeline.run(png_photo(root), config)
    assert (root / "outbox/alpha/photo.png").exists()
    assert (root / "done/alpha/photo.png").exists()
    assert not (root / "failed/alpha").exists()
