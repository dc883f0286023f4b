"""The film is an animated WebP of bounded size that ends with the painting."""

import io

import numpy as np
import pytest
from PIL import Image

from daemon.pictures.film import LARGEST, LAST_MS, film


def test_it_moves_and_rests_on_the_finished_painting() -> None:
    frames = [(40, 30, bytes([shade]) * (40 * 30 * 3)) for shade in (0, 60, 120)]
    painting = np.full((300, 400, 3), 0.8, np.float32)
    with Image.open(io.BytesIO(film(frames, painting))) as found:
        assert (found.format, found.size, found.n_frames) == ("WEBP", (40, 30), 3)  # type: ignore[attr-defined]
        assert found.info["loop"] == 0
        found.seek(2)
        found.load()
        assert found.info["duration"] == LAST_MS
        assert abs(int(np.asarray(found.convert("RGB")).mean()) - 204) < 4


def test_one_frame_is_a_film_too() -> None:
    painting = np.full((3, 4, 3), 0.8, np.float32)
    assert film([(4, 3, b"\0" * 36)], painting)[:4] == b"RIFF"


@pytest.mark.slow
def test_its_size_is_bounded_whatever_it_shows() -> None:
    random = np.random.default_rng(0)
    frames = [(384, 384, random.integers(0, 256, 384 * 384 * 3, np.uint8).tobytes()) for _ in range(41)]
    assert len(film(frames, random.random((384, 384, 3), np.float32))) <= LARGEST
