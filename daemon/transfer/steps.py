"""The scales of a painting, and what the painting reports at each step: scale, evaluations, memory, loss."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from .recipe import BASE, Recipe

if TYPE_CHECKING:  # the daemon process reads steps, and loads no numpy
    from .colors import Picture

Frame = tuple[int, int, bytes]  # of a film: width, height, RGB with 8 bits, row by row from the top

NEARLY: Final = 0.1  # part of a doubling of BASE that may be missing
MOST_HALF: Final = 24  # evaluations of the last scale in bfloat16, in which its loss still falls as in float32
LEAST_FULL: Final = 20  # evaluations in float32 after them; the first of these only measures the same picture again
LEAST_LAST: Final = 8  # evaluations of the last scale; with fewer, the coarser scales are in float32, too
COARSEST: Final = 32  # px, the short side below which a coarse scale is left out: it has too little detail


class Level(NamedTuple):
    """One scale of a painting: its fraction of the full size, its shape in pixels, its evaluations."""

    fraction: float  # above 0, at most 1
    height: int
    width: int
    evaluations: int
    eased: bool = False  # see Recipe.eased


@dataclass(frozen=True, slots=True)
class EvaluationRun:
    """Evaluations in a row that ran at the same scale and in the same way. The way decides the last bits."""

    scale: int  # from 1, coarse to fine
    side: int | None  # px of a tile; None: the whole picture at once
    keep: bool  # whether the photo's features were kept; False: recomputed at each evaluation
    history: int  # curvature pairs of L-BFGS; 0: ProjectedGradient, which has none
    evaluations: int  # how many
    half: bool = False  # whether the features were computed in bfloat16


class Memory(NamedTuple):
    """Memory of a device: bytes that this process holds, and bytes that are free; None: the device cannot tell."""

    device: str
    used: int
    free: int | None


class Step(NamedTuple):
    """One evaluation of the loss, as `on_step` receives it: number `step` (from 1) of `steps` in all."""

    step: int
    steps: int
    loss: float  # of the best picture so far at this scale; the loss may rise from scale to scale, which differ
    scale: int  # from 1, coarse to fine
    scales: int
    done: float = 0.0  # share of the painting's work, counted in pixels, 0 to 1; for progress bars and estimates
    memory: Memory | None = None
    stretches: tuple[EvaluationRun, ...] = ()  # all evaluations so far, oldest first
    terms: tuple[tuple[str, float], ...] = ()  # with the last step: (name, value) of the terms that add up to the loss
    # The painting as it is now, at its scale's size; in `on_step` only. On a GPU some evaluations later than `loss`.
    picture: "Callable[[], Picture] | None" = None
    frame: Frame | None = None  # a small copy of the picture, if a film is made


def counted(plan: Sequence[Level], scale: int, evaluation: int, loss: float) -> Step:
    """The Step of evaluation number `evaluation` (from 1) at plan[scale] (scale from 0), with its loss."""
    work = [level.evaluations * level.height * level.width for level in plan]
    here = work[scale] * evaluation / plan[scale].evaluations
    return Step(
        step=sum(level.evaluations for level in plan[:scale]) + evaluation,
        steps=sum(level.evaluations for level in plan),
        loss=loss,
        scale=scale + 1,
        scales=len(plan),
        done=(sum(work[:scale]) + here) / sum(work),
    )


def evaluations_in_half(plan: Sequence[Level], scale: int) -> int:
    """How many evaluations, the first at plan[scale] (scale from 0), bfloat16 computes where the device has it.

    The last scale ends in float32, so that the loss ends as low as if all were float32: `fine` on six pairs at 90 px
    within 1 % on average and 5 % each, where another last bit of the photo alone moves it by 1 %; `tutorial` within
    1 %. Where the last scale is too short for this (`draft`), all is float32.
    """
    if plan[-1].evaluations < LEAST_LAST:
        return 0
    count = plan[scale].evaluations
    return count if scale < len(plan) - 1 else max(0, min(MOST_HALF, count - LEAST_FULL))


def levels(recipe: Recipe, height: int, width: int) -> tuple[Level, ...]:
    """The scales at which a canvas of height × width px is painted, coarse to fine; the last is the full size.

    With `recipe.finer`, a large canvas is painted at `recipe.scales` of BASE to 2·BASE px, then at each doubling.
    A scale with a side below COARSEST is left out; its evaluations, counted in pixels, go to the full size.
    """
    long_side = max(max(height, width) - 2 * recipe.margin, 1)
    doublings = max(0, math.floor(math.log2(long_side / BASE) + NEARLY)) if recipe.finer else 0
    scales = [(fraction / 2**doublings, evaluations) for fraction, evaluations in recipe.scales]
    for doubling in range(1, doublings + 1):
        scales.append((2.0 ** (doubling - doublings), recipe.finer[min(doubling, len(recipe.finer)) - 1]))
    kept: list[Level] = []
    spare = 0.0
    for fraction, evaluations in scales[:-1]:
        h, w = round(height * fraction), round(width * fraction)
        if min(h, w) < COARSEST:
            spare += evaluations * fraction**2
        else:
            kept.append(Level(fraction, h, w, evaluations))
    evaluations = scales[-1][1] + round(spare)
    if eased := round(evaluations * recipe.eased):
        kept.append(Level(1.0, height, width, eased, eased=True))
    return (*kept, Level(1.0, height, width, evaluations - eased))
