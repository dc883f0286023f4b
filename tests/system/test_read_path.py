"""The whole read path, in real reader processes: whatever a file holds, it is a picture or refused in plain words.

`python -m tests.soak.fuzz` goes on with the last of these tests for as long as one likes.
"""

import functools
import io
import itertools
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from daemon.config.load import load
from daemon.errors import JobError
from daemon.filenames import PICTURE_EXTENSIONS
from daemon.jobs.audit import examine
from daemon.processes.reader_process import BASE_BYTES, BYTES_PER_PIXEL
from daemon.processes.readers import Readers
from daemon.processes.shared_array import SharedArray
from daemon.storage.files import Handle
from tests.support.daemon import Daemon, wait_until
from tests.support.made_pictures import in_mode, truncations

ALL_MODES = (
    *("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"),
    *("I", "F", "I;16", "I;16B", "I;16L", "I;16N"),
)
PAINTED = {"AVIF", "BMP", "GIF", "HEIF", "JPEG", "MPO", "PNG", "TIFF", "WEBP"}
PATIENCE = 60.0  # seconds for one file of a few kilobytes, on a busy machine


@functools.cache
def written() -> dict[tuple[str, str], bytes]:
    """By format and mode: a file of every kind that Pillow writes."""
    Image.init()
    found = {}
    for kind, mode in itertools.product(sorted(Image.SAVE), ALL_MODES):
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
        self.pid = self.readers.pool.children[0].pid

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
        assert self.readers.pool.children[0].pid == self.pid, "the reader broke down and was replaced"

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


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("daemon.processes.readers.PATIENCE", PATIENCE)
        desk = Desk(tmp_path_factory.mktemp("read"))
        yield desk
        desk.close()


@pytest.mark.parametrize("kind", sorted({kind for kind, _ in written()}))
def test_every_mode_that_pillow_writes_is_painted_or_refused_whole_cut_and_flipped(desk: Desk, kind: str) -> None:
    rng = np.random.default_rng(len(kind))
    for mode in (mode for its, mode in written() if its == kind):
        data = written()[kind, mode]
        size = desk.read(data)
        assert (size is not None) == (kind in PAINTED), (kind, mode)
        for cut in truncations(data):
            desk.read(cut)
        for _ in range(5):
            flipped = np.frombuffer(data, np.uint8).copy()
            flipped[rng.integers(0, len(data), 4)] ^= rng.integers(1, 256, 4).astype(np.uint8)
            desk.read(flipped.tobytes())
    assert desk.readers.pool.children[0].pid == desk.pid, "the reader broke down and was replaced"


def test_every_format_under_a_wrong_name_and_cut_in_half_goes_its_way_through_the_daemon(
    root: Path, start: Callable[..., Daemon]
) -> None:
    """Dropped into a real daemon: every file is painted or set aside in plain words, and the daemon lives."""
    endings = itertools.cycle(sorted(PICTURE_EXTENSIONS))
    kinds = {kind: data for (kind, mode), data in written().items() if mode in ("RGB", "1", "P")}
    (root / "inbox/alpha").mkdir(parents=True)
    for kind, data in kinds.items():
        (root / "inbox/alpha" / f"{kind}-whole{next(endings)}").write_bytes(data)
        (root / "inbox/alpha" / f"{kind}-half{next(endings)}").write_bytes(data[: len(data) // 2])
    daemon = start(fast=True)
    failed, done = root / "failed/alpha", root / "done/alpha"
    inbox = root / "inbox/alpha"
    wait_until(lambda: daemon.process.poll() is not None or not _waiting(root), 180, daemon.text)
    assert daemon.stop() == 0, daemon.text()
    whole = {path.name.split("-")[0] for path in done.iterdir() if "-whole" in path.name}
    assert whole == PAINTED & kinds.keys()
    assert len(list(done.iterdir())) + len(list(failed.glob("*.txt"))) == 2 * len(kinds)
    for reason in failed.glob("*.txt"):
        text = reason.read_text()
        assert "Traceback" not in text
        assert "broke down" not in text
    assert "Traceback" not in daemon.text()
    assert not list(inbox.iterdir())
    assert examine(load(root / "config.yaml")).adds_up


def _waiting(root: Path) -> bool:
    claimed = [path for path in (root / "work").iterdir() if path.is_dir()] if (root / "work").exists() else [root]
    return bool(claimed) or any((root / "inbox/alpha").iterdir())


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


KINDS = st.sampled_from(sorted(written()))
# some are made of noise alone, some have another file's end grafted on
FILES = st.builds(
    made, st.one_of(KINDS, st.just(("", ""))), st.lists(WOUNDS, min_size=1, max_size=6), st.one_of(st.none(), KINDS)
)


@given(FILES)
@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_wound_to_any_file_ends_a_reader_or_says_anything_but_plain_words(desk: Desk, data: bytes) -> None:
    desk.use(data)


def test_a_readers_address_space_never_was_larger_than_its_limit(desk: Desk) -> None:
    desk.use(written()["PNG", "RGB"])
    assert desk.peak_bytes() <= BASE_BYTES + 1_000_000 * BYTES_PER_PIXEL
