"""Terms of a loss of one's own."""

import dataclasses
import functools

import numpy as np
import pytest
import torch
from torch import Tensor

from daemon.transfer import PRESETS, Step, Stylizer
from daemon.transfer.terms import Term

RECIPE = dataclasses.replace(PRESETS["draft"], scales=((1.0, 12),), finer=())
PHOTO = np.random.default_rng(0).random((40, 48, 3), dtype=np.float32)
STYLE = np.random.default_rng(1).random((32, 32, 3), dtype=np.float32)


def towards(colour: float, weight: float = 1.0) -> Term:
    def term(c: Tensor) -> object:
        assert c.shape[1] == 3
        return lambda x: weight * (x - colour).square().mean()

    return term  # type: ignore[return-value]


def painted(recipe: object = RECIPE, **own: Term) -> tuple["np.typing.NDArray[np.float32]", list[Step]]:
    steps: list[Step] = []
    stylizer = Stylizer(device="cpu", weights="embedded", threads=1, terms=own)
    return stylizer.paint(PHOTO, STYLE, recipe, steps.append), steps  # type: ignore[arg-type]


@functools.cache
def without_terms() -> "np.typing.NDArray[np.float32]":
    return painted()[0]


def test_a_term_moves_the_painting_and_is_part_of_the_loss() -> None:
    dark, steps = painted(dark=towards(0.0, 1e4))
    assert dark.mean() < without_terms().mean() / 2
    last = dict(steps[-1].terms)
    assert last["dark"] > 0
    assert sum(last.values()) == pytest.approx(steps[-1].loss, rel=1e-3)


def test_without_the_recipes_style_and_content_only_the_own_term_is_left() -> None:
    recipe = dataclasses.replace(RECIPE, style_weight=0.0, content_weight=0.0, smoothness=0.0)
    painting, _ = painted(recipe, grey=towards(0.25))
    assert painting == pytest.approx(np.full_like(painting, 0.25), abs=0.01)


def test_no_term_changes_no_bit() -> None:
    plain = Stylizer(device="cpu", weights="embedded", threads=1).paint(PHOTO, STYLE, RECIPE)
    assert np.array_equal(without_terms(), plain)


def test_a_term_that_returns_a_picture_is_refused_by_name() -> None:
    def picture(c: Tensor) -> object:
        return lambda x: x - c

    with pytest.raises(ValueError, match="haze: a term returns a single number, not values of shape"):
        painted(haze=picture)  # type: ignore[arg-type]


def test_a_term_that_does_not_look_at_the_picture_changes_nothing() -> None:
    painting, _ = painted(constant=lambda c: lambda x: torch.tensor(3.0))
    assert np.abs(without_terms() - painting).max() < 0.02
