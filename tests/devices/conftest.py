"""The devices to test on: the GPUs of this machine, one of each kind. STYLED_DEVICES=cpu tries the tests themselves."""

import os

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


@pytest.fixture(scope="session")
def stylizer(device: torch.device) -> Stylizer:
    """On the device, ready to paint."""
    return Stylizer(device=str(device), weights="embedded")


@pytest.fixture(scope="session")
def reference() -> Stylizer:
    """On the CPU."""
    return Stylizer(device="cpu", weights="embedded")
