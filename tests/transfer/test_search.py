"""The optimiser of a level, and the graph of its steps."""

import weakref
from dataclasses import replace

import pytest
from torch import Tensor

from daemon.transfer import Stylizer, search
from daemon.transfer.objective import Objective
from daemon.transfer.optimizers.capture import CapturedStep
from daemon.transfer.recipe import PRESETS
from tests.support.scenes import scene


def test_a_graph_is_freed_before_the_last_look_at_the_loss_which_needs_its_memory(
    stylizer: Stylizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs: list[weakref.ref[CapturedStep]] = []
    alive: list[int] = []

    class Noted(CapturedStep):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)  # type: ignore[arg-type]
            graphs.append(weakref.ref(self))

    class Looked(Objective):
        def terms(self, x: Tensor) -> dict[str, float]:
            alive.append(sum(graph() is not None for graph in graphs))
            return super().terms(x)

    monkeypatch.setattr(search, "CapturedStep", Noted)
    monkeypatch.setattr("daemon.transfer.stylizer.Objective", Looked)
    stylizer.paint(scene(40, 48, 1), scene(40, 40, 2), replace(PRESETS["draft"], scales=((0.5, 3), (1.0, 4))))
    assert len(graphs) == 2
    assert alive == [0]
