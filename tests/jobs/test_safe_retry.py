"""The second try of a photo whose first painting was degenerate."""

import logging

import pytest

from daemon.errors import DegeneratePainting, JobError
from daemon.jobs.safe_retry import paint_with_safe_retry, safe
from daemon.transfer.recipe import Recipe, recipe


def test_the_second_try_is_safe_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    wild = recipe("fine", style_weight=1e30, start="noise", seed=7, keep_colors="luminance", style_scale=2.0)
    tried: list[Recipe] = []

    def paint(how: Recipe) -> str:
        tried.append(how)
        if how.style_weight > 1:
            raise DegeneratePainting("Its painting came out as no numbers.", "Do this.")
        return "a painting"

    with caplog.at_level(logging.WARNING, "styled"):
        assert paint_with_safe_retry(paint, wild, "starry/a.jpg") == "a painting"
    assert tried == [wild, safe(wild)]
    assert (tried[1].style_weight, tried[1].start) == (1.0, "content")
    assert (tried[1].seed, tried[1].keep_colors, tried[1].style_scale) == (7, "luminance", 2.0)
    (record,) = caplog.records
    assert record.getMessage() == (
        "starry/a.jpg: Its painting came out as no numbers. It is painted once more, with safe settings."
    )


def test_what_fails_twice_fails_with_its_reason() -> None:
    tried: list[Recipe] = []

    def paint(how: Recipe) -> None:
        tried.append(how)
        raise DegeneratePainting("Its painting came out in one colour.", "Do this.")

    with pytest.raises(JobError, match=r"in one colour\. A second try with safe settings did no better\.") as failure:
        paint_with_safe_retry(paint, recipe("fine"), "a.jpg")
    assert len(tried) == 2
    assert not isinstance(failure.value, DegeneratePainting)


def test_other_failures_have_no_second_try() -> None:
    def paint(how: Recipe) -> None:
        raise JobError("It is too large.", "Set a smaller `size`.")

    with pytest.raises(JobError, match="too large"):
        paint_with_safe_retry(paint, recipe("fine"), "a.jpg")
