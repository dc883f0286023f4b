"""Spectral projected gradient (Birgin, Martínez, Raydan 2000) within [0, 1], for pictures too large for L-BFGS.

Two points and their gradients, and no more: what L-BFGS learns from pairs of pictures this knows as one number. Its
decisions are taken on the host, which the evaluation of so large a picture outweighs by far.
"""

import math
from collections import deque

import torch
from torch import Tensor

from .optimizer import DESCENT, FIRST, SHRINK, WINDOW, Evaluate

CHUNK = 1 << 22  # values at a time, so that no product of two pictures is ever held
LEVELS = 65535  # of the best picture as it is noted: 256 of them are one of an 8-bit file's
SMALLEST, LARGEST = 1e-12, 1e12  # step, relative to the first


class SpectralGradient:
    """Minimise a loss over pictures in [0, 1]; one `step` is one evaluation. `best` and `best_loss` as LBFGS."""

    def __init__(self, evaluate: Evaluate, x0: Tensor) -> None:
        self._evaluate = evaluate
        self.x = x0.detach().clamp(0, 1)
        self.f, self.g = self._measured(self.x)
        self._first = FIRST / max(float(self.g.abs().amax()), 1e-30)
        self._step = self._first  # px value per unit of gradient
        self._recent = deque([float(self.f)], maxlen=WINDOW)
        self._best = torch.empty_like(self.x, dtype=torch.int16)
        self._note()

    @property
    def best(self) -> Tensor:
        return (self._best.float() + (LEVELS + 1) // 2) / LEVELS

    def step(self) -> None:
        """Evaluate one new point; move there if it is acceptable."""
        x = torch.add(self.x, self.g, alpha=-self._step).clamp_(0, 1)
        f, g = self._measured(x)
        ss, sy, gs = self._products(x, g)
        if not math.isfinite(float(f)) or float(f) > max(self._recent) + DESCENT * min(gs, 0.0):
            self._step *= SHRINK
            if self._step < SMALLEST * self._first:
                self._step = self._first
            return
        self.x, self.f, self.g = x, f, g
        self._recent.append(float(f))
        self._step = min(ss / sy if sy > 0 else 2 * self._step, LARGEST * self._first) or self._first
        if float(f) < float(self.best_loss):
            self._note()

    def _measured(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and gradient; where either is no number, a loss that nothing accepts."""
        f, g = self._evaluate(x)
        sound = bool(f.isfinite()) and bool(g.sum().isfinite())
        return (f.float(), g.float()) if sound else (torch.full_like(f, math.inf), torch.zeros_like(g))

    def _products(self, x: Tensor, g: Tensor) -> tuple[float, float, float]:
        """s·s, s·y and g·s, of the step s to x and the gradient's change y."""
        ss = sy = gs = 0.0
        flat = (torch.split(v.flatten(), CHUNK) for v in (self.x, x, self.g, g))
        for x0, x1, g0, g1 in zip(*flat, strict=True):
            s = x1 - x0
            ss, sy, gs = ss + float(s @ s), sy + float(s @ (g1 - g0)), gs + float(g0 @ s)
        return ss, sy, gs

    def _note(self) -> None:
        """The best picture, in half the memory."""
        for noted, x in zip(*(torch.split(v.view(-1), CHUNK) for v in (self._best, self.x)), strict=True):
            noted.copy_((x * LEVELS - (LEVELS + 1) // 2).round_())
        self.best_loss = self.f
