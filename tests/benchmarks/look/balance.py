"""Paintings that keep as much of their content as another one does: only so can their styles be compared."""

import math
from collections.abc import Callable
from typing import TypeVar

Painting = TypeVar("Painting")
PAINTINGS = 10  # at most


def matched(
    paint: Callable[[float], Painting], kept: Callable[[Painting], float], wanted: float, near: float
) -> tuple[float, Painting]:
    """The style weight at which as much content is kept, and that painting: more style keeps less content."""
    least, most = -math.inf, math.inf  # log₂ of the style weight: keeps more, keeps less
    at, tried = 0.0, list[tuple[float, float, Painting]]()
    while len(tried) < PAINTINGS:
        painting = paint(2.0**at)
        correlation = kept(painting)
        tried.append((abs(correlation - wanted), at, painting))
        if tried[-1][0] <= near:
            break
        if correlation > wanted:
            least = at
        else:
            most = at
        at = least + 2 if math.isinf(most) else most - 2 if math.isinf(least) else (least + most) / 2
    _, at, painting = min(tried, key=lambda one: one[0])
    return 2.0**at, painting
