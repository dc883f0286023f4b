"""Files of every kind, whole and wounded, and one reader process that reads them."""

import functools
import io
import itertools
import warnings
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from daemon.errors import JobError
from daemon.processes.readers import Readers
from daemon.processes.shared_array import SharedArray
from daemon.storage.files import Handle
from tests.support.made_pictures import in_mode

ALL_MODES = (
    *("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"),
    *("I", "F", "I;16", "I;16B", "I;16L", "I;16N"),
)
PAINTED = {"AVIF", "BMP", "GIF", "HEIF", "JPEG", "MPO", "PNG", "TIFF", "WEBP"}
PATIENCE = 60.0  # seconds for one file of a few kilobytes, on a busy machine


def formats() -> list[str]:
    """What Pillow may be able to write; quicker than `written`."""
    Image.init()
    return sorted(Image.SAVE)


@functools.cache
def written() -> dict[tuple[str, str], bytes]:
    """By format and mode: a file of every kind that Pillow writes."""
    found = {}
    for kind, mode in itertools.product(formats(), ALL_MODES):
        out = io.BytesIO()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                picture(mode).save(out, kind)
        except Exception:  # Pillow has as many ways to say that it does not write this mode
            continue
        if out.getvalue():
            found[kind, mode] = out.getvalue()
    return found


@functools.cache
def picture(mode: str) -> Image.Image:
    try:
        return in_mode(mode)
    except (ValueError, KeyError):
        return Image.new(mode, (48, 32))


class Desk:
    """One reader at work on files from memory."""

    def __init__(self, folder: Path) -> None:
        self.readers = Readers(1)
        self._file = folder / "photo"
        self._canvas = SharedArray.of(np.full((32, 48, 3), 0.5))
        self.readers.probe(self._handle(written()["PNG", "RGB"]))
        self.pid = self.readers.pool.children[0]._process.pid

    def _handle(self, data: bytes) -> Handle:
        self._file.write_bytes(data)
        return Handle.open(self._file, 0)

    def read(self, data: bytes) -> tuple[int, int] | None:
        """The size of the picture at a long side of 40, or None if it was refused. Fails if anything else happens."""
        try:
            photo = self.readers.read(self._handle(data), max_megapixels=1.0, size=40)
        except JobError as refusal:
            check_words(refusal)
            return None
        pixels = photo.pixels.array()
        assert np.isfinite(pixels).all()
        assert 0 <= pixels.min() <= pixels.max() <= 1
        return photo.size

    def use(self, data: bytes) -> None:
        """As a style's picture when it is checked, as a photo, as a mask, and as a painting for the gallery."""
        self.read(data)
        for use in (
            lambda file: self.readers.probe(file),
            lambda file: self.readers.masked(self._canvas, self._canvas, file, 1.0),
            lambda file: self.readers.sketch_file(file, file),
        ):
            try:
                use(self._handle(data))
            except JobError as refusal:
                check_words(refusal)
        assert self.readers.pool.children[0]._process.pid == self.pid, "the reader broke down and was replaced"

    def peak_bytes(self) -> int:
        """The most address space that the reader ever had."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmPeak:")]
        return int(line.split()[1]) * 1024

    def close(self) -> None:
        for child in self.readers.pool.children:
            child.close()


def check_words(refusal: JobError) -> None:
    for words in (refusal.reason, refusal.advice):
        assert words.endswith(".")
        assert words.isprintable()
        assert "Error" not in words


# what becomes of a good file: a place in it, how many bytes there, and with what
WOUNDS = st.tuples(
    st.sampled_from(["set", "cut", "drop", "zero", "twice", "insert", "swap"]),
    st.one_of(st.integers(0, 200), st.integers(0, 1 << 20)),  # half of them in the headers
    st.one_of(st.integers(1, 4), st.integers(1, 4096)),
    st.binary(min_size=1, max_size=8),
)


def wounded(data: bytes, how: str, place: int, length: int, bytes_: bytes) -> bytes:
    place %= max(len(data), 1)
    head, part, tail = data[:place], data[place : place + length], data[place + length :]
    changes = {
        "set": head + bytes_ + data[place + len(bytes_) :],
        "cut": head,
        "drop": head + tail,
        "zero": head + bytes(len(part)) + tail,
        "twice": head + part + part + tail,
        "insert": head + bytes_ * length + part + tail,
        "swap": head + part[::-1] + tail,
    }
    return changes[how]


def made(kind: tuple[str, str], wounds: list[tuple[str, int, int, bytes]], other: tuple[str, str] | None) -> bytes:
    data = written().get(kind, b"\xff\xd8\xff\xe0")
    for wound in wounds:
        data = wounded(data, *wound)
    if other is not None:
        end = written()[other]
        data = data[: len(data) // 2] + end[len(end) // 3 :]
    return data[:100_000]


KINDS = st.deferred(lambda: st.sampled_from(sorted(written())))
# some are made of noise alone, some have another file's end grafted on
FILES = st.builds(
    made, st.one_of(KINDS, st.just(("", ""))), st.lists(WOUNDS, min_size=1, max_size=6), st.one_of(st.none(), KINDS)
)
