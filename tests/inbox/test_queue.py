"""Whose turn it is, and when. Time is a parameter, and no file is touched."""

import random
from dataclasses import replace

import pytest

from daemon.inbox.photo import InboxPhoto, Signature
from daemon.inbox.queue import DOWNLOAD_SECONDS, PLACEHOLDER_SECONDS, SettleQueue
from daemon.inbox.stability import Observation, State


def a_photo(name: str = "a.jpg", style: str = "starry", size: int = 9, mtime: int = 1, inode: int = 1) -> InboxPhoto:
    return InboxPhoto(style, "", name, f"/inbox/{style}/{name}", Signature(1, inode, size, mtime))


def look(queue: SettleQueue, now: float, state: State = State.STILL) -> list[str]:
    """Look at every photo that is due, with the same result. Returns the names."""
    due = queue.due(now)
    for photo in due:
        queue.record(photo, Observation(state, None if state is State.GONE else photo), now)
    return [photo.name for photo in due]


def take_all(queue: SettleQueue) -> list[str]:
    return [photo.name for photo in iter(queue.pop, None)]


def settle(queue: SettleQueue, *photos: InboxPhoto) -> None:
    queue.update(photos, 0)
    look(queue, 2)


# when


def test_a_photo_settles_when_it_has_not_changed_since_it_was_first_seen_for_settle_seconds() -> None:
    queue = SettleQueue(2)
    queue.update([a_photo()], 100.0)
    assert queue.next_due() == 102.0
    assert not look(queue, 101.9)
    assert queue.pop() is None
    assert look(queue, 102.0) == ["a.jpg"]
    assert queue.pop() == a_photo()


@pytest.mark.parametrize("change", [{"size": 10}, {"mtime": 2}, {"inode": 2}])
def test_a_change_starts_the_wait_again(change: dict[str, int]) -> None:
    queue = SettleQueue(2)
    queue.update([a_photo()], 0.0)
    queue.update([a_photo(**change)], 1.5)  # type: ignore[arg-type]
    assert not look(queue, 3.4)
    assert look(queue, 3.5)


def test_a_change_of_a_companion_starts_the_wait_again() -> None:
    queue = SettleQueue(2)
    queue.update([a_photo()], 0.0)
    queue.update([replace(a_photo(), companions=("a.jpg.yaml",), companion_signatures=(Signature(1, 2, 3, 4),))], 1.0)
    queue.update([replace(a_photo(), companions=("a.jpg.yaml",), companion_signatures=(Signature(1, 2, 9, 4),))], 1.5)
    assert queue.next_due() == 3.5


def test_a_settled_photo_that_changes_in_the_queue_must_settle_again() -> None:
    queue = SettleQueue(2)
    settle(queue, a_photo())
    queue.update([a_photo(size=10)], 2.5)
    assert queue.pop() is None
    look(queue, 4.5)
    popped = queue.pop()
    assert popped is not None
    assert popped.signature.size == 10
    assert queue.pop() is None, "a stale entry of the queue is not handed out a second time"


@pytest.mark.parametrize("mtime", [0, -(10**18), 4_070_908_800 * 10**9])
def test_the_files_own_times_say_nothing(mtime: int) -> None:
    """Cameras without a clock write 1970, and rsync -t keeps whatever was there."""
    queue = SettleQueue(2)
    queue.update([a_photo(mtime=mtime)], 50.0)
    assert not look(queue, 51.0)
    assert look(queue, 52.0)


def test_a_photo_being_written_settles_from_its_writers_end_on_however_long_that_takes() -> None:
    queue = SettleQueue(2)
    queue.update([a_photo()], 0.0)
    for now in range(2, 7200, 2):
        assert look(queue, now, State.WRITING) == ["a.jpg"]
    (growing,) = queue.growing(7199)
    assert (growing.why, growing.seconds) == ("a program has it open for writing", 1)
    assert look(queue, 7200) == ["a.jpg"]
    assert queue.pop() is not None


def test_an_empty_photo_is_a_placeholder_until_it_has_stood_still_for_a_minute() -> None:
    queue = SettleQueue(2)
    queue.update([a_photo(size=0)], 0.0)
    assert not look(queue, PLACEHOLDER_SECONDS - 0.1)
    assert "placeholder" in queue.growing(3)[0].why
    assert look(queue, PLACEHOLDER_SECONDS)
    assert queue.pop() is not None


