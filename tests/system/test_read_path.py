"""The whole read path, in real reader processes: whatever a file holds, it is a picture or refused in plain words.

`python -m tests.soak.fuzz` goes on with the last of these tests for as long as one likes.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from daemon.config.load import load
from daemon.filenames import PICTURE_EXTENSIONS
from daemon.jobs.audit import examine
from daemon.processes.reader_process import BASE_BYTES, BYTES_PER_PIXEL
from tests.support.daemon import Start, wait_until
from tests.support.made_pictures import truncations
from tests.support.read_path import FILES, PAINTED, PATIENCE, Desk, formats, written

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("daemon.processes.readers.PATIENCE", PATIENCE)
        desk = Desk(tmp_path_factory.mktemp("read"))
        yield desk
        desk.close()


@pytest.mark.parametrize("kind", formats())
def test_every_mode_that_pillow_writes_is_painted_or_refused_whole_cut_and_flipped(desk: Desk, kind: str) -> None:
    rng = np.random.default_rng(len(kind))
    modes = [mode for its, mode in written() if its == kind]
    if not modes:
        pytest.skip("Pillow only names this format here, and writes none of its files")
    for mode in modes:
        data = written()[kind, mode]
        size = desk.read(data)
        assert (size is not None) == (kind in PAINTED), (kind, mode)
        for cut in truncations(data):
            desk.read(cut)
        for _ in range(5):
            flipped = np.frombuffer(data, np.uint8).copy()
            flipped[rng.integers(0, len(data), 4)] ^= rng.integers(1, 256, 4).astype(np.uint8)
            desk.read(flipped.tobytes())
    assert desk.readers.pool.children[0]._process.pid == desk.pid, "the reader broke down and was replaced"


def test_every_format_under_a_wrong_name_and_cut_in_half_goes_its_way_through_the_daemon(
    root: Path, start: Start
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


@given(FILES)
@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_wound_to_any_file_ends_a_reader_or_says_anything_but_plain_words(desk: Desk, data: bytes) -> None:
    desk.use(data)


def test_a_readers_address_space_never_was_larger_than_its_limit(desk: Desk) -> None:
    desk.use(written()["PNG", "RGB"])
    assert desk.peak_bytes() <= BASE_BYTES + 1_000_000 * BYTES_PER_PIXEL
