"""Whose fault it is that a process died."""

from daemon.inbox.scan import Signature
from daemon.jobs.failures import TRIES, FailureTracker

PICTURE = Signature(1, 2, 3, 4)


def test_one_sick_painter_among_several_condemns_no_picture() -> None:
    blame = FailureTracker()
    died = [blame.strike(PICTURE, on_painter=True, painter="cuda:1", alone=False) for _ in range(5)]
    assert max(died) < TRIES
    assert blame.strike(PICTURE, on_painter=True, painter="cuda:0", alone=False) == TRIES


def test_alone_the_third_death_counts_whoever_died() -> None:
    blame = FailureTracker()
    assert [blame.strike(PICTURE, on_painter=True, painter="painter") for _ in range(3)] == [1, 2, 3]
