"""Style pictures are decoded and hashed once, as far as there is room for them."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from daemon.config.models import StylePicture
from daemon.errors import RetryLater
from daemon.processes.readers import Readers
from daemon.processes.style_cache import LoadedStyle, StyleCache

ROOM = 4 * 3 * (64 * 32 + 32 * 16)  # bytes: for the picture at 64 and at 32 pixels


@pytest.fixture
def cache() -> Iterator[StyleCache]:
    readers = Readers(1)
    yield StyleCache(readers, ROOM)
    for child in readers.pool.children:
        child.close()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.new("RGB", (64, 32), "navy").save(tmp_path / "style.png")
    return tmp_path / "style.png"


def load(cache: StyleCache, path: Path, long_side: int) -> LoadedStyle:
    return cache.load([StylePicture(file=path, weight=2.0)], long_side, max_megapixels=100)


def test_a_style_is_loaded_with_its_weights_and_what_its_record_needs(cache: StyleCache, picture: Path) -> None:
    style = load(cache, picture, 16)
    ((pixels, weight),), (source,) = style
    assert (pixels.shape, weight) == ((8, 16, 3), 2.0)
    digest = hashlib.sha256(picture.read_bytes()).hexdigest()
    assert (source.name, source.sha256, source.weight) == ("style.png", digest, 2.0)


def test_a_style_picture_is_decoded_once_until_the_room_is_needed(cache: StyleCache, picture: Path) -> None:
    def pixels(long_side: int) -> object:
        return load(cache, picture, long_side).pictures[0][0]

    large, small = pixels(64), pixels(32)
    assert pixels(64) is large
    assert pixels(32) is small
    pixels(8)  # takes the room of the picture that was not asked for longest
    assert pixels(32) is small
    assert pixels(64) is not large
    assert pixels(128) is not pixels(128), "a picture that is larger than the room is not kept"


def test_a_changed_file_is_a_new_picture(cache: StyleCache, picture: Path) -> None:
    before = load(cache, picture, 16)
    Image.new("RGB", (16, 16), "white").save(picture)
    after = load(cache, picture, 16)
    assert after.pictures[0][0].array().min() == 1
    assert after.sources[0].sha256 != before.sources[0].sha256


def test_a_style_picture_that_cannot_be_read_is_tried_again_later(cache: StyleCache, picture: Path) -> None:
    picture.write_bytes(b"damaged")
    with pytest.raises(RetryLater, match=r"the style picture .*style\.png cannot be read: It is text"):
        load(cache, picture, 16)
    picture.unlink()
    with pytest.raises(RetryLater, match=r"style\.png cannot be read: No such file or directory$"):
        cache.load([StylePicture.model_construct(file=picture, weight=1.0)], 16, max_megapixels=100)
