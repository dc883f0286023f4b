"""How a painting is being computed, evaluation by evaluation: what its steps tell, and how an earlier one was."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

import torch

from .memory import memory
from .plan import Plan
from .steps import EvaluationRun, Level, Step, counted

OnStep = Callable[[Step], None]


class PaintingProgress:
    """Of one painting. `before`: the stretches of an earlier one, which is to be computed in the same way again."""

    def __init__(
        self, levels: Sequence[Level], device: torch.device, on_step: OnStep, before: Sequence[EvaluationRun] = ()
    ) -> None:
        self.levels = levels
        self._device, self._on_step = device, on_step
        self._stretches: list[EvaluationRun] = []
        self._before = [[each for each in before if each.scale == scale + 1] for scale in range(len(levels))]
        ends = [list(accumulate(each.evaluations for each in stretches)) for stretches in self._before]
        self._turns = {(scale, end) for scale, at in enumerate(ends) for end in at[:-1]}

    def plans(self, scale: int) -> list[Plan]:
        """Those that the earlier painting took at a scale, in turn."""
        return [Plan(each.side, each.keep, each.history) for each in self._before[scale]]

    def turned(self, scale: int, done: int) -> bool:
        """Whether the earlier painting took its next plan after `done` evaluations at a scale; once."""
        turned = (scale, done) in self._turns
        self._turns.discard((scale, done))
        return turned

    def count(self, scale: int, plan: Plan) -> None:
        """One evaluation more."""
        now = EvaluationRun(scale + 1, plan.side, plan.keep, plan.history, 1)
        if self._stretches and replace(self._stretches[-1], evaluations=1) == now:
            now = replace(now, evaluations=self._stretches.pop().evaluations + 1)
        self._stretches.append(now)

    def tell(self, scale: int, done: int, loss: float, terms: Mapping[str, float]) -> None:
        """To whoever listens: the `done`-th evaluation at a scale; with the painting's last one the loss's terms."""
        step = counted(self.levels, scale, done, loss)
        now, said = memory(self._device), tuple(terms.items())
        self._on_step(step._replace(memory=now, stretches=tuple(self._stretches), terms=said))
