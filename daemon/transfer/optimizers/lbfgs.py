"""L-BFGS within [0, 1] for pictures. The device takes every decision, and no step waits for the device.

Projection with free variables (Bertsekas 1982), nonmonotone acceptance (Grippo, Lampariello, Lucidi 1986), and an
initial Hessian measured from the steps. The two-loop recursion (Nocedal 1980) is written as two triangular systems,
exact for any initial Hessian. Every step writes its results into the same tensors, so that a step can be captured in
a CUDA graph.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..devices import precision

Evaluate = Callable[[Tensor], tuple[Tensor, Tensor]]  # x (1, 3, H, W) → loss (), gradient (1, 3, H, W)
CAP = 0.5  # largest change of a pixel in a step; pixels are in [0, 1]
FIRST = 0.05  # largest change of a pixel in a step without curvature
SHRINK = 0.3  # factor on the step after a point that was not accepted
GIVE_UP = 1e-3  # share of a step below which the search starts again from the best point
WINDOW = 10  # accepted losses, the largest of which a new loss may equal
DESCENT = 1e-4  # share of the decrease predicted by the gradient that a point must achieve (Armijo)
CURVED = 1e-6  # cosine of s and y above which a pair is used


class Point:
    """A point x (N,) with its gradient g (N,) and its loss f (), in one piece of memory (2·N + 1,)."""

    def __init__(self, x: Tensor) -> None:
        self._all = torch.cat((x, x.new_zeros(len(x) + 1)))
        self.x, self.g, self.f = self._all[: len(x)], self._all[len(x) : -1], self._all[-1]
        self.xg = self._all[:-1].view(2, -1)

    def take(self, other: "Point", wanted: Tensor) -> None:
        """Become the other point if `wanted` ()."""
        torch.where(wanted, other._all, self._all, out=self._all)


class LBFGS:
    """Minimise a loss over pictures in [0, 1]; each `step` is one evaluation, accepted or not.

    `best` (1, 3, H, W) and `best_loss` () belong to the best point so far; the next step overwrites their memory. If
    the loss rises or is NaN, the step is shortened, and at last the search starts again from the best point without
    the old curvature.
    """

    def __init__(self, evaluate: Evaluate, x0: Tensor, history: int) -> None:
        """Evaluate the start x0 (1, 3, H, W), which is copied and clipped to [0, 1]. `history`: m, pairs to keep, ≥ 1.

        `evaluate`: x (1, 3, H, W) → loss (), gradient (1, 3, H, W); always receives the same tensor x, and may reuse
        the tensors that it returns. The optimiser raises what `evaluate` raises.
        """
        self.evaluate, self._shape = evaluate, x0.shape
        start = x0.detach().clamp(0, 1).flatten()
        self._now, self._trial, self._best = (Point(start) for _ in range(3))
        self._change = torch.zeros_like(self._now.xg)  # s and y, of the last step
        self._recent = start.new_empty(WINDOW)  # accepted losses, oldest first
        self._last = torch.arange(WINDOW, device=start.device) == WINDOW - 1
        self._zero, self._infinity = start.new_zeros(()), start.new_full((), torch.inf)
        self._t = start.new_ones(())  # share of the direction that is tried
        self._first = start.new_full((), FIRST)
        self._pairs = Pairs(history, start)
        self._H0 = SpectralPreconditioner(x0.shape[-2], x0.shape[-1], x0.device)
        self._begin()

    @property
    def best(self) -> Tensor:
        return self._best.x.view(self._shape)

    @property
    def best_loss(self) -> Tensor:
        return self._best.f

    @property
    def history(self) -> int:
        """Number of curvature pairs kept."""
        return len(self._pairs.S)

    @property
    def size(self) -> int:
        """Bytes of the curvature pairs."""
        size: int = 2 * self._pairs.S.nbytes
        return size

    def go_on(self, evaluate: Evaluate) -> None:
        """Minimise another loss from the best point on, with the curvature learnt so far; one evaluation."""
        self.evaluate = evaluate
        self._trial.x.copy_(self._best.x)
        self._t.fill_(1)
        self._begin()

    def step(self) -> None:
        """Evaluate a new point, and move there if its loss is acceptable."""
        now, trial = self._now, self._trial
        torch.addcmul(now.x, self._t, self._ascent(), value=-1, out=trial.x).clamp_(0, 1)
        self._measure()
        s, y = torch.sub(trial.xg, now.xg, out=self._change)  # of the real step, after the clamp
        promised = (DESCENT * (now.g @ s)).clamp(max=0)
        accepted = (trial.f < torch.inf) & (trial.f <= self._recent.amax() + promised)
        lengths = self._change.norm(dim=1).prod()
        curved = accepted & (s @ y > CURVED * lengths)
        self._pairs.store(self._change, curved)
        self._H0.update(self._change, lengths, curved)
        self._move(accepted)
        self._restart(self._t < GIVE_UP)

    def _begin(self) -> None:
        """Evaluate the trial point, and move there for any loss."""
        self._measure()
        always = torch.ones_like(self._t, dtype=torch.bool)
        self._now.take(self._trial, always)
        self._best.take(self._trial, always)
        torch.where(self._last, self._now.f, -self._infinity, out=self._recent)

    def _measure(self) -> None:
        """Evaluate loss and gradient at the trial point; an infinite loss, never accepted, if either is not finite."""
        loss, gradient = self.evaluate(self._trial.x.view(self._shape))
        f, g = loss.detach().float().view(()), gradient.detach().float().flatten()
        sound = (f + g.sum()).abs() < torch.inf  # both finite; isfinite takes four launches each
        torch.where(sound, f, self._infinity, out=self._trial.f)
        torch.where(sound, g, self._zero, out=self._trial.g)

    def _ascent(self) -> Tensor:
        """H g of the free pixels; the scaled gradient if there is no pair yet or H g is no direction of ascent."""
        x, g = self._now.x, self._now.g
        free = _movable(x, g)
        q = g * free
        u = self._pairs.product(q, self._H0) * free
        # Otherwise a pixel at a bound would stay there for ever, if the gradient leads inwards and H g outwards.
        u = torch.where(_movable(x, u), u, q * (u.norm() / q.norm()))
        u = u / (u.abs().amax() / CAP).clamp(min=1)
        slope = u @ g
        usable = self._pairs.valid.any() & (slope > 0) & (slope < torch.inf)
        self._pairs.keep(usable)
        return torch.where(usable, u, q * (self._first / q.abs().amax().clamp(min=1e-30)))

    def _move(self, accepted: Tensor) -> None:
        self._now.take(self._trial, accepted)
        self._best.take(self._now, self._now.f < self._best.f)
        newest = torch.cat((self._recent[1:], self._trial.f[None]))
        torch.where(accepted, newest, self._recent, out=self._recent)
        self._t.mul_(SHRINK).masked_fill_(accepted, 1)
        self._first.masked_fill_(accepted, FIRST)

    def _restart(self, needed: Tensor) -> None:
        """If `needed`, return to the best point, forget the curvature, and make the first step smaller."""
        self._now.take(self._best, needed)
        only = torch.where(self._last, self._best.f, -self._infinity)
        torch.where(needed, only, self._recent, out=self._recent)
        torch.where(needed, self._first * SHRINK, self._first, out=self._first)
        self._t.masked_fill_(needed, 1)
        self._pairs.keep(~needed)


def _movable(x: Tensor, u: Tensor) -> Tensor:
    """Which pixels of x in [0, 1] can move along -u: u is not 0, and -u does not lead out of [0, 1]."""
    return (x - u.sign()).clamp_(0, 1) != x


def on_host(v: Tensor) -> bool:
    return v.device.type == "cpu"


class Pairs:
    """The last m pairs (s, y): steps and changes of the gradient. Together they approximate the inverse Hessian H."""

    def __init__(self, m: int, x: Tensor) -> None:
        """`m`: number of pairs. `x` (N,): a picture of the same size on the same device."""
        self._pairs = x.new_zeros(2, m, x.numel())
        self.S, self.Y = self._pairs
        self.SY = torch.zeros(m, m, dtype=precision(x.device), device=x.device)  # s_i · y_j, where s_i is not newer
        self.valid = torch.zeros(m, dtype=torch.bool, device=x.device)  # which rows hold a pair
        self._order = torch.arange(m, device=x.device)  # rows by age, the oldest first: the next pair goes there
        self._one = torch.eye(m, dtype=self.SY.dtype, device=x.device)
        self._upper = self._one.bool().cumsum(1).bool()
        # Number of rows in use. Only a CPU gains by leaving out the others; a captured step always uses all rows.
        self._rows = 0 if on_host(x) else m

    def keep(self, wanted: Tensor) -> None:
        """Forget every pair unless `wanted`."""
        self.valid &= wanted

    def store(self, pair: Tensor, wanted: Tensor) -> None:
        """Replace the oldest pair by s and y, the rows of `pair` (2, N), if `wanted`."""
        self._rows, head = min(self._rows + 1, len(self.valid)), self._order[:1]
        oldest = self._pairs.index_select(1, head)
        self._pairs.index_copy_(1, head, torch.where(wanted, pair[:, None], oldest))
        self.valid.index_copy_(0, head, self.valid.index_select(0, head) | wanted)
        torch.where(wanted, self._order.roll(-1), self._order, out=self._order)

    def product(self, q: Tensor, H0: "SpectralPreconditioner") -> Tensor:
        """H q (N,) = r + Sᵀc, where R a = S q, r = H₀(q - Yᵀa), Rᵀc = D a - Y r, R = triu(S Yᵀ), oldest pair first."""
        n, small = self._rows, self.SY.dtype
        S, Y = self.S[:n], self.Y[:n]
        newest = self._order[-1:]
        y = self.Y.index_select(0, newest)
        if on_host(q):
            sy, sq = (torch.cat((y, q[None])) @ S.T).to(small)  # one pass over S for both
        else:  # not measured yet: a product with so few columns, split by cuBLAS, against 1.6 TB/s twice on an H100
            sy, sq = torch.stack((S @ y[0], S @ q)).to(small)
        self.SY[:n].index_copy_(1, newest, sy[:, None])
        inverse = self._inverse()[:n, :n]
        a = inverse @ sq
        r = H0.product(torch.addmv(q, Y.T, a.to(q.dtype), alpha=-1))
        c = inverse.T @ (self.SY.diagonal()[:n] * a - (Y @ r).to(small))
        return torch.addmv(r, S.T, c.to(q.dtype))

    def _inverse(self) -> Tensor:
        """R⁻¹ (m, m), rows and columns in the order of S's rows; 0 in rows and columns without a pair."""
        m = len(self.valid)
        where = (self._order[:, None] * m + self._order).flatten()
        held = self.valid.index_select(0, self._order)
        both = held[:, None] & held
        R = torch.where(both & self._upper, self.SY.flatten().index_select(0, where).view(m, m), self._one)
        inverse = torch.linalg.solve_triangular(R, self._one, upper=True) * both
        return torch.empty_like(inverse).flatten().index_copy_(0, where, inverse.flatten()).view(m, m)