def test_a_placeholder_that_is_filled_settles_like_any_other() -> None:
    queue = SettleQueue(2)
    queue.update([a_photo(size=0)], 0.0)
    queue.update([a_photo(size=7)], 30.0)
    assert look(queue, 32.0)


def test_an_unreadable_photo_is_tried_again_and_does_not_keep_once_from_ending() -> None:
    queue = SettleQueue(2)
    queue.update([a_photo()], 0.0)
    look(queue, 2, State.UNREADABLE)
    assert queue.is_idle()
    assert queue.counts() == {"starry": 1}
    assert look(queue, queue.next_due()) == ["a.jpg"]
    assert queue.pop() is not None


def test_a_photo_that_cannot_be_taken_says_why_until_it_can_and_does_not_keep_once_from_ending() -> None:
    queue = SettleQueue(2)
    settle(queue, a_photo("a.jpg"), a_photo("b.jpg"))
    photo = queue.pop()
    assert photo == a_photo("a.jpg")
    queue.release(photo, 30, "no permission to move it")
    for now in (3, 10):
        queue.update([a_photo("a.jpg"), a_photo("b.jpg")], now)
        assert [each.why for each in queue.growing(now)] == ["no permission to move it"]
        assert queue.blocked() == {photo.path: "no permission to move it"}
        assert queue.next_due() == 30
    assert take_all(queue) == ["b.jpg"]
    queue.release(a_photo("b.jpg"), 0)
    queue.update([a_photo("a.jpg")], 11)
    assert queue.is_idle()
    look(queue, 30)
    assert take_all(queue) == ["a.jpg"]
    assert queue.blocked(), "said until it is known to be over"
    queue.release(photo, 0)
    assert not queue.blocked()


def test_an_unreadable_sidecar_is_named() -> None:
    queue = SettleQueue(2)
    queue.update([a_photo()], 0.0)
    queue.record(a_photo(), Observation(State.UNREADABLE, a_photo(), "a.jpg.yaml"), 2)
    assert queue.blocked() == {}, "the scan has replaced the photo that was looked at"
    (photo,) = queue.due(2)
    queue.record(photo, Observation(State.UNREADABLE, photo, "a.jpg.yaml"), 2)
    assert queue.blocked() == {photo.path: "no permission to read a.jpg.yaml"}


def test_a_photo_beside_its_own_download_waits_for_the_download_or_until_that_was_given_up() -> None:
    queue = SettleQueue(2)
    beside = replace(a_photo(), download="a.jpg.part", download_signature=Signature(1, 2, 3, 4))
    queue.update([beside], 0.0)
    assert queue.growing(1)[0].why == "a.jpg.part beside it is a download that goes on"
    assert queue.next_due() == DOWNLOAD_SECONDS
    queue.update([replace(beside, download_signature=Signature(1, 2, 9, 4))], 100.0)
    assert queue.next_due() == 100 + DOWNLOAD_SECONDS
    queue.update([a_photo()], 200.0)
    assert queue.next_due() == 202


def test_a_photo_that_is_gone_is_forgotten() -> None:
    queue = SettleQueue(2)
    queue.update([a_photo("a.jpg"), a_photo("b.jpg")], 0.0)
    queue.update([a_photo("b.jpg")], 1.0)
    look(queue, 2, State.GONE)
    assert queue.counts() == {}
    assert queue.is_idle()


def test_a_look_at_a_photo_that_a_scan_replaced_in_between_does_not_count() -> None:
    queue = SettleQueue(2)
    queue.update([a_photo()], 0.0)
    (old,) = queue.due(2)
    queue.update([a_photo(size=10)], 2.0)
    queue.record(old, Observation(State.STILL, old), 2.1)
    assert queue.pop() is None


# in hand


def test_a_photo_in_hand_is_not_handed_out_again_while_it_still_lies_there() -> None:
    queue = SettleQueue(2)
    settle(queue, a_photo())
    assert queue.pop() is not None
    queue.update([a_photo()], 3.0)
    assert look(queue, 100.0) == []
    assert not queue.is_idle()


