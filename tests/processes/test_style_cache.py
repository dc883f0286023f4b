"""Style pictures are decoded once, as far as there is room for them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from daemon.config.models import StylePicture
from daemon.processes.readers import Readers
from daemon.processes.shared_array import SharedArray
from daemon.processes.style_cache import StylePictures


@pytest.fixture
def styles() -> Iterator[StylePictures]:
    readers = Readers(1)
    yield StylePictures(readers)
    readers.pool.close()


def load(styles: StylePictures, path: Path, long_side: int) -> SharedArray:
    ((canvas, _),) = styles.load([StylePicture(file=path, weight=1.0)], long_side, max_megapixels=100)
    return canvas


def test_a_style_picture_is_decoded_once_until_the_room_is_needed(
    styles: StylePictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "style.png"
    Image.new("RGB", (64, 32), "navy").save(path)
    monkeypatch.setattr(StylePictures, "KEPT", 4 * 3 * (64 * 32 + 32 * 16))
    large, small = load(styles, path, 64), load(styles, path, 32)
    assert load(styles, path, 64) is large
    assert load(styles, path, 32) is small
    load(styles, path, 8)  # for which the one that nobody asked for longest has to go
    assert load(styles, path, 32) is small
    assert load(styles, path, 64) is not large