class SpectralPreconditioner:
    """The initial inverse Hessian H₀: how far each colour and frequency moves per gradient, learnt from the last steps.

    For each opponent colour and radial frequency H₀ holds the ratio of the spectra of s and y (running averages), times
    a diagonal for places in the picture. Plain L-BFGS has a single number instead, although |s|/|y| spans two orders of
    magnitude over the frequencies.
    """

    BINS, DECAY, PLACE = 16, 0.7, 4  # frequency bins; share that an average keeps; px, side of a place

    def __init__(self, height: int, width: int, device: torch.device) -> None:
        self._size = (height, width)
        opponent = torch.tensor([[1.0, 1, 1], [1, 0, -1], [1, -2, 1]])
        self._opponent = (opponent / opponent.norm(dim=1, keepdim=True)).to(device)
        radius = (torch.fft.fftfreq(height)[:, None] ** 2 + torch.fft.rfftfreq(width) ** 2).sqrt()
        bins = (radius * (self.BINS / 0.5**0.5)).long().clamp(max=self.BINS - 1).flatten()
        self._bins = bins.expand(3, -1).to(device)
        self._one_hot = F.one_hot(bins, self.BINS).float().to(device)  # (frequencies, BINS)
        self._spectra = torch.zeros(2, 3, self.BINS, device=device)  # energy of s and of y per colour and frequency
        self._here = self._places(torch.zeros(2, height, width, device=device))  # energy of s and of y per place

    def update(self, change: Tensor, lengths: Tensor, wanted: Tensor) -> None:
        """Add a step s and the gradient's change y, the rows of `change` (2, 3·H·W), to the averages if `wanted`.

        `lengths` (): |s| |y|.
        """
        pictures = change.view(2, 3, *self._size)
        for old, new in (
            (self._spectra, self._energy(pictures)),
            (self._here, self._places(pictures.square().mean(1))),
        ):
            torch.where(wanted, torch.addcdiv(self.DECAY * old, new, lengths), old, out=old)

    def product(self, q: Tensor) -> Tensor:
        """H₀ q (3·H·W,); H₀ is symmetric and positive definite."""
        s, y = self._spectra + 1e-30
        gain = (s / y).sqrt().gather(1, self._bins)
        local = F.interpolate(self._here, self._size, mode="bilinear")[0]
        a, b = local + (0.01 * local.mean((1, 2), keepdim=True) + 1e-30)
        here = (a / b).sqrt()
        here = (here / here.mean()) ** 0.25  # before and after: in all, the quarter power of s²/y²
        v = self._colours(q.view(3, *self._size) * here, self._opponent)
        spectrum = torch.fft.rfft2(v)
        v = torch.fft.irfft2(spectrum * gain.view(spectrum.shape), s=self._size)
        moved: Tensor = self._colours(v, self._opponent.T) * here
        return moved.flatten()

    def _energy(self, pictures: Tensor) -> Tensor:
        """pictures (2, 3, H, W) → energy (2, 3, BINS) by opponent colour and frequency; bit for bit repeatable."""
        e = torch.fft.rfft2(self._colours(pictures, self._opponent), norm="ortho")
        energy: Tensor = torch.view_as_real(e).square().sum(-1).flatten(2) @ self._one_hot
        return energy

    def _places(self, v: Tensor) -> Tensor:
        """v (2, H, W) → means (1, 2, h, w) over squares of PLACE px, smoothed over their neighbours."""
        coarse = F.avg_pool2d(v[None], self.PLACE, ceil_mode=True, count_include_pad=False)
        return F.avg_pool2d(coarse, 3, 1, 1, count_include_pad=False)

    @staticmethod
    def _colours(v: Tensor, matrix: Tensor) -> Tensor:
        """The matrix (3, 3) times each pixel of v (…, 3, H, W)."""
        return (matrix @ v.flatten(-2)).view(v.shape)
