"""The machines of a Ray cluster, and the places on them where a painter can be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ray._private.state import state  # Ray's own libraries use this, too; Ray has no public way

from daemon.transfer.steps import Step


class Place(NamedTuple):
    """Where a painter can be: one device of one machine."""

    node: str
    host: str
    number: int  # among the devices of its machine
    cpus: float  # of its machine

    def __str__(self) -> str:
        return f"painter {self.host} {self.node[:6]}" + (f":{self.number}" if self.number else "")

    def named(self, step: Step) -> Step:
        """`step` with this machine's name before the device: each actor calls its only GPU cuda:0."""
        if step.memory is None:
            return step
        kind = step.memory.device.partition(":")[0]
        device = kind if kind == "cpu" else f"{kind}:{self.number}"
        return step._replace(memory=step.memory._replace(device=f"{self.host} {self.node[:6]} {device}"))


def places(node: dict[str, Any], device: str) -> Iterator[Place]:
    """The places of a machine: each of its GPUs if `device` is "cuda", otherwise its CPU."""
    cpus = float(node["Resources"].get("CPU", 0))
    count = gpus(node) if device == "cuda" else int(cpus >= 1)
    for number in range(count):
        yield Place(node["NodeID"], node["NodeManagerAddress"], number, cpus)


def gpus(node: dict[str, Any]) -> int:
    """How many GPUs a machine has."""
    return int(node["Resources"].get("GPU", 0))


def draining() -> set[str]:
    """The machines that the cluster is about to remove: they finish their work and get no more."""
    ask = getattr(state, "getdraining_nodes", None)
    return set(ask()) if ask else set()
