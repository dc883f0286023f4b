"""Reader processes: what a picture may cost, and what the disk may do without ending them."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from daemon.errors import JobError, WorkerDied
from daemon.pictures.refusals import decoding
from daemon.processes import reader_process
from daemon.processes.reader_process import BASE_BYTES, BYTES_PER_PIXEL, ReaderProcess
from daemon.processes.readers import Photo, Readers
from daemon.storage.files import Handle
from tests.support.samples import jpeg


@pytest.fixture
def readers() -> Iterator[Readers]:
    readers = Readers(1)
    yield readers
    for child in readers.pool.children:
        child.close()


def opened(path: Path, flags: int = os.O_RDONLY) -> Handle:
    return Handle.open(path, flags)


def test_its_memory_has_the_limit_that_max_megapixels_implies(readers: Readers, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(jpeg())
    for limit in (10.0, 200.0, 1.0):
        assert readers.read(opened(tmp_path / "photo.jpg"), max_megapixels=limit).size == (64, 48)
        limits = Path(f"/proc/{readers.pool.children[0]._process.pid}/limits").read_text()
        (line,) = [line for line in limits.splitlines() if line.startswith("Max address space")]
        assert int(line.split()[3]) == BASE_BYTES + int(limit * 1e6) * BYTES_PER_PIXEL


class Busy(ReaderProcess):
    """A decoder that never ends."""

    def read(self, file: Handle, limits: dict[str, Any]) -> Photo:
        vars(reader_process)["CPU_SECONDS"] = 0
        super().read(file, limits)
        while True:
            pass


def test_a_file_that_keeps_a_decoder_busy_ends_its_reader_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(jpeg())
    readers = Readers(1, Busy)
    with pytest.raises(WorkerDied, match="SIGXCPU"):
        readers.read(opened(tmp_path / "photo.jpg"), max_megapixels=1)
    assert readers.probe(opened(tmp_path / "photo.jpg")) == ("JPEG", 64, 48)
    readers.pool.children[0].close()


class Greedy(ReaderProcess):
    """A decoder that believes a header which promises gigabytes."""

    def read(self, file: Handle, limits: dict[str, Any]) -> Photo:
        photo = super().read(file, limits)
        with file.file() as stream, decoding(stream):
            bytearray(8 << 30)
        return photo


def test_a_file_that_takes_more_memory_is_refused_in_words_and_the_reader_lives(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(jpeg())
    readers = Readers(1, Greedy)
    for _ in range(2):
        with pytest.raises(JobError, match="not enough memory"):
            readers.read(opened(tmp_path / "photo.jpg"), max_megapixels=1)
    assert readers.probe(opened(tmp_path / "photo.jpg")) == ("JPEG", 64, 48)
    readers.pool.children[0].close()


SETTINGS: dict[str, Any] = {"format": "png", "quality": 95, "metadata": b""}


@pytest.fixture
def photo(readers: Readers, tmp_path: Path) -> Photo:
    (tmp_path / "photo.jpg").write_bytes(jpeg())
    return readers.read(opened(tmp_path / "photo.jpg"), max_megapixels=1)


def test_a_stored_painting_reads_back_and_comes_with_thumbnails(readers: Readers, photo: Photo, tmp_path: Path) -> None:
    out = tmp_path / "painting.tmp"
    thumbnails = readers.store(photo.pixels, photo, opened(out, os.O_WRONLY | os.O_CREAT), out, **SETTINGS)
    with Image.open(out) as painting:
        assert painting.size == thumbnails.size == photo.size
    assert (thumbnails.card[8:12], thumbnails.before[8:12]) == (b"WEBP", b"WEBP")


def test_a_painting_is_read_back_by_its_name(readers: Readers, photo: Photo, tmp_path: Path) -> None:
    """What was written may be sound and the name may still lead to something else."""
    other = tmp_path / "other.png"
    other.write_bytes(jpeg(8, 8, kind="PNG"))
    out = opened(tmp_path / "painting.tmp", os.O_WRONLY | os.O_CREAT)
    with pytest.raises(OSError, match="reads back as"):
        readers.store(photo.pixels, photo, out, other, **SETTINGS)
    other.write_bytes(b"damaged")
    with pytest.raises(OSError, match="does not read back"):
        readers.store(photo.pixels, photo, out, other, **SETTINGS)


def test_a_full_disk_is_the_disks_fault_and_ends_no_reader(readers: Readers, photo: Photo, tmp_path: Path) -> None:
    pid = readers.pool.children[0]._process.pid
    with pytest.raises(OSError, match="No space left"):
        readers.store(photo.pixels, photo, opened(Path("/dev/full"), os.O_WRONLY), Path("/dev/full"), **SETTINGS)
    assert readers.read(opened(tmp_path / "photo.jpg"), max_megapixels=1).size == photo.size
    assert readers.pool.children[0]._process.pid == pid
