"""The optimiser of a level: made for the plan that the memory allows, given up when memory runs out."""

import torch
from torch import Tensor

from .memory import is_shortage
from .optimizers.capture import CapturedStep
from .optimizers.lbfgs import LBFGS
from .optimizers.projected_gradient import ProjectedGradient
from .plan import FallbackObjective, Plan

Optimizer = LBFGS | ProjectedGradient


class Search:
    """The optimiser of a level; on a GPU its steps are captured in a CUDA graph."""

    def __init__(self, evaluate: FallbackObjective, device: torch.device, learnt: LBFGS | None) -> None:
        """`learnt`: an optimiser to go on with this level's loss, if it has as many pairs as the plan says."""
        self._evaluate, self._device = evaluate, device
        self.optimizer: Optimizer | None = learnt if learnt and learnt.history == evaluate.plan.history else None
        self._step: CapturedStep | None = None
        self._plan: Plan | None = None  # the plan that `_step` was made for

    @property
    def best_loss(self) -> float:
        assert self.optimizer is not None
        return float(self.optimizer.best_loss)

    def best(self, x: Tensor) -> Tensor:
        """The best picture (1, 3, H, W) so far; x before the first step."""
        return x if self.optimizer is None else self.optimizer.best

    def left(self, x: Tensor) -> Tensor:
        """Give up the optimiser and return the best picture so far; the next step makes a new optimiser."""
        x = self.best(x)
        self.optimizer = self._step = None
        return x

    def step(self, x: Tensor) -> bool:
        """Evaluate x with a new optimiser, or the next point of the present one. False if memory ran out."""
        try:
            optimizer, m = self.optimizer, self._evaluate.plan.history
            if optimizer is None:
                self.optimizer = LBFGS(self._evaluate, x, m) if m else ProjectedGradient(self._evaluate, x)
            elif isinstance(optimizer, LBFGS) and optimizer.evaluate is not self._evaluate:
                optimizer.go_on(self._evaluate)
            else:
                if self._step is None or self._plan != self._evaluate.plan:
                    self._step, self._plan = CapturedStep(optimizer.step, self._device), self._evaluate.plan
                self._step()
        except Exception as error:
            if not is_shortage(error):
                raise
            return False
        return True
