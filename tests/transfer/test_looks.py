"""When the loss of a scale is read, with pretended events, and when a scale ends early."""

import itertools

import pytest
import torch
from torch import Tensor

from daemon.transfer import looks
from daemon.transfer.looks import PATIENCE, SILENCE, Looks

CPU, GPU = torch.device("cpu"), torch.device("cuda")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Machine:
    """A GPU and a host that share a clock. `queue`: how many evaluations the host can be ahead of the GPU."""

    def __init__(self, seconds: float, queue: int) -> None:
        """`seconds` that an evaluation takes."""
        self.clock, self._seconds, self._queue, self._launched = Clock(), seconds, queue, 0

    def launch(self) -> None:
        self._launched += 1
        self._computed(self._launched - self._queue)

    def _computed(self, evaluations: int) -> None:
        self.clock.now = max(self.clock.now, evaluations * self._seconds)

    def event(self) -> "Machine":
        event = Machine(self._seconds, self._queue)
        event.clock = self.clock
        event._launched = self._launched
        return event

    def record(self) -> None:
        pass

    def synchronize(self) -> None:
        self._computed(self._launched)


@pytest.fixture(autouse=True)
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "pinned", lambda: torch.empty(()))


def told(
    device: torch.device, seconds: float, last: int = 34, losses: dict[int, float] | None = None, queue: int = 1000
) -> list[tuple[int, int, float]]:
    """(when, of which evaluation, loss) of what is told, where each evaluation takes so many seconds. The losses fall,
    but for those given."""
    machine, found, loss = Machine(seconds, queue), [], torch.zeros(())  # as an optimiser: always in the same memory
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(looks, "event", machine.event)
        reads = Looks(device, last, machine.clock)
        for done in range(1, last + 1):
            machine.launch()
            loss.fill_((losses or {}).get(done, 1 / done))
            found += [(done, count, value) for count, value in reads.after(done, loss)]
            if reads.ended:
                break
    assert reads.ended
    return found


def test_a_cpu_tells_each_loss_at_once() -> None:
    assert told(CPU, 0.01, 4) == [(n, n, float(torch.tensor(1 / n))) for n in range(1, 5)]


def test_a_gpu_tells_every_tenth_loss_one_look_later_and_the_first_and_the_last_at_once() -> None:
    found = told(GPU, 0.01)
    assert [(when, of) for when, of, _ in found] == [(1, 1), (20, 10), (30, 20), (34, 30), (34, 34)]
    assert [loss for _, _, loss in found] == [pytest.approx(1 / of) for _, of, _ in found]


@pytest.mark.parametrize("queue", [0, 1, 1000])
def test_a_slow_gpu_gives_a_sign_of_life_every_minute(queue: int) -> None:
    for seconds, most in ((0.4 * SILENCE, 3), (2 * SILENCE, 1)):
        found = [of for _, of, _ in told(GPU, seconds, queue=queue)]
        assert found == sorted(set(found))
        assert max(b - a for a, b in itertools.pairwise(found)) == most


@pytest.mark.parametrize("seconds", [0.01, 0.4 * SILENCE, 2 * SILENCE])
def test_a_scale_ends_early_after_the_same_evaluations_however_long_they_take(seconds: float) -> None:
    """On a GPU a look later than the loss that stands still; the last loss counts as that of the last evaluation."""
    still = dict.fromkeys(range(1, 101), 1.0)
    assert told(CPU, seconds, 100, still)[-1] == (PATIENCE + 1, 100, 1.0)
    assert told(GPU, seconds, 100, still)[-1] == (PATIENCE + 20, 100, 1.0)


def test_losses_of_another_kind_are_forgotten_those_on_their_way_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "event", Machine(0.01, 1000).event)
    for device in (CPU, GPU):
        reads, loss = Looks(device, 200), torch.ones(())
        for done in range(1, PATIENCE + 1):
            reads.after(done, loss)
        reads.forget()
        for done in range(PATIENCE + 1, 2 * PATIENCE + 1):
            reads.after(done, loss)
        assert not reads.ended
        for done in range(2 * PATIENCE + 1, 3 * PATIENCE):
            reads.after(done, loss)
        assert reads.ended


def test_a_scale_without_evaluations_has_ended() -> None:
    assert Looks(CPU, 0).ended


def test_where_no_memory_can_be_pinned_the_host_waits_for_the_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*shape: object, pin_memory: bool = False) -> Tensor:
        if pin_memory:
            raise RuntimeError("CUDA error: out of memory")
        return torch.zeros(())

    monkeypatch.undo()
    monkeypatch.setattr(torch, "empty", none_left)
    assert looks.pinned() == 0
