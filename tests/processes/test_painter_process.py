"""The resident model, in this process."""

import numpy as np
import pytest
import torch

from daemon.errors import JobError
from daemon.processes.painter_process import PainterProcess
from daemon.processes.shared_array import SharedArray
from daemon.transfer import Stylizer, TooLargeError, stylizer
from daemon.transfer.optimizers.capture import CapturedStep
from daemon.transfer.recipe import recipe
from tests.support.scenes import Picture


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


@pytest.fixture
def painted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The devices on which a Stylizer painted, which fails to capture a step; a GPU is pretended."""
    devices: list[str] = []

    class Gpu(Stylizer):
        def __init__(self, device: str, weights: str) -> None:
            super().__init__("cpu", weights)
            self.device = device

        def paint(self, *arguments: object, **others: object) -> Picture:
            devices.append(self.device)
            monkeypatch.setattr(CapturedStep, "failure", "not permitted")
            return np.zeros((1, 1, 3), np.float32)

    monkeypatch.setattr("daemon.processes.painter_process.Stylizer", Gpu)
    monkeypatch.setattr(CapturedStep, "failure", "")
    return devices


def test_a_gpu_has_painted_before_it_is_ready_and_records_say_if_its_steps_are_launched_one_by_one(
    painted: list[str],
) -> None:
    assert not PainterProcess("cpu", "embedded").ready_info.device_name.endswith("one by one")
    assert painted == []
    assert PainterProcess("cuda:0", "embedded").ready_info.device_name.endswith(
        ", steps launched one by one (not permitted)"
    )
    assert painted == ["cuda:0"]


@pytest.mark.usefixtures("painted")
def test_a_gpu_whose_memory_another_program_has_is_ready_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: PainterProcess, progress: object) -> None:
        raise TooLargeError("64 × 48 pixels need more memory")

    monkeypatch.setattr(PainterProcess, "try_out", full)
    assert PainterProcess("cuda:0", "embedded").ready_info.device == "cuda:0"
