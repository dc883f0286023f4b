import itertools

import torch

from daemon.transfer.looks import PATIENCE, SILENCE, Looks

CPU, GPU = torch.device("cpu"), torch.device("cuda")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def reads(device: torch.device, seconds: float, last: int = 34) -> list[int]:
    """After which evaluations the loss is read, where each takes so many seconds."""
    clock, found = Clock(), []
    looks = Looks(device, last, clock)
    for done in range(1, last + 1):
        clock.now += seconds
        if looks.is_due(done):
            found.append(done)
            looks.stands_still(done, 1 / done)
    return found


def test_each_loss_is_read_on_a_cpu_and_every_tenth_on_a_gpu_beside_the_first_and_the_last() -> None:
    assert reads(CPU, 0.01) == list(range(1, 35))
    assert reads(GPU, 0.01) == [1, 10, 20, 30, 34]


def test_a_slow_gpu_gives_a_sign_of_life_every_minute() -> None:
    found = reads(GPU, 0.4 * SILENCE)
    assert max(b - a for a, b in itertools.pairwise(found)) == 3
    assert reads(GPU, 2 * SILENCE) == list(range(1, 35))


def test_a_loss_stands_still_on_the_regular_reads_alone_so_that_no_time_decides_about_a_painting() -> None:
    for seconds in (0.01, 2 * SILENCE):
        clock, ends = Clock(), None
        looks = Looks(GPU, 100, clock)
        for done in range(1, 101):
            clock.now += seconds
            if looks.is_due(done) and looks.stands_still(done, 1.0) and ends is None:
                ends = done
        assert ends == PATIENCE + 10


def test_losses_of_another_kind_are_forgotten() -> None:
    looks = Looks(CPU, 100)
    for done in range(1, PATIENCE + 1):
        assert not looks.stands_still(done, 1.0)
    looks.forget()
    assert not looks.stands_still(PATIENCE + 1, 1.0)
