"""Frames of a film: few, small, even, and true to the painting."""

from dataclasses import replace

import numpy as np
import pytest

from daemon.transfer import Stylizer
from daemon.transfer.film import FRAMES, SIDE, Film
from daemon.transfer.recipe import KeepColors, recipe
from daemon.transfer.steps import Frame, Step
from tests.support.scenes import Picture, scene

CONTENT, STYLE = scene(24, 32, 1), scene(20, 28, 2) * np.array([1.0, 0.5, 0.2], np.float32)


def pixels(frame: Frame) -> Picture:
    width, height, rgb = frame
    picture: Picture = np.frombuffer(rgb, np.uint8).reshape(height, width, 3).astype(np.float32) / np.float32(255)
    return picture


@pytest.mark.parametrize("keep_colors", ["no", "luminance"])
@pytest.mark.parametrize("preset", ["fine", "draft", "tutorial"])
def test_each_step_can_show_the_painting_and_the_last_shows_what_is_returned(
    stylizer: Stylizer, preset: str, keep_colors: KeepColors
) -> None:
    seen: list[Picture] = []

    def on_step(step: Step) -> None:
        assert step.picture is not None
        seen.append(step.picture().copy())

    how = replace(recipe(preset, keep_colors=keep_colors), scales=((0.5, 2), (1.0, 3)), eased=0.0)
    painting = stylizer.paint(CONTENT, STYLE, how, on_step)
    assert all(picture.shape[2] == 3 and 0 <= picture.min() <= picture.max() <= 1 for picture in seen)
    assert max(picture.shape for picture in seen) == CONTENT.shape
    np.testing.assert_array_equal(seen[-1], painting)
    assert float(np.abs(seen[0].mean((0, 1)) - painting.mean((0, 1))).max()) < 0.5


def test_frames_are_even_and_the_last_is_the_painting(stylizer: Stylizer) -> None:
    camera, frames = Film(*CONTENT.shape[:2]), []
    painting = stylizer.paint(
        CONTENT, STYLE, recipe("fine"), lambda step: frames.extend([f] if (f := camera.frame(step)) else [])
    )
    assert 5 < len(frames) <= FRAMES + 1
    assert {frame[:2] for frame in frames} == {(32, 24)}
    assert float(np.abs(pixels(frames[-1]) - painting).max()) <= 0.5 / 255 + 1e-6


def test_many_steps_give_few_small_frames_and_ask_for_few_pictures() -> None:
    camera, asked = Film(3000, 4000), 0
    large = np.zeros((300, 400, 3), np.float32)

    def picture() -> Picture:
        nonlocal asked
        asked += 1
        return large

    steps = [Step(n, 1000, 1.0, 1, 1, n / 1000, picture=picture) for n in range(1, 1001)]
    frames = [frame for step in steps if (frame := camera.frame(step))]
    assert asked == len(frames) == FRAMES + 1
    assert {frame[:2] for frame in frames} == {(SIDE, SIDE * 3 // 4)}
    assert camera.frame(Step(1, 1, 1.0, 1, 1, 1.0)) is None, "a step without a picture"
