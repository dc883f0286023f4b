"""Paintings that keep as much of their content as another one does: only so can their styles be compared."""

from collections.abc import Callable
from typing import TypeVar

Painting = TypeVar("Painting")
PAINTINGS = 10  # at most
WITHIN = 0.02  # of a bracket: no nearer to its ends is the next guess, or one end would never move


def matched(
    paint: Callable[[float], Painting], kept: Callable[[Painting], float], wanted: float, near: float
) -> tuple[float, Painting]:
    """The style weight at which as much content is kept, and that painting: more style keeps less content."""
    below, above = list[tuple[float, float]](), list[tuple[float, float]]()  # (log₂ of the weight, what it keeps)
    at, tried = 0.0, list[tuple[float, float, Painting]]()
    while len(tried) < PAINTINGS:
        painting = paint(2.0**at)
        correlation = kept(painting)
        tried.append((abs(correlation - wanted), at, painting))
        if tried[-1][0] <= near:
            break
        (below if correlation > wanted else above).append((at, correlation))
        if below and above:
            (low, most), (high, least) = max(below), min(above)
            share = (most - wanted) / (most - least)
            at = low + min(max(share, WITHIN), 1 - WITHIN) * (high - low)
        else:
            at += 2 if below else -2
    _, at, painting = min(tried, key=lambda one: one[0])
    return 2.0**at, painting
