"""How a painting is computed, evaluation by evaluation: what steps report, and how to repeat an earlier painting."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

import torch

from .colors import Picture
from .memory import memory
from .plan import Plan
from .steps import EvaluationRun, Level, Step, counted, evaluations_in_half

OnStep = Callable[[Step], None]


class PaintingProgress:
    """The evaluations of a painting. `before`: the runs of an earlier painting, to be repeated in the same way."""

    def __init__(
        self,
        levels: Sequence[Level],
        device: torch.device,
        on_step: OnStep,
        before: Sequence[EvaluationRun] = (),
        half: bool = False,
    ) -> None:
        """`half`: compute the first evaluations in bfloat16; an earlier painting's runs tell that by themselves."""
        self.levels = levels
        self._half = half and not before
        self._device, self._on_step = device, on_step
        self._stretches: list[EvaluationRun] = []
        self._before = [[each for each in before if each.scale == scale + 1] for scale in range(len(levels))]
        ends = [list(accumulate(each.evaluations for each in stretches)) for stretches in self._before]
        self._turns = {(scale, end) for scale, at in enumerate(ends) for end in at[:-1]}

    def plans(self, scale: int) -> list[Plan]:
        """The plans that the earlier painting followed at a scale (from 0), in their order."""
        return [Plan(each.side, each.keep, each.history, each.half) for each in self._before[scale]]

    def in_half(self, scale: int) -> int:
        """How many evaluations, the first at a scale, are computed in bfloat16, beside those of an earlier painting."""
        return evaluations_in_half(self.levels, scale) if self._half else 0

    def turned(self, scale: int, done: int) -> bool:
        """Whether the earlier painting changed its plan after `done` evaluations at a scale; True once for each."""
        turned = (scale, done) in self._turns
        self._turns.discard((scale, done))
        return turned

    def count(self, scale: int, plan: Plan) -> None:
        """Count one evaluation at a scale by this plan."""
        now = EvaluationRun(scale + 1, plan.side, plan.keep, plan.history, 1, plan.half)
        if self._stretches and replace(self._stretches[-1], evaluations=1) == now:
            now = replace(now, evaluations=self._stretches.pop().evaluations + 1)
        self._stretches.append(now)

    def tell(
        self, scale: int, done: int, loss: float, terms: Mapping[str, float], picture: Callable[[], Picture]
    ) -> None:
        """Report evaluation number `done` at a scale to `on_step`. `terms` of the loss: at the last evaluation only;
        `picture`: see Step."""
        step = counted(self.levels, scale, done, loss)
        now, said = memory(self._device), tuple(terms.items())
        self._on_step(step._replace(memory=now, stretches=tuple(self._stretches), terms=said, picture=picture))
