"""When a step is captured and replayed, with a pretended capture; tests/devices/ captures on a real GPU."""

import logging
from collections.abc import Callable

import pytest
import torch

from daemon.transfer.optimizers import capture
from daemon.transfer.optimizers.capture import CapturedStep

GPU, CPU = torch.device("cuda"), torch.device("cpu")


class Graph:
    """What `graph_of` returns, without a GPU."""

    def __init__(self, said: list[str]) -> None:
        self._said = said

    def replay(self) -> None:
        self._said.append("replay")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done, in order; the capture is pretended."""
    done: list[str] = []

    def graph_of(step: Callable[[], None]) -> Graph:
        done.append("capture")
        return Graph(done)

    monkeypatch.setattr(capture, "graph_of", graph_of)
    monkeypatch.setattr(CapturedStep, "failure", "")
    return done


def calls(count: int, said: list[str], device: torch.device) -> list[str]:
    step = CapturedStep(lambda: said.append("step"), device)
    for _ in range(count):
        step()
    return said


def test_the_first_step_is_an_ordinary_one_and_the_others_are_replays_of_the_second(said: list[str]) -> None:
    assert calls(4, said, GPU) == ["step", "capture", "replay", "replay", "replay"]


def test_on_a_cpu_every_step_is_an_ordinary_one(said: list[str]) -> None:
    assert calls(3, said, CPU) == ["step"] * 3


def test_it_can_be_switched_off(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CapturedStep, "enabled", False)
    assert calls(3, said, GPU) == ["step"] * 3


def failing(said: list[str], error: Exception) -> Callable[[Callable[[], None]], Graph]:
    def graph_of(step: Callable[[], None]) -> Graph:
        said.append("capture")
        try:
            raise error
        finally:
            raise RuntimeError("operation failed due to a previous error during capture")

    return graph_of


def test_where_the_capture_fails_all_steps_are_ordinary_ones_and_the_first_reason_is_said_once(
    said: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    waits = RuntimeError("operation not permitted when stream is capturing\nmore")
    monkeypatch.setattr(capture, "graph_of", failing(said, waits))
    with caplog.at_level(logging.INFO, "styled"):
        assert calls(4, said, GPU) == ["step", "capture", "step", "step", "step"]
        calls(3, said, GPU)
    assert [record.__dict__["event"] for record in caplog.records] == ["eager"]
    assert CapturedStep.failure == "operation not permitted when stream is capturing"
    assert CapturedStep.failure in caplog.text
    assert "more" not in caplog.text


def test_a_graph_that_memory_is_short_for_says_nothing_of_other_graphs(
    said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "graph_of", failing(said, torch.OutOfMemoryError("CUDA out of memory")))
    assert calls(3, said, GPU) == ["step", "capture", "step", "step"]
    assert not CapturedStep.failure


def test_a_graph_that_cannot_be_launched_is_not_used(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def replay(self: Graph) -> None:
        raise RuntimeError("CUDA error: invalid argument")

    monkeypatch.setattr(Graph, "replay", replay)
    assert calls(3, said, GPU) == ["step", "capture", "step", "step"]
    assert CapturedStep.failure == "CUDA error: invalid argument"
