"""What follows when a process dies on a photo."""

from daemon.inbox.photo import Signature
from daemon.jobs.failures import KEPT, TRIES, FailureTracker, Verdict

PHOTO, *OTHERS = (Signature(1, inode, 3, 4) for inode in range(2, 2 + KEPT + 1))


def died(failures: FailureTracker, photo: Signature, painter: str | None, *, alone: bool = True) -> Verdict:
    return failures.record_death(photo, painter, alone=alone)


def test_one_sick_painter_among_several_sets_no_photo_aside() -> None:
    failures = FailureTracker()
    for _ in range(5):
        assert died(failures, PHOTO, "cuda:1", alone=False) is Verdict.RETRY
    assert died(failures, PHOTO, "cuda:0", alone=False) is Verdict.SET_ASIDE


def test_with_one_painter_the_third_death_sets_the_photo_aside() -> None:
    failures = FailureTracker()
    verdicts = [died(failures, PHOTO, "painter") for _ in range(TRIES)]
    assert verdicts == [Verdict.RETRY, Verdict.RETRY, Verdict.SET_ASIDE]
    failures.forget(PHOTO)
    assert died(failures, PHOTO, "painter") is Verdict.RETRY, "the photo has all its tries again"


def test_deaths_of_readers_count_too() -> None:
    failures = FailureTracker()
    assert [died(failures, PHOTO, None, alone=False) for _ in range(TRIES)][-1] is Verdict.SET_ASIDE


def test_three_photos_in_a_row_that_end_their_painter_have_the_device_tested_before_they_count() -> None:
    failures = FailureTracker()
    for photo in OTHERS[:2]:
        assert died(failures, photo, "painter") is Verdict.RETRY
    assert died(failures, PHOTO, "painter") is Verdict.TEST_DEVICE
    assert failures.deaths(PHOTO) == 0
    failures.device_passed()
    assert died(failures, PHOTO, "painter") is Verdict.RETRY
    assert failures.deaths(PHOTO) == 1


def test_a_finished_painting_ends_the_row_and_clears_its_photo() -> None:
    failures = FailureTracker()
    for photo in OTHERS[:2]:
        died(failures, photo, "painter")
    failures.painted(OTHERS[0])
    assert failures.deaths(OTHERS[0]) == 0
    assert died(failures, PHOTO, "painter") is Verdict.RETRY


def test_only_the_last_photos_are_remembered() -> None:
    failures = FailureTracker()
    for photo in (PHOTO, *OTHERS):
        died(failures, photo, None)
    assert failures.deaths(PHOTO) == 0
    assert failures.deaths(OTHERS[-1]) == 1
