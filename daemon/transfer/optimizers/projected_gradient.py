"""Spectral projected gradient (Birgin, Martínez, Raydan 2000) within [0, 1], for pictures too large for L-BFGS.

Memory holds a point, the gradient, and the last step. L-BFGS learns curvature from pairs of pictures; this method
learns a single number, the length of the step. As in L-BFGS the device takes every decision, and all state stays in the
same tensors.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from ..devices import precision
from .lbfgs import DESCENT, FIRST, SHRINK, WINDOW, Evaluate

CHUNK = 1 << 22  # values at a time, so that memory never holds a product of two whole pictures
LEVELS = 65535  # steps from 0 to 1 at which the best picture is stored; 257 of them make a step of an 8-bit file
SMALLEST, LARGEST = 1e-12, 1e12  # limits of the step, relative to the first step


class ProjectedGradient:
    """Minimise a loss over pictures in [0, 1]; each `step` is one evaluation. `best` and `best_loss` as in LBFGS.

    The step, the gradient before the step, and the best picture take half the bytes of a picture each.
    """

    def __init__(self, evaluate: Evaluate, x0: Tensor) -> None:
        """Evaluate the start x0 (1, 3, H, W) in [0, 1], which the optimiser overwrites from now on."""
        self._evaluate = evaluate
        self.x = x0.detach()
        self.f = torch.zeros((), device=x0.device)
        self.g = torch.zeros_like(self.x)
        self._s = torch.empty_like(self.x, dtype=torch.float16)  # the last step
        self._old = torch.empty_like(self.x, dtype=torch.bfloat16)  # the gradient before that step
        self._best = torch.empty_like(self.x, dtype=torch.int16)
        self.best_loss = torch.full_like(self.f, torch.inf)
        self._measure()
        # change of a pixel per unit of gradient
        self._first = (FIRST / self.g.abs().amax().clamp(min=1e-30)).to(precision(x0.device))
        self._step = self._first.clone()
        self._recent = torch.full((WINDOW,), -torch.inf, device=x0.device)  # accepted losses, oldest first
        self._accept(torch.ones_like(self.f, dtype=torch.bool))

    @property
    def best(self) -> Tensor:
        best = self._best.float()
        return best.add_((LEVELS + 1) // 2).div_(LEVELS)

    def step(self) -> None:
        """Evaluate a new point, and move there if its loss is acceptable."""
        old_f = self.f.clone()
        self._old.copy_(self.g)
        ss, gs = self._go()
        self._measure()
        accepted = (self.f < torch.inf) & (self.f <= self._recent.amax() + DESCENT * gs.clamp(max=0))
        sy = torch.zeros_like(gs)
        for x, g, s, old in _chunks(self.x, self.g, self._s, self._old):
            sy += (s.float() * g).sum()
            x.sub_(s * ~accepted).clamp_(0, 1)  # if rejected, back to within a thousandth of the step
            torch.where(accepted, g, old.float(), out=g)
        sy -= gs
        longer = torch.where(sy > 0, ss / sy, 2 * self._step).clamp(max=LARGEST * self._first)
        step = torch.where(accepted, longer, SHRINK * self._step)
        usable = (step > 0) & (accepted | (step >= SMALLEST * self._first))
        torch.where(usable, step, self._first, out=self._step)
        torch.where(accepted, self.f, old_f, out=self.f)
        self._accept(accepted)

    def _go(self) -> tuple[Tensor, Tensor]:
        """Move to the new point; returns s·s () and g·s () of the step s."""
        ss, gs = torch.zeros_like(self._step), torch.zeros_like(self._step)
        for x, s, g in _chunks(self.x, self._s, self.g):
            new = (x - g * self._step.float()).clamp_(0, 1)
            s.copy_(new - x)
            x.copy_(new)
            rounded = s.float()  # as stored, because y·s uses the stored step, too
            ss += (rounded * rounded).sum()
            gs += (rounded * g).sum()
        return ss, gs

    def _measure(self) -> None:
        """Evaluate loss and gradient at x; an infinite loss, never accepted, if either is not finite."""
        f, g = self._evaluate(self.x)
        f = f.float().view(())
        sound = (f + g.sum()).abs() < torch.inf
        self.f.copy_(torch.where(sound, f, torch.inf))
        torch.where(sound, g.float(), torch.zeros_like(self.f), out=self.g)

    def _accept(self, accepted: Tensor) -> None:
        """Store the loss if `accepted`, and the picture, in half the bytes, if it is the best so far."""
        newest = torch.cat((self._recent[1:], self.f[None]))
        torch.where(accepted, newest, self._recent, out=self._recent)
        better = accepted & (self.f <= self.best_loss)  # ≤: also a start without a finite loss
        for noted, x in _chunks(self._best, self.x):
            now = (x * LEVELS - (LEVELS + 1) // 2).round_().to(torch.int16)
            torch.where(better, now, noted, out=noted)
        torch.where(better, self.f, self.best_loss, out=self.best_loss)


def _chunks(*pictures: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The same rows of each picture (1, 3, H, W), as views, chunk by chunk."""
    rows = max(1, CHUNK // (3 * pictures[0].shape[3]))
    return zip(*(torch.split(v, rows, 2) for v in pictures), strict=True)
