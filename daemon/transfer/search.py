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
        self._half = evaluate.plan.half

    @property
    def best_loss(self) -> Tensor:
        """() on the device; the next step overwrites its memory."""
        assert self.optimizer is not None
        return self.optimizer.best_loss

    def best(self, x: Tensor) -> Tensor:
        """The best picture (1, 3, H, W) so far; x before the first step."""
        return x if self.optimizer is None else self.optimizer.best

    def left(self, x: Tensor) -> Tensor:
        """Give up the optimiser and return the best picture so far; the next step makes a new optimiser."""
        x = self.best(x)
        self.optimizer = self._step = None
        return x

    def let_go(self) -> None:
        """Free the graph, which holds as much memory as an evaluation. A further step would capture another."""
        self._step = None

    def step(self, x: Tensor) -> bool:
        """Evaluate x with a new optimiser, or the next point of the present one; after a change of precision, evaluate
        the best point again. False if memory ran out."""
        try:
            optimizer, plan = self.optimizer, self._evaluate.plan
            is_new, self._half = self._half != plan.half, plan.half
            if optimizer is None:
                self.optimizer = self._begun(x, plan)
            elif isinstance(optimizer, LBFGS) and (is_new or optimizer.evaluate is not self._evaluate):
                self._step = None
                optimizer.go_on(self._evaluate)
            elif is_new:
                self.optimizer = self._begun(self.left(x), plan)
            else:
                if self._step is None or self._plan != plan:
                    self._step, self._plan = CapturedStep(optimizer.step, self._device), plan
                self._step()
        except Exception as error:
            if not is_shortage(error):
                raise
            return False
        return True

    def _begun(self, x: Tensor, plan: Plan) -> Optimizer:
        return LBFGS(self._evaluate, x, plan.history) if plan.history else ProjectedGradient(self._evaluate, x)
