"""Settings that are pairs: layers with their weights, and scales with their evaluations."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator

from daemon.transfer.recipe_check import as_pairs, layers_problem, scales_problem


def _pairs(problem_of: Callable[[Any], str]) -> BeforeValidator:
    """Check pairs: texts become numbers where they can, and the problem that `problem_of` finds is reported."""

    def check(value: Any) -> Any:
        pairs = as_pairs(value)
        if isinstance(pairs, tuple):
            pairs = tuple(tuple(map(_number, each)) if isinstance(each, tuple) else each for each in pairs)
        if problem := problem_of(pairs):
            raise ValueError(problem)
        return pairs

    return BeforeValidator(check)


def _number(value: Any) -> Any:
    """The number that a text means, whole if it can be; any other value as it is."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return value
    return int(number) if number.is_integer() else number


Layers = Annotated[tuple[tuple[str, float], ...], _pairs(layers_problem)]
Scales = Annotated[tuple[tuple[float, int], ...], _pairs(scales_problem)]
