"""The resident model, in this process."""

import numpy as np
import pytest
import torch

from daemon.errors import JobError
from daemon.processes.painter_process import PainterProcess
from daemon.processes.shared_array import SharedArray
from daemon.transfer import stylizer
from daemon.transfer.recipe import recipe


def test_a_photo_that_fits_nowhere_fails_in_plain_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """The photo fails and the painter goes on: the next photo may be smaller."""
    painter, picture = PainterProcess("cpu", "embedded"), SharedArray.of(np.full((16, 24, 3), 0.5, np.float32))

    def no_memory(*arguments: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 99 GiB")

    def paint() -> SharedArray:
        return painter.paint(picture, ((picture, 1.0),), recipe("draft"), None, progress=lambda step: None)

    with monkeypatch.context() as cramped:
        cramped.setattr(stylizer, "Objective", no_memory)
        with pytest.raises(JobError, match=r"too large: 24 × 16 pixels need more memory than .* Set a smaller `size`"):
            paint()
    assert paint().shape == (16, 24, 3)
