"""Pictures as a library's user has them."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from daemon.transfer.arrays import picture

LEVELS = np.arange(48, dtype=np.uint8).reshape(4, 4, 3) * 5
WANTED = LEVELS / np.float32(255)


def given(values: Any) -> Any:
    return picture(values, "content")


@pytest.mark.parametrize(
    "values",
    [
        *(LEVELS, LEVELS.astype(np.uint16) * 257, WANTED, WANTED.astype(np.float64), WANTED.astype(np.float16)),
        *(WANTED.tolist(), np.dstack((LEVELS, np.full((4, 4), 255, np.uint8))), np.dstack((WANTED, np.ones((4, 4))))),
        *(Image.fromarray(LEVELS), Image.fromarray(LEVELS).convert("RGBA"), np.asfortranarray(WANTED)),
    ],
)
def test_what_is_meant_is_clear(values: Any) -> None:
    result = given(values)
    assert result.dtype == np.float32
    assert result.shape == (4, 4, 3)
    assert np.allclose(result, WANTED, atol=1e-3)


def test_grey_gets_three_channels() -> None:
    for grey in (LEVELS[..., 0], LEVELS[..., :1], Image.fromarray(LEVELS[..., 0])):
        assert np.allclose(given(grey), WANTED[..., :1], atol=1e-6)
    assert given(np.eye(4, dtype=bool)).max() == 1
    assert given(Image.fromarray(LEVELS).quantize(16)).shape == (4, 4, 3)


def test_a_picture_that_is_right_is_not_copied() -> None:
    assert given(WANTED) is WANTED


def test_what_scaling_overshoots_is_clipped() -> None:
    assert given(WANTED * 1.3 - 0.05).min() == 0
    assert given(WANTED * 1.3).max() == 1


@pytest.mark.parametrize(
    ("values", "cure"),
    [
        (WANTED * 255, r"array / 255"),
        (WANTED * 2 - 1, r"\(array \+ 1\) / 2"),
        (LEVELS.astype(np.int64), r"astype\(numpy\.uint8\)"),
        (np.where(WANTED > 0.5, np.nan, WANTED), r"nan_to_num"),
        (np.where(WANTED > 0.5, np.inf, WANTED), r"nan_to_num"),
        (np.zeros((3, 8, 9), np.float32), r"moveaxis"),
        (WANTED[None], r"array\[0\]"),
        (np.dstack((LEVELS, LEVELS[..., 0])), r"transparent"),
        (Image.fromarray(np.dstack((LEVELS, LEVELS[..., 0]))), r"transparent"),
        ("photo.jpg", r"open the file"),
        (None, r"open the file"),
        (np.zeros((0, 4, 3), np.float32), "is not a picture"),
        (np.zeros((4, 4, 2), np.float32), "is not a picture"),
    ],
)
def test_everything_else_is_refused_with_its_cure(values: Any, cure: str) -> None:
    with pytest.raises(ValueError, match=rf"^content: .*{cure}"):
        given(values)
