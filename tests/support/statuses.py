"""A status with something to show."""

from daemon.status import Status
from daemon.transfer.steps import Memory, Step


def a_status() -> Status:
    """One job in hand on a GPU, and photos that wait."""
    status = Status(state="watching", device="a GPU", weights="embedded", waiting={"alpha": 1200, "beta": 0})
    status.begin("1", "alpha/a.jpg", "alpha")
    status.stage("1", "painting")
    status.step("1", Step(30, 120, 0.125, 1, 2, 0.25, Memory("cuda:0", 3 << 29, 5 << 30)))
    return status
