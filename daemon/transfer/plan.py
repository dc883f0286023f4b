"""Plans that fit into memory: whether a picture is computed whole or in tiles, and with how many curvature pairs.

Before each scale the need is counted and compared with the device's free memory. No plan changes the picture's size
or the gradient. Tiles only cost time, so they are tried first; fewer pairs cost quality, so they are tried last.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from .errors import first_line
from .memory import is_shortage
from .network.layers import LAYERS, VGG19, Cut, Layer, cut
from .objective import Objective
from .optimizers.capture import is_capturing
from .optimizers.lbfgs import Evaluate
from .recipe import Recipe, compared, deepest_layer
from .steps import Level
from .terms import OwnTerms
from .tiles import grid

log = logging.getLogger("styled")

SIDES = (2048, 1024, 512, 256, 128)  # px of a tile
CHEAP = 4  # margins in a tile's side; with fewer the tiles cost more than twice the work of the whole picture
FLOAT = 4  # bytes
FIXED = 400 << 20  # bytes, for buffers of the libraries
TRANSIENT = 3  # copies of the largest layer that an evaluation holds beside the features for the way back
PIXELS = 8  # pictures, likewise
OWN = 4  # copies of each layer of a network of the caller's, likewise: a guess
PYRAMID = 0.27  # pictures of the full size: the gradient of the next smaller level, and buffers of the low-pass
REACH = 2**31 - 1  # values of a tensor that the index of a GPU's kernel can reach
SHARE = 0.8  # part of the free memory that plans may use


class Plan(NamedTuple):
    """How a scale is painted."""

    side: int | None  # px of a tile; None: the whole picture at once
    keep: bool  # whether the photo's features are kept; False: recomputed at each evaluation
    history: int  # curvature pairs of L-BFGS; 0: ProjectedGradient, which has none
    half: bool = False  # whether features are computed in bfloat16

    def __str__(self) -> str:
        where = "whole" if self.side is None else f"in tiles of {self.side} px"
        return where if self.keep else f"{where}, with the photo's features recomputed each time"


def plans(recipe: Recipe, level: Level, layers: Mapping[str, Layer] = VGG19) -> list[Plan]:
    """Every way to paint this level with a network of these layers, the best first; whole only if they have no halo."""
    halo = cut(layers, compared(recipe)).halo
    most = max(2, min(recipe.history, level.evaluations))
    histories = [h for h in (most, most // 2, most // 4, 5, 2) if 2 <= h <= most]
    sides = [side for side in SIDES if side < max(level.height, level.width)] if halo is not None else []
    cheap = [side for side in sides if side >= CHEAP * (halo or 0)]
    largest = max(layer.maps / layer.stride**2 for layer in layers.values())
    whole = [(None, True)] if level.height * level.width * largest <= REACH or not sides else []
    ways = [*whole, *((side, True) for side in cheap), *((side, False) for side in cheap)]
    last = [
        Plan(side, keep, 0) for keep in (True, False) for side in (*(way[0] for way in whole), *sides) if keep or side
    ]
    return [Plan(side, keep, h) for h in dict.fromkeys(histories) for side, keep in ways] + last


def fitting(recipe: Recipe, level: Level, free: int, layers: Mapping[str, Layer] = VGG19) -> Iterator[Plan]:
    """The best plan that fits into `free` bytes, then plans that need less, in case memory runs out after all.

    If no plan fits, the plan that needs least is tried: the figure of the system may be wrong. Raises MemoryError if
    that plan would be the whole picture, of a network without tiles.
    """
    every = [(plan, needed(plan, recipe, level, layers)) for plan in plans(recipe, level, layers)]
    last = min(need for _, need in every)
    if last > free and cut(layers, compared(recipe)).halo is None:
        raise MemoryError
    room = max(free * SHARE, last)
    for plan, need in every:
        if need <= room:
            yield plan
            room = need - 1


def needed(plan: Plan, recipe: Recipe, level: Level, layers: Mapping[str, Layer] = VGG19) -> int:
    """Bytes that a level needs beyond the photo and the start, which are on the device already."""
    pixels = level.height * level.width
    largest = _largest(level.height, level.width, plan.side, cut(layers, compared(recipe)))
    kept = sum(size(layers[name]) for name, _ in recipe.content_layers) if plan.keep else 0.0
    if recipe.style_floor < 1 and plan.keep:  # the weight of each place
        kept += sum(FLOAT / stride**2 for stride in {layers[name].stride for name, _ in recipe.style_layers})
    pictures = vectors(plan.history) + (PYRAMID if recipe.pyramid > 1 else 0)
    return FIXED + round(pixels * (3 * FLOAT * pictures + kept) + largest * activations(recipe, layers))


@lru_cache(len(SIDES) + 1)
def _largest(height: int, width: int, side: int | None, by: Cut) -> int:
    """Pixels of the largest tile with its margin."""
    tiles = grid(height, width, side, by)
    return max((t.rows.high - t.rows.low) * (t.columns.high - t.columns.low) for t in tiles)


def vectors(history: int) -> int:
    """Pictures in float32 that the optimiser with `history` pairs holds at most: points, gradients, spectra, pairs.

    The start is not counted; the optimiser without pairs overwrites it.
    """
    return 22 + 2 * history if history else 4


def size(layer: Layer) -> float:
    """Bytes of a layer's features for each pixel of the picture."""
    return FLOAT * layer.maps / layer.stride**2


