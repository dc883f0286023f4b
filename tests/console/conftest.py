"""A status with something to show."""

import pytest

from daemon.status import Status
from daemon.transfer.steps import Step


@pytest.fixture
def board() -> Status:
    board = Status(state="watching", device="a processor", weights="embedded", waiting={"alpha": 3, "beta": 0})
    board.begin("1", "alpha/Tübingen 鴨.jpg", "alpha")
    board.stage("1", "painting")
    board.step("1", Step(30, 120, 0.125, 1, 2, 0.25))
    board.count(delivered=2)
    return board
