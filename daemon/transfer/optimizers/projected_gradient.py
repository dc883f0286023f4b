"""Spectral projected gradient (Birgin, Martínez, Raydan 2000) within [0, 1], for pictures too large for L-BFGS.

A point, its gradient, and the step that led there, and no more: what L-BFGS learns from pairs of pictures this knows as
one number. Its decisions are taken on the host, which the evaluation of so large a picture outweighs by far.
"""

import math
from collections import deque
from collections.abc import Iterator

import torch
from torch import Tensor

from .lbfgs import DESCENT, FIRST, SHRINK, WINDOW, Evaluate

CHUNK = 1 << 22  # values at a time, so that no product of two pictures is ever held
LEVELS = 65535  # of the best picture as it is noted: 256 of them are one of an 8-bit file's
SMALLEST, LARGEST = 1e-12, 1e12  # step, relative to the first


class ProjectedGradient:
    """Minimise a loss over pictures in [0, 1]; one `step` is one evaluation. `best` and `best_loss` as LBFGS.

    While a new point is evaluated, the way back to the old one is held in half the bytes of a picture, and so is its
    gradient, which only a shorter step would need again.
    """

    def __init__(self, evaluate: Evaluate, x0: Tensor) -> None:
        """x0, within [0, 1], is its own from now on, and moves."""
        self._evaluate = evaluate
        self.x = x0.detach()
        self.f, self.g = self._measured()
        self._first = FIRST / max(float(self.g.abs().amax()), 1e-30)
        self._step = self._first  # px value per unit of gradient
        self._recent = deque([float(self.f)], maxlen=WINDOW)
        self._best = torch.empty(x0.shape, dtype=torch.int16, device=x0.device)
        self._note()

    @property
    def best(self) -> Tensor:
        best = self._best.float()
        return best.add_((LEVELS + 1) // 2).div_(LEVELS)

    def step(self) -> None:
        """Evaluate one new point; move there if it is acceptable."""
        old_f, old_g = self.f, self.g.bfloat16()
        s, ss, gs = self._go()
        del self.g
        self.f, self.g = self._measured()
        f = float(self.f)
        if not math.isfinite(f) or f > max(self._recent) + DESCENT * min(gs, 0.0):
            self._go_back(s)
            del self.g
            self.f, self.g = old_f, old_g.float()
            self._step *= SHRINK
            if self._step < SMALLEST * self._first:
                self._step = self._first
            return
        sy = sum(float((step.float() * g).sum()) for step, g in _chunks(s, self.g)) - gs
        del s, old_g
        self._recent.append(f)
        self._step = min(ss / sy if sy > 0 else 2 * self._step, LARGEST * self._first) or self._first
        if f < float(self.best_loss):
            self._note()

    def _go(self) -> tuple[Tensor, float, float]:
        """To the new point: the step s, in float16, and s·s and g·s."""
        s = torch.empty(self.x.shape, dtype=torch.float16, device=self.x.device)
        ss = gs = 0.0
        for x, step, g in _chunks(self.x, s, self.g):
            new = torch.add(x, g, alpha=-self._step).clamp_(0, 1)
            step.copy_(new - x)
            x.copy_(new)
            rounded = step.float()  # as the new gradient will see it, too: their difference is what counts
            ss, gs = ss + float((rounded * rounded).sum()), gs + float((rounded * g).sum())
        return s, ss, gs

    def _go_back(self, s: Tensor) -> None:
        """To the old point, to within a thousandth of the step from it."""
        for x, step in _chunks(self.x, s):
            x.sub_(step).clamp_(0, 1)

    def _measured(self) -> tuple[Tensor, Tensor]:
        """Loss and gradient; where either is no number, a loss that nothing accepts."""
        f, g = self._evaluate(self.x)
        sound = bool(f.isfinite()) and bool(g.sum().isfinite())
        return (f.float(), g.float()) if sound else (torch.full_like(f, math.inf), torch.zeros_like(g))

    def _note(self) -> None:
        """The best picture, in half the memory."""
        for noted, x in _chunks(self._best, self.x):
            noted.copy_((x * LEVELS - (LEVELS + 1) // 2).round_())
        self.best_loss = self.f


def _chunks(*pictures: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Views of the same rows of each (1, 3, H, W)."""
    rows = max(1, CHUNK // (3 * pictures[0].shape[3]))
    return zip(*(torch.split(v, rows, 2) for v in pictures), strict=True)
