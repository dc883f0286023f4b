"""One picture's journey, with real readers and with painters of the test's own, in real processes."""

import dataclasses
import io
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from daemon.config.load import load
from daemon.config.models import Config
from daemon.errors import DegeneratePainting, RetryLater, WorkerDied
from daemon.inbox.scan import InboxPhoto, Signature
from daemon.jobs.claims import JobStore
from daemon.jobs.pipeline import Pipeline
from daemon.jobs.record import Job
from daemon.processes.child import Child
from daemon.processes.painters import PainterInfo, Painters
from daemon.processes.pool import Pool
from daemon.processes.readers import Readers
from daemon.processes.shared_array import SharedArray
from daemon.status import Status
from daemon.storage.files import Handle
from daemon.storage.layout import Folders
from daemon.transfer.recipe import Recipe
from daemon.transfer.steps import Step
from tests.support.samples import jpeg


class Quick:
    """Paints at once: the photo, inverted; notes the style pictures it got in a file."""

    def __init__(self, notes: str) -> None:
        self.ready_info = PainterInfo("cpu", "a test", "embedded", "", "relu3_1")
        self.notes = Path(notes)

    def paint(
        self,
        content: SharedArray,
        style: tuple[tuple[SharedArray, float], ...],
        recipe: Recipe,
        threads: int | None,
        progress: Callable[..., None],
    ) -> SharedArray:
        progress(Step(1, 1, 0.5, 1, 1, 1.0))
        with self.notes.open("a") as file:
            file.write("".join(f"{picture.array().mean():.3f} x {weight:g}\n" for picture, weight in style))
        return SharedArray.of(1 - content.array())


class Deadly(Quick):
    """Dies on every picture, as a driver that breaks down would have it."""

    def paint(self, *arguments: object, **keywords: object) -> SharedArray:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


class Unable(Quick):
    """Paints nothing that is a painting."""

    def paint(self, *arguments: object, **keywords: object) -> SharedArray:
        raise DegeneratePainting("Its painting came out in one colour.", "Try another style.")


@pytest.fixture
def config(root: Path) -> Config:
    return load(root / "config.yaml")


@pytest.fixture
def journey(root: Path, config: Config) -> Iterator[Pipeline]:
    folders = Folders(root)
    folders.prepare(config.styles)
    painters = Painters([], "embedded")
    painters.pool = Pool([Child("painter", Quick, str(root / "notes"))])
    journey = Pipeline(JobStore(folders), Readers(1), painters, Status())
    yield journey
    for child in (*journey.painters.pool.children, *journey.readers.pool.children):
        child.close()


def drop(root: Path, name: str = "photo.png", content: bytes = b"") -> InboxPhoto:
    path = root / "inbox/alpha" / name
    path.write_bytes(content or jpeg(kind="PNG"))
    return InboxPhoto("alpha", "", name, str(path), Signature.of(path.stat()))


def test_a_picture_goes_the_whole_way(root: Path, config: Config, journey: Pipeline) -> None:
    journey.run(drop(root), config)
    with Image.open(root / "outbox/alpha/photo.png") as painting, Image.open(root / "done/alpha/photo.png") as photo:
        painted, original = np.asarray(painting), np.asarray(photo.resize(painting.size, Image.Resampling.LANCZOS))
    assert np.abs(painted.astype(int) - (255 - original.astype(int))).mean() < 3
    assert (journey.board.delivered, journey.board.failed, journey.board.steps) == (1, 0, 1)
    assert not journey.board.tasks()


def test_a_changed_style_picture_is_used_from_the_next_photo_on(root: Path, config: Config, journey: Pipeline) -> None:
    journey.run(drop(root, "a.png"), config)
    journey.run(drop(root, "b.png"), config)
    Image.new("RGB", (60, 60), "white").save(root / "alpha.png")
    journey.run(drop(root, "c.png"), config)
    first, second, third = (root / "notes").read_text().splitlines()
    assert first == second
    assert third == "1.000 x 1"


