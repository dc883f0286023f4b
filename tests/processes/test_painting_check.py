"""Which paintings are usable."""

import pickle

import numpy as np
import pytest

from daemon.errors import DegeneratePainting
from daemon.jobs.safe_retry import paint_with_safe_retry, safe
from daemon.processes.painter_process import PainterProcess
from daemon.processes.painting_check import check
from daemon.processes.shared_array import SharedArray
from daemon.transfer import Stylizer
from daemon.transfer.recipe import Recipe, recipe
from tests.support.scenes import Picture, scene

PHOTO, STYLE, PAINTING = scene(24, 32), scene(20, 28, seed=1), scene(24, 32, seed=2)
FINE = recipe("fine")


@pytest.fixture(scope="module")
def painter() -> PainterProcess:
    return PainterProcess("cpu", "embedded")


def one_colour(value: float = 0.5, height: int = 24, width: int = 32) -> Picture:
    return np.full((height, width, 3), value, np.float32)


def test_a_painting_passes() -> None:
    check(PAINTING, PHOTO, [(STYLE, 1.0)], FINE, loss=0.5)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_is_seen_wherever_it_is(number: float) -> None:
    painting = PAINTING.copy()
    painting[-1, -1, 2] = number
    with pytest.raises(DegeneratePainting, match="no numbers"):
        check(painting, PHOTO, [(STYLE, 1.0)], FINE)
    with pytest.raises(DegeneratePainting, match="no numbers"):
        check(painting, one_colour(), [(STYLE, 1.0)], FINE)
    with pytest.raises(DegeneratePainting, match="no numbers"):
        check(PAINTING, PHOTO, [(STYLE, 1.0)], FINE, loss=number)


def test_one_colour_is_no_painting_unless_the_photo_or_the_style_is() -> None:
    black, grey = one_colour(0.0), one_colour()
    with pytest.raises(DegeneratePainting, match="one colour"):
        check(black, PHOTO, [(STYLE, 1.0)], FINE)
    with pytest.raises(DegeneratePainting, match="one colour"):
        check(black, PHOTO, [(STYLE, 1.0), (grey, 1.0)], FINE)
    check(grey, one_colour(0.3), [(STYLE, 1.0)], FINE)
    check(grey, PHOTO, [(grey, 1.0)], FINE)
    check(one_colour(0.3, 16, 16), one_colour(0.3, 16, 16), [(STYLE, 1.0)], FINE)


def test_the_photo_as_it_was_is_no_painting_unless_the_settings_ask_for_it() -> None:
    nearly = np.clip(PHOTO + np.float32(0.001), 0, 1)
    with pytest.raises(DegeneratePainting, match="as the photo was"):
        check(nearly, PHOTO, [(STYLE, 1.0)], FINE)
    for asked in ({"style_weight": 0.0}, {"style_weight": 1e-6}, {"content_weight": 1e6}):
        check(nearly, PHOTO, [(STYLE, 1.0)], recipe("fine", **asked))
    check(nearly, PHOTO, [(PHOTO, 1.0)], FINE)  # in its own style
    with pytest.raises(DegeneratePainting):
        check(nearly, PHOTO, [(PHOTO, 1.0), (STYLE, 1.0)], FINE)


def test_a_large_picture_is_looked_at_in_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.processes.painting_check.SAMPLE", 50)
    check(PAINTING, PHOTO, [(STYLE, 1.0)], FINE)
    with pytest.raises(DegeneratePainting, match="as the photo was"):
        check(PHOTO, PHOTO, [(STYLE, 1.0)], FINE)


def test_a_flaw_comes_out_of_a_painter_process_whole() -> None:
    flaw = pickle.loads(pickle.dumps(DegeneratePainting("It is none.", "Do this.")))
    assert isinstance(flaw, DegeneratePainting)
    assert (flaw.reason, flaw.advice) == ("It is none.", "Do this.")


def test_a_style_weight_beyond_all_numbers_is_flawed_and_safe_settings_are_not(painter: PainterProcess) -> None:
    photo, style = SharedArray.of(PHOTO), SharedArray.of(STYLE)

    def paint(how: Recipe) -> SharedArray:
        return painter.paint(photo, ((style, 1.0),), how, 1, progress=lambda step: None)

    wild = recipe("draft", style_weight=1e37)
    with pytest.raises(DegeneratePainting, match="no numbers"):
        paint(wild)
    painting = paint_with_safe_retry(paint, wild, "a.jpg").array()
    assert np.array_equal(painting, Stylizer("cpu", "embedded", 1).paint(PHOTO, STYLE, safe(wild)))


@pytest.mark.parametrize("colors", ["no", "luminance", "statistics"])
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_pictures_of_one_colour_are_paintings(painter: PainterProcess, value: float, colors: str) -> None:
    flat, photo_of_many, style_of_many = map(SharedArray.of, (one_colour(value, 12, 12), scene(12, 16), scene(10, 14)))
    how = recipe("draft", keep_colors=colors)
    for photo, style in ((flat, style_of_many), (photo_of_many, flat), (flat, flat)):
        assert painter.paint(photo, ((style, 1.0),), how, 1, progress=lambda step: None).shape == photo.shape