def test_a_new_file_of_the_same_name_waits_until_the_old_one_is_released() -> None:
    queue = SettleQueue(2)
    settle(queue, a_photo())
    old = queue.pop()
    assert old is not None
    queue.update([a_photo(inode=2)], 3.0)
    look(queue, 5.0)
    assert queue.pop() is None
    queue.release(old, 6.0)
    look(queue, queue.next_due())
    new = queue.pop()
    assert new is not None
    assert new.signature.inode == 2


def test_a_photo_that_was_put_back_settles_again_and_not_before_its_pause() -> None:
    queue = SettleQueue(2)
    settle(queue, a_photo())
    photo = queue.pop()
    assert photo is not None
    queue.release(photo, 40.0)
    queue.update([a_photo()], 3.0)
    assert queue.next_due() == 40.0
    assert look(queue, 40.0)
    assert queue.pop() is not None


def test_a_photo_that_changed_at_the_last_look_keeps_its_place_by_age() -> None:
    queue = SettleQueue(2)
    settle(queue, a_photo("old.jpg"))
    old = queue.pop()
    assert old is not None
    queue.update([a_photo("new.jpg")], 3.0)
    queue.put_back(old, Observation(State.CHANGED, a_photo("old.jpg", size=10)), 4.0)
    look(queue, 6.0)
    assert take_all(queue) == ["old.jpg", "new.jpg"]


# whose turn


def test_the_oldest_comes_first_and_ties_go_by_name_as_people_count() -> None:
    queue = SettleQueue(2)
    names = [f"p{number}.jpg" for number in range(12)]
    shuffled = random.Random(1).sample(names, len(names))
    queue.update([a_photo("z.jpg")], 0.0)
    queue.update([a_photo(name) for name in ["z.jpg", *shuffled]], 1.0)
    look(queue, 3)
    assert take_all(queue) == ["z.jpg", *names]


def test_a_small_style_is_not_starved_by_a_large_one() -> None:
    queue = SettleQueue(2)
    large = [a_photo(f"l{number}.jpg", "large") for number in range(1000)]
    settle(queue, *large)
    assert [queue.pop() for _ in range(5)] == large[:5]
    queue.update([*large[5:], a_photo("s1.jpg", "small"), a_photo("s2.jpg", "small")], 3.0)
    look(queue, 5.0)
    order = take_all(queue)
    assert order[:4] == ["s1.jpg", "l5.jpg", "s2.jpg", "l6.jpg"]
    assert len(order) == 997


def test_three_styles_take_turns() -> None:
    queue = SettleQueue(2)
    settle(queue, *(a_photo(f"{style}{number}.jpg", style) for style in "abc" for number in range(3)))
    assert [name[0] for name in take_all(queue)] == list("abcabcabc")


def test_styles_that_are_no_more_are_forgotten_and_a_new_default_style_moves_its_photos() -> None:
    queue = SettleQueue(2)
    top = InboxPhoto("old", "", "top.jpg", "/inbox/top.jpg", Signature(1, 1, 1, 1))
    settle(queue, a_photo("a.jpg", "old"), a_photo("b.jpg", "kept"), top)
    queue.keep_styles({"kept", "new"})
    assert queue.counts() == {"kept": 1}
    queue.update([a_photo("b.jpg", "kept"), replace(top, style="new")], 3.0)
    look(queue, 5.0)
    assert take_all(queue) == ["b.jpg", "top.jpg"]


def test_upcoming_photos_are_named_in_the_order_in_which_they_are_taken() -> None:
    queue = SettleQueue(2)
    settle(queue, *(a_photo(f"{number}.jpg", style) for style in "ab" for number in range(3)))
    upcoming = queue.upcoming(5)
    assert upcoming == [queue.pop() for _ in range(5)]
    assert len(queue.upcoming(5)) == 1


def test_a_photo_that_settled_twice_is_upcoming_once() -> None:
    queue = SettleQueue(2)
    settle(queue, a_photo())
    queue.update([a_photo(size=10)], 3.0)
    look(queue, 5.0)
    assert queue.upcoming(5) == [a_photo(size=10)]
