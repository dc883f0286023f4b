"""When `--once` waits in vain."""

from daemon.service import backoff
from daemon.service.backoff import GiveUpTimer
from daemon.status import Status


def test_it_is_in_vain_when_nothing_was_finished_for_long_and_nothing_is_being_painted() -> None:
    now, board = [0.0], Status()
    watch = GiveUpTimer(lambda: now[0])

    def after(seconds: float, trouble: str = "the disk is full") -> bool:
        now[0] += seconds
        return watch.is_in_vain(board, trouble)

    assert not after(0)
    assert not after(backoff.PATIENCE)
    board.count(delivered=1)
    assert not after(1)
    board.begin("1", "a.jpg", "starry")
    board.stage("1", "painting")
    assert not after(1000), "a long painting is no standstill"
    board.stage("1", "waiting for a painter")
    assert not after(1), "it comes to that, whatever hinders the others"
    board.trouble = "the painter cannot work"
    assert after(1)


def test_without_trouble_it_waits_for_ever() -> None:
    now = [0.0]
    watch = GiveUpTimer(lambda: now[0])
    for _ in range(3):
        now[0] += 1e6
        assert not watch.is_in_vain(Status(), "")
    now[0] += backoff.PATIENCE
    assert not watch.is_in_vain(Status(), "the disk is full")
