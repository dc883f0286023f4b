"""The devices to test on: the GPUs of this machine, one of each kind. STYLED_DEVICES=cpu tries the tests themselves."""

import os
from collections.abc import Iterator

import pytest
import torch

from daemon.transfer import Stylizer


def found() -> list[str]:
    if given := os.environ.get("STYLED_DEVICES"):
        return given.split(",")
    is_there = {"cuda:0": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}  # ROCm's are cuda, too
    return [name for name, there in is_there.items() if there]


@pytest.fixture(scope="session", params=found() or [""])
def device(request: pytest.FixtureRequest) -> torch.device:
    if not request.param:
        pytest.skip("no GPU on this machine")
    return torch.device(request.param)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What a torch says of its own settings on a GPU is no fault of ours."""
    for item in items:
        if "tests/devices" in item.path.as_posix():
            item.add_marker(pytest.mark.filterwarnings("default"))


@pytest.fixture
def cuda(device: torch.device) -> Iterator[torch.device]:
    """The device, if torch calls it CUDA; afterwards with all of its memory again, and free to wait."""
    if device.type != "cuda":
        pytest.skip("not a GPU of CUDA or ROCm")
    yield device
    torch.cuda.set_sync_debug_mode("default")
    torch.cuda.set_per_process_memory_fraction(1.0, device)


@pytest.fixture(params=["fine", "tutorial"])
def preset(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def stylizer(device: torch.device) -> Stylizer:
    """On the device, ready to paint."""
    return Stylizer(device=str(device), weights="embedded")


@pytest.fixture(scope="session")
def reference() -> Stylizer:
    """On the CPU."""
    return Stylizer(device="cpu", weights="embedded")
