"""When a step is captured and replayed, with a pretended capture; and, on a real GPU, that a replay is a step."""

import logging
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from daemon.transfer.optimizers import capture
from daemon.transfer.optimizers.capture import CapturedStep
from daemon.transfer.optimizers.lbfgs import LBFGS
from daemon.transfer.optimizers.projected_gradient import ProjectedGradient

GPU, CPU = torch.device("cuda"), torch.device("cpu")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU of CUDA")


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


def evaluation(x: Tensor) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    random = torch.Generator().manual_seed(0)
    a = (10 ** (3 * torch.rand(x.shape, generator=random))).to(x.device)
    b = (torch.rand(x.shape, generator=random) * 2 - 0.5).to(x.device)
    return lambda x: ((a * (x - b).square()).sum() / 2, a * (x - b))


@needs_gpu
@pytest.mark.parametrize("of", ["LBFGS", "ProjectedGradient"])
def test_replays_get_where_ordinary_steps_get(of: str) -> None:
    ends = []
    with torch.no_grad():
        for captured in (False, True):
            x = torch.full((1, 3, 96, 128), 0.5, device="cuda")
            optimizer = LBFGS(evaluation(x), x, 10) if of == "LBFGS" else ProjectedGradient(evaluation(x), x)
            step = CapturedStep(optimizer.step, x.device if captured else CPU)
            for _ in range(40):
                step()
            assert (step._graph is not None) == captured
            ends.append(float(optimizer.best_loss))
    assert ends[1] == pytest.approx(ends[0], rel=1e-3)


@needs_gpu
def test_an_optimizer_goes_on_where_its_loss_cannot_be_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for the device, which no capture permits; the stream and the memory are in order afterwards."""
    monkeypatch.setattr(CapturedStep, "failure", "")
    stream = torch.cuda.current_stream()
    with torch.no_grad():
        x = torch.full((1, 3, 96, 128), 0.5, device="cuda")
        plain = evaluation(x)

        def waiting(x: Tensor) -> tuple[Tensor, Tensor]:
            f, g = plain(x)
            return f + 0 * float(f), g

        optimizer = LBFGS(waiting, x, 10)
        start, step = float(optimizer.best_loss), CapturedStep(optimizer.step, x.device)
        for _ in range(20):
            step()
    assert step._graph is None
    assert CapturedStep.failure
    assert torch.cuda.current_stream() == stream
    assert float(optimizer.best_loss) < 0.5 * start
    torch.cuda.empty_cache()
    assert torch.ones(8, device="cuda").sum().item() == 8
