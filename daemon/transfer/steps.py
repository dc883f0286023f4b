"""What a painting reports on its way: scales, evaluations, memory, loss."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from .recipe import BASE, Recipe

NEARLY: Final = 0.1  # of a doubling that may be missing
COARSEST: Final = 32  # px, the short side below which a coarse level has too little to say and is left out


class Level(NamedTuple):
    """One scale of a painting: its share of the full size, its shape in pixels, its evaluations."""

    fraction: float
    height: int
    width: int
    evaluations: int
    eased: bool = False  # see Recipe


@dataclass(frozen=True, slots=True)
class EvaluationRun:
    """So many evaluations in a row, at one scale (from 1) and computed in one way; all of them decide the bits."""

    scale: int
    side: int | None  # px of a tile; None: the whole picture at once
    keep: bool  # the photo's features; else they were computed anew in each evaluation
    history: int  # curvature pairs; 0: an optimiser that needs none
    evaluations: int


class Memory(NamedTuple):
    """Of a device: bytes that this process holds of it, and that are free; None where it cannot tell."""

    device: str
    used: int
    free: int | None


class Step(NamedTuple):
    """One evaluation of the loss, as `on_step` gets it: the step-th (from 1) of `steps` in all."""

    step: int
    steps: int
    loss: float  # of the best picture so far at this scale; scales differ, so it may rise from one to the next
    scale: int  # from 1, coarse to fine
    scales: int
    done: float = 0.0  # share of the painting's work, counted in pixels, 0 to 1: what a bar or a clock should use
    memory: Memory | None = None
    stretches: tuple[EvaluationRun, ...] = ()  # all evaluations so far, oldest first
    terms: tuple[tuple[str, float], ...] = ()  # with the last step: what the loss is the sum of, by name


def counted(plan: Sequence[Level], scale: int, evaluation: int, loss: float) -> Step:
    """The step that evaluation number `evaluation` (from 1) at plan[scale] is."""
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


def levels(recipe: Recipe, height: int, width: int) -> tuple[Level, ...]:
    """The scales at which a canvas of this shape is painted, coarse to fine; the last is the full size.

    A scale that would be too small is left out, and its evaluations, counted in pixels, go to the next.
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