def test_a_picture_that_ends_its_painter_three_times_is_set_aside(
    root: Path, config: Config, journey: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    journey.painters.pool = Pool([Child("painter", Deadly, str(root / "notes"))])
    arrival = drop(root)
    for tries in range(3):
        assert Path(arrival.path).exists(), f"it goes back after {tries} deaths"
        journey.run(arrival, config)
    reason = (root / "failed/alpha/photo.png.txt").read_text()
    assert "broke down on it 3 times: the painter was ended by SIGKILL" in reason
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 3 + ["ERROR"]
    assert journey.board.failed == 1


def test_a_picture_that_comes_out_as_no_painting_twice_is_set_aside_with_its_reason(
    root: Path, config: Config, journey: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    journey.painters.pool = Pool([Child("painter", Unable, str(root / "notes"))])
    journey.run(drop(root), config)
    reason = (root / "failed/alpha/photo.png.txt").read_text()
    assert "in one colour. A second try with safe settings did no better." in reason
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]
    assert not (root / "outbox/alpha/photo.png").exists()
    journey.painters.pool.children[0].close()


def test_a_style_picture_that_is_gone_blames_no_photo(root: Path, config: Config, journey: Pipeline) -> None:
    (root / "alpha.png").unlink()
    with pytest.raises(RetryLater, match=r"the style picture .*alpha\.png cannot be read"):
        journey.run(drop(root), config)
    assert (root / "inbox/alpha/photo.png").exists()
    assert not (root / "failed/alpha").exists()


@pytest.mark.parametrize(("content", "reason"), [(b"a shopping list", "not a picture"), (jpeg()[:600], "breaks off")])
def test_a_bad_picture_fails_with_its_reason(
    root: Path, config: Config, journey: Pipeline, content: bytes, reason: str
) -> None:
    journey.run(drop(root, "bad.jpg", content), config)
    assert reason in (root / "failed/alpha/bad.jpg.txt").read_text()
    assert (root / "failed/alpha/bad.jpg").read_bytes() == content


def drop_with_mask(root: Path, mask: bytes) -> InboxPhoto:
    arrival = drop(root)
    (root / "inbox/alpha/photo.png.mask.png").write_bytes(mask)
    return dataclasses.replace(arrival, companions=("photo.png.mask.png",))


def test_a_mask_paints_where_it_is_white_and_keeps_the_photo_where_it_is_black(
    root: Path, config: Config, journey: Pipeline
) -> None:
    halves = io.BytesIO()
    Image.fromarray(np.repeat(np.array([[0, 255]], np.uint8), 2, 0).repeat(60, 1).repeat(40, 0)).save(halves, "PNG")
    journey.run(drop_with_mask(root, halves.getvalue()), config)
    with Image.open(root / "outbox/alpha/photo.png") as painting, Image.open(root / "done/alpha/photo.png") as photo:
        result = np.asarray(painting, int)
        original = np.asarray(photo.resize(painting.size, Image.Resampling.LANCZOS), int)
    assert np.abs(result[:, :20] - original[:, :20]).mean() < 2
    assert np.abs(result[:, -20:] - (255 - original[:, -20:])).mean() < 2
    assert (root / "done/alpha/photo.png.mask.png").exists()


def test_a_mask_that_is_no_picture_fails_its_photo(root: Path, config: Config, journey: Pipeline) -> None:
    journey.run(drop_with_mask(root, b"this is no mask"), config)
    assert "Its mask cannot be used" in (root / "failed/alpha/photo.png.txt").read_text()


def test_an_empty_file_fails_with_its_reason(root: Path, config: Config, journey: Pipeline) -> None:
    path = root / "inbox/alpha/empty.jpg"
    path.touch()
    journey.run(InboxPhoto("alpha", "", "empty.jpg", str(path), Signature.of(path.stat())), config)
    assert "The file is empty." in (root / "failed/alpha/empty.jpg.txt").read_text()


def test_a_photo_that_grows_while_it_is_painted_goes_back(
    root: Path, config: Config, journey: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrival = drop(root)
    writer = open(arrival.path, "ab")  # noqa: SIM115 (it outlives the claim)
    canvas = journey.claims.canvas

    def late_writer(claim: Job) -> Handle:
        writer.write(b"more")
        writer.close()
        return canvas(claim)

    monkeypatch.setattr(journey.claims, "canvas", late_writer)
    journey.run(arrival, config)
    assert (root / "inbox/alpha/photo.png").read_bytes().endswith(b"more")
    assert not list((root / "outbox").rglob("*.png"))


@pytest.mark.parametrize("step", ["read", "store"])
def test_a_reader_that_dies_once_is_not_the_pictures_fault(
    root: Path, config: Config, journey: Pipeline, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    real, deaths = getattr(journey.readers, step), iter([True])

    def mortal(*arguments: object, **keywords: object) -> object:
        if next(deaths, False):
            raise WorkerDied("the reader was ended by SIGKILL")
        return real(*arguments, **keywords)

    monkeypatch.setattr(journey.readers, step, mortal)
    arrival = drop(root)
    journey.run(arrival, config)
    assert not journey.board.failed
    journey.run(arrival, config)
    assert (root / "outbox/alpha/photo.png").exists()
    assert journey.board.failed == 0
