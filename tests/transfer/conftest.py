"""Small pictures and one resident stylizer for all of transfer's tests."""

from collections.abc import Iterator

import pytest
import torch

from daemon.transfer import Stylizer


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """On small pictures threads wait for each other, above all where other tests want the same cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def stylizer() -> Stylizer:
    return Stylizer(device="cpu", weights="embedded")
