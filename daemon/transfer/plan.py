"""What fits: whether a picture is computed whole or in tiles, and with how many curvature pairs.

Counted before each scale against the device's free memory. The picture's size never changes, and neither does the
gradient. Tiles only cost time and so come first; fewer pairs, which cost quality for the same evaluations, last.
"""

import logging
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from .memory import is_shortage
from .network.layers import LAYERS, WIDTHS
from .objective import Objective
from .optimizers.capture import is_capturing
from .optimizers.lbfgs import Evaluate
from .recipe import Recipe, deepest_layer
from .steps import Level
from .tiles import grid, margin, stride

log = logging.getLogger("styled")

SIDES = (2048, 1024, 512, 256, 128)  # px of a tile
CHEAP = 4  # margins to a tile's side: below that it would cost more than twice the work
FLOAT = 4  # bytes
FIXED = 400 << 20  # bytes, for the libraries' own buffers
TRANSIENT = 3  # copies of the largest layer that are held at once, beside what the way back needs
PIXELS = 8  # pictures, likewise
PYRAMID = 0.27  # pictures of the full size: the gradient of the next smaller level, and what the low-pass works with
SHARE = 0.8  # of the free memory that is planned with


class Plan(NamedTuple):
    """How one scale is painted."""

    side: int | None  # px of a tile; None: the whole picture at once
    keep: bool  # the content's features; else they are computed anew in each evaluation
    history: int  # curvature pairs; 0: an optimiser that needs none

    def __str__(self) -> str:
        where = "whole" if self.side is None else f"in tiles of {self.side} px"
        return where if self.keep else f"{where}, the photo's features computed anew each time"


def plans(recipe: Recipe, level: Level) -> list[Plan]:
    """Every way to paint this level, the best first."""
    most = max(2, min(recipe.history, level.evaluations))
    histories = [h for h in (most, most // 2, most // 4, 5, 2) if 2 <= h <= most]
    sides = [side for side in SIDES if side < max(level.height, level.width)]
    cheap = [side for side in sides if side >= CHEAP * margin(deepest_layer(recipe))]
    ways = [(None, True), *((side, True) for side in cheap), *((side, False) for side in cheap)]
    last = [Plan(side, keep, 0) for keep in (True, False) for side in (None, *sides) if keep or side]
    return [Plan(side, keep, h) for h in dict.fromkeys(histories) for side, keep in ways] + last


def fitting(recipe: Recipe, level: Level, free: int) -> Iterator[Plan]:
    """The best plan that fits into `free` bytes, then, for when it does not after all, those that need less.

    Where none fits, the one that needs least is tried: what a system says about its memory is not always so.
    """
    every = [(plan, needed(plan, recipe, level)) for plan in plans(recipe, level)]
    last = min(need for _, need in every)
    room = max(free * SHARE, last)
    for plan, need in every:
        if need <= room:
            yield plan
            room = need - 1


def needed(plan: Plan, recipe: Recipe, level: Level) -> int:
    """Bytes that a level takes beyond the content and the start, which are there already."""
    pixels = level.height * level.width
    tiles = grid(level.height, level.width, plan.side, deepest_layer(recipe))
    largest = max((t.rows.high - t.rows.low) * (t.columns.high - t.columns.low) for t in tiles)
    kept = sum(size(name) for name, _ in recipe.content_layers) if plan.keep else 0.0
    pictures = vectors(plan.history) + (PYRAMID if recipe.pyramid > 1 else 0)
    return FIXED + round(pixels * (3 * FLOAT * pictures + kept) + largest * activations(recipe))


def vectors(history: int) -> int:
    """Pictures in float32 that the optimiser with so many pairs holds at most: points, gradients, spectra, pairs.

    Beside the start, which one without pairs moves.
    """
    return 22 + 2 * history if history else 4


def size(layer: str) -> float:
    """Bytes of a layer's features per pixel of the picture."""
    return FLOAT * WIDTHS[int(layer[4]) - 1] / stride(layer) ** 2


def activations(recipe: Recipe) -> float:
    """Bytes per pixel that one evaluation holds at most: what the way back needs, and what it works with."""
    total = PIXELS * 3 * FLOAT + TRANSIENT * size(LAYERS[0])
    for name in LAYERS[: LAYERS.index(deepest_layer(recipe)) + 1]:
        if name.startswith("conv"):
            total += size(name)  # itself, or what ReLU made of it in place
        if name.startswith("pool") and recipe.pooling == "max":
            total += 3 * size(name)  # and where the largest was, as int64
    return total


class FallbackObjective:
    """An objective that, where memory runs out, goes down its plans and evaluates the same point again.

    MemoryError: only fewer pairs would help, which are the optimizer's; or, from `fewer_pairs`, nothing would.
    """

    def __init__(self, objective: Callable[[Plan], Evaluate], options: Iterator[Plan]) -> None:
        self._objective, self._options = objective, options
        self._evaluate: Evaluate | None = None
        self.plan = next(options)

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        history = self.plan.history
        while True:
            try:
                if self._evaluate is None:
                    self._evaluate = self._objective(self.plan)
                return self._evaluate(x)
            except Exception as error:
                if not is_shortage(error) or is_capturing():
                    raise
            self._step_down()  # only here are the frames of the error, and what they hold, gone
            if self.plan.history != history:
                raise MemoryError

    def fewer_pairs(self, than: int) -> None:
        """Go down to a plan with fewer pairs than an optimizer had that found no memory for itself."""
        while self.plan.history >= than:
            self._step_down()
            if self.plan.history == 0:
                return

    def terms(self, x: Tensor) -> dict[str, float]:
        """What the loss at x is the sum of; nothing where memory is short even of that."""
        try:
            return self._evaluate.terms(x) if isinstance(self._evaluate, Objective) else {}
        except Exception as error:
            if not is_shortage(error):
                raise
            return {}

    def turn(self) -> None:
        """Go on by the next plan. MemoryError: there is none."""
        self._evaluate = None
        plan = next(self._options, None)
        if plan is None:
            raise MemoryError
        self.plan = plan

    def _step_down(self) -> None:
        self.turn()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        log.info("memory ran out; the same painting goes on %s", self.plan, extra={"event": "memory_short"})
