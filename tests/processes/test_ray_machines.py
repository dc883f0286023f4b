"""The bridge to a Ray cluster, without a cluster; tests/system/test_cluster.py has a real one."""

import pytest

from daemon.transfer.steps import Memory, Step

pytest.importorskip("ray", reason="Ray is not installed (pip install '.[ray]')")
from daemon.processes.ray_machines import Place


@pytest.mark.parametrize(
    ("number", "device", "label"),
    [
        (0, "cuda:0", "10.0.0.1 5e5e5e cuda:0"),
        (1, "cuda:0", "10.0.0.1 5e5e5e cuda:1"),
        (0, "cpu", "10.0.0.1 5e5e5e cpu"),
    ],
)
def test_memory_is_labelled_by_the_machine_and_its_device(number: int, device: str, label: str) -> None:
    place = Place("5e5e5e5e5e", "10.0.0.1", number, 8.0)
    step = place.named(Step(1, 1, 0.5, 1, 1, 1.0, Memory(device, 1 << 30, None)))
    assert step.memory == Memory(label, 1 << 30, None)
    assert place.named(Step(1, 1, 0.5, 1, 1)).memory is None
