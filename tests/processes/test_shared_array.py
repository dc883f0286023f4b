"""Arrays that travel by descriptor."""

import os
from pathlib import Path

import numpy as np
import pytest

from daemon.processes.shared_array import SharedArray
from daemon.storage.files import Handle


def test_an_array_comes_back_as_it_was_and_what_is_written_to_it_nobody_else_sees() -> None:
    array = np.random.default_rng(0).random((5, 7, 3), dtype=np.float32)
    canvas = SharedArray.of(array)
    seen = canvas.array()
    assert np.array_equal(seen, array)
    seen[0] = 0
    assert np.array_equal(canvas.array(), array)


def test_other_floats_become_float32_and_slices_are_copied_in_order() -> None:
    array = np.arange(60, dtype=np.float64).reshape(5, 12)[:, ::2]
    canvas = SharedArray.of(array)
    assert canvas.shape == (5, 6)
    assert np.array_equal(canvas.array(), array.astype(np.float32))


def test_an_array_outlives_its_canvas() -> None:
    array = SharedArray.of(np.ones((100, 100), np.float32)).array()
    assert array.sum() == 10_000


def test_descriptors_are_given_back() -> None:
    before = len(os.listdir("/dev/fd"))
    for _ in range(20):
        SharedArray.of(np.zeros((4, 4), np.float32)).array()
    assert len(os.listdir("/dev/fd")) == before


def test_a_handle_does_not_follow_a_link(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("secret")
    (tmp_path / "link").symlink_to("target")
    with pytest.raises(OSError, match=r"(?i)symbolic links"):
        Handle.open(tmp_path / "link", os.O_RDONLY)
