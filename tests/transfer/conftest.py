"""One resident stylizer for all of transfer's tests."""

import pytest

from daemon.transfer import Stylizer


@pytest.fixture(scope="session")
def stylizer() -> Stylizer:
    return Stylizer(device="cpu", weights="embedded")