def activations(recipe: Recipe, layers: Mapping[str, Layer] = VGG19) -> float:
    """Bytes per pixel that one evaluation holds at most: features for the way back, and temporary copies."""
    if layers is not VGG19:
        return PIXELS * 3 * FLOAT + OWN * sum(size(layer) for layer in layers.values())
    total = PIXELS * 3 * FLOAT + TRANSIENT * size(VGG19[LAYERS[0]])
    for name in LAYERS[: LAYERS.index(deepest_layer(recipe)) + 1]:
        if name.startswith("conv"):
            total += size(VGG19[name])  # of the convolution, or of ReLU in its place
        if name.startswith("pool") and recipe.pooling == "max":
            total += 3 * size(VGG19[name])  # the maxima and their places as int64
    return total


class FallbackObjective:
    """An objective that takes the next plan when memory runs out, and evaluates the same point again.

    A call raises MemoryError if the next plan has fewer pairs, because the pairs belong to the optimiser, or if there
    is no next plan. `plan` is the present plan. What fails in bfloat16 is computed in full precision.
    """

    half_failure: ClassVar[str] = ""  # why an evaluation in bfloat16 failed, the first in this process

    def __init__(self, objective: Callable[[Plan], Evaluate], options: Iterator[Plan]) -> None:
        self._objective, self._options = objective, options
        self._evaluate: Evaluate | None = None
        self._full = bool(self.half_failure)
        self.plan = self._allowed(next(options))

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        history = self.plan.history
        failure = ""  # in bfloat16
        while True:
            try:
                if self._evaluate is None:
                    self._evaluate = self._objective(self.plan)
                found = self._evaluate(x)
                if failure and not self.half_failure:  # and full precision succeeds
                    FallbackObjective.half_failure = failure
                    log.warning("paintings are computed in full precision alone, which is slower: %s", failure)
                return found
            except Exception as error:
                is_short = is_shortage(error)
                if is_capturing() or not (is_short or (self.plan.half and isinstance(error, RuntimeError))):
                    raise
                failure = failure or ("" if is_short else first_line(error))
            # outside `except`, where the error's frames no longer hold tensors
            if not is_short:
                self.in_full()
                continue
            self._step_down()
            if self.plan.history != history:
                raise MemoryError

    def fewer_pairs(self, than: int) -> None:
        """Take the next plans until one has fewer than `than` pairs. Raises MemoryError if there is none."""
        while self.plan.history >= than:
            self._step_down()
            if self.plan.history == 0:
                return

    def terms(self, x: Tensor) -> dict[str, float]:
        """{name: value} of the terms that add up to the loss at x; {} if memory is short for that."""
        try:
            return self._evaluate.terms(x) if isinstance(self._evaluate, Objective | OwnTerms) else {}
        except Exception as error:
            if not is_shortage(error):
                raise
            return {}

    def turn(self) -> None:
        """Take the next plan. Raises MemoryError if there is none."""
        self._evaluate = None
        plan = next(self._options, None)
        if plan is None:
            raise MemoryError
        self.plan = self._allowed(plan)

    def in_full(self) -> None:
        """Compute nothing in bfloat16 from now on."""
        self._full = True
        if self.plan.half:
            self._evaluate, self.plan = None, self.plan._replace(half=False)

    def _allowed(self, plan: Plan) -> Plan:
        return plan._replace(half=plan.half and not self._full)

    def _step_down(self) -> None:
        self.turn()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        log.info("memory ran out; the same painting goes on %s", self.plan, extra={"event": "memory_short"})
