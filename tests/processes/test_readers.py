"""Reader processes: what a picture may cost, and what the disk may do without ending them."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.errors import JobError
from daemon.pictures.refusals import decoding
from daemon.processes.reader_process import BASE_BYTES, BYTES_PER_PIXEL, ReaderProcess
from daemon.processes.readers import Photo, Readers
from daemon.processes.shared_array import SharedArray
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
        limits = Path(f"/proc/{readers.pool.children[0].pid}/limits").read_text()
        (line,) = [line for line in limits.splitlines() if line.startswith("Max address space")]
        assert int(line.split()[3]) == BASE_BYTES + int(limit * 1e6) * BYTES_PER_PIXEL


class Greedy(ReaderProcess):
    """A decoder that believes a header which promises gigabytes."""

    def read(self, file: Handle, limits: dict[str, Any], progress: Callable[..., None]) -> Photo:
        photo = super().read(file, limits, progress)
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


def test_a_full_disk_is_the_disks_trouble_and_ends_no_reader(readers: Readers, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(jpeg())
    photo = readers.read(opened(tmp_path / "photo.jpg"), max_megapixels=1)
    pid = readers.pool.children[0].pid
    full = Handle(os.open("/dev/full", os.O_WRONLY))
    with pytest.raises(OSError, match="No space left"):
        readers.write(full, photo.pixels, None, format="png", quality=95, metadata=b"")
    assert isinstance(readers.read(opened(tmp_path / "photo.jpg"), max_megapixels=1).pixels, SharedArray)
    assert readers.pool.children[0].pid == pid
