"""L-BFGS within [0, 1], made for pictures: every decision is taken on the device, none waits for it.

Projection with free variables (Bertsekas 1982), nonmonotone acceptance (Grippo, Lampariello, Lucidi 1986), and an
initial Hessian measured from the steps themselves. The two-loop recursion (Nocedal 1980) is written as two
triangular systems, exact for any initial Hessian.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Evaluate = Callable[[Tensor], tuple[Tensor, Tensor]]  # x (1, 3, H, W) → loss (), gradient (1, 3, H, W)
Point = tuple[Tensor, Tensor, Tensor]  # x (N,), loss (), gradient (N,)
CAP = 0.5  # largest change of a pixel in one step
FIRST = 0.05  # the same for a step without curvature
SHRINK = 0.3  # of a step that was not accepted
GIVE_UP = 1e-3  # share of a step below which the search starts anew from the best point
WINDOW = 10  # accepted losses that a new one may equal
DESCENT = 1e-4  # of the decrease that the gradient promises must be kept (Armijo)
CURVED = 1e-6  # cosine of s and y from which a pair says something about curvature


class LBFGS:
    """Minimise a loss over pictures in [0, 1]; one `step` is one evaluation, accepted or not.

    `best` (1, 3, H, W) and `best_loss` () are those of the best point so far, whatever the loss does: a rise or a
    NaN shortens the step, and in the end starts anew from the best point without the old curvature.
    """

    def __init__(self, evaluate: Evaluate, x0: Tensor, history: int) -> None:
        self.evaluate, self._shape = evaluate, x0.shape
        self.x = x0.detach().clamp(0, 1).flatten()
        self.f, self.g = self._measured(self.x)
        self._best = (self.x, self.f, self.g)
        self._recent = self._only(self.f)
        self._t = torch.ones((), device=x0.device)  # share of the direction that is tried
        self._first = self._t * FIRST
        self._pairs = Pairs(history, self.x)
        self._H0 = SpectralPreconditioner(x0.shape[-2], x0.shape[-1], x0.device)

    @property
    def best(self) -> Tensor:
        return self._best[0].view(self._shape)

    @property
    def history(self) -> int:
        """The curvature pairs that it keeps."""
        return len(self._pairs.S)

    @property
    def size(self) -> int:
        """Bytes of its curvature pairs."""
        return 2 * self._pairs.S.nbytes

    @property
    def best_loss(self) -> Tensor:
        return self._best[1]

    def go_on(self, evaluate: Evaluate) -> None:
        """Minimise another loss, from the best point on and with the curvature seen so far: one evaluation."""
        self.evaluate, self.x = evaluate, self._best[0]
        self.f, self.g = self._measured(self.x)
        self._best = (self.x, self.f, self.g)
        self._t = torch.ones_like(self._t)
        self._recent = self._only(self.f)

    def step(self) -> None:
        """Evaluate one new point; move there if it is acceptable."""
        d = self._direction()
        x = (self.x + self._t * d).clamp(0, 1)
        f, g = self._measured(x)
        s, y = x - self.x, g - self.g  # of what was really stepped, after the clamp
        promised = (DESCENT * (self.g @ s)).clamp(max=0)
        accepted = f.isfinite() & (f <= self._recent.amax() + promised)
        curved = accepted & (s @ y > CURVED * s.norm() * y.norm())
        self._pairs.store(s, y, curved)
        self._H0.update(s, y, curved)
        self._move(x, f, g, accepted)
        self._restart(self._t < GIVE_UP)

    @staticmethod
    def _only(f: Tensor) -> Tensor:
        """Accepted losses, where there is one."""
        losses: Tensor = F.pad(f[None], (WINDOW - 1, 0), value=-torch.inf)
        return losses

    def _measured(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and gradient as float32; where either is no number, a loss that nothing accepts."""
        f, g = (v.detach().float().flatten() for v in self.evaluate(x.view(self._shape)))
        sound = f.isfinite() & g.sum().isfinite()
        return torch.where(sound, f, torch.inf)[0], torch.where(sound, g, 0)

    def _direction(self) -> Tensor:
        """-H g among the free pixels; down the gradient where there is no curvature yet, or it points up."""
        x, g = self.x, self.g
        free = ~(((x <= 0) & (g > 0)) | ((x >= 1) & (g < 0)))  # not held at a bound by the gradient
        q = g * free
        d = -self._pairs.product(q, self._H0) * free
        # A pixel that the gradient pulls off its bound and the curvature pushes out would stay there for ever.
        outward = ((x <= 0) & (d < 0)) | ((x >= 1) & (d > 0))
        d = torch.where(outward, -q * (d.norm() / q.norm()), d)
        d = d * (CAP / d.abs().amax()).clamp(max=1)
        slope = d @ g
        usable = self._pairs.valid.any() & slope.isfinite() & (slope < 0)
        self._pairs.keep(usable)
        return torch.where(usable, d, -q * (self._first / q.abs().amax().clamp(min=1e-30)))

    def _move(self, x: Tensor, f: Tensor, g: Tensor, accepted: Tensor) -> None:
        self.x, self.f, self.g = _chosen(accepted, (x, f, g), (self.x, self.f, self.g))
        self._recent = torch.where(accepted, torch.cat((self._recent[1:], f[None])), self._recent)
        self._t = torch.where(accepted, 1.0, self._t * SHRINK)
        self._first = torch.where(accepted, FIRST, self._first)
        better = self.f < self._best[1]
        self._best = _chosen(better, (self.x, self.f, self.g), self._best)

    def _restart(self, needed: Tensor) -> None:
        """Back to the best point, without curvature, and more careful."""
        self.x, self.f, self.g = _chosen(needed, self._best, (self.x, self.f, self.g))
        self._recent = torch.where(needed, self._only(self._best[1]), self._recent)
        self._first = torch.where(needed, self._first * SHRINK, self._first)
        self._t = torch.where(needed, 1.0, self._t)
        self._pairs.keep(~needed)


def _chosen(condition: Tensor, yes: Point, no: Point) -> Point:
    """Everything of the one or of the other, as a condition on the device says."""
    x, f, g = (torch.where(condition, a, b) for a, b in zip(yes, no, strict=True))
    return x, f, g


class Pairs:
    """The last m pairs (s, y), and the inverse Hessian that they make."""

    def __init__(self, m: int, x: Tensor) -> None:
        # float64 for the m × m systems, whose condition is the Hessian's; Apple's GPUs have none.
        small = torch.float32 if x.device.type == "mps" else torch.float64
        self.S, self.Y = x.new_zeros(m, x.numel()), x.new_zeros(m, x.numel())
        self.SY = torch.zeros(m, m, dtype=small, device=x.device)  # s_i · y_j, where s_i is not newer than y_j
        self.valid = torch.zeros(m, dtype=torch.bool, device=x.device)
        self._head = torch.zeros(1, dtype=torch.long, device=x.device)  # where the next pair goes
        self._order = torch.arange(m, device=x.device)
        self._rows = 0  # that may hold a pair: known without asking the device

    def keep(self, wanted: Tensor) -> None:
        """Forget every pair unless `wanted`."""
        self.valid = self.valid & wanted

    def store(self, s: Tensor, y: Tensor, wanted: Tensor) -> None:
        """Replace the oldest pair, if `wanted`."""
        head, n = self._head, min(self._rows + 1, len(self.S))
        self._rows = n
        self.S.index_copy_(0, head, torch.where(wanted, s, self.S.index_select(0, head)[0])[None])
        self.Y.index_copy_(0, head, torch.where(wanted, y, self.Y.index_select(0, head)[0])[None])
        y = self.Y.index_select(0, head)[0]
        self.SY[:n].index_copy_(1, head, (self.S[:n] @ y)[:, None].to(self.SY.dtype))
        self.valid = self.valid.index_copy(0, head, self.valid.index_select(0, head) | wanted)
        self._head = torch.where(wanted, (head + 1) % len(self.S), head)

    def product(self, q: Tensor, H0: "SpectralPreconditioner") -> Tensor:
        """H q. With R = triu(S Yᵀ), oldest pair first: R a = S q, r = H₀(q - Yᵀa), Rᵀc = D a - Y r, r + Sᵀc."""
        n = self._rows
        if n == 0:
            return q
        S, Y = self.S[:n], self.Y[:n]
        order = (self._head + self._order) % n if n == len(self.S) else self._order[:n]  # oldest first
        valid = self.valid[order].to(self.SY.dtype)
        R = torch.triu(self.SY[order][:, order]) * valid[:, None] * valid + torch.diag(1 - valid)
        a = torch.linalg.solve_triangular(R, ((S @ q)[order] * valid)[:, None], upper=True)[:, 0] * valid
        r = H0.product(q - self._rowwise(a, order) @ Y)
        right = (R.diagonal() * a - (Y @ r)[order] * valid)[:, None]
        c = torch.linalg.solve_triangular(R.T, right, upper=False)[:, 0] * valid
        return r + self._rowwise(c, order) @ S

    def _rowwise(self, v: Tensor, order: Tensor) -> Tensor:
        """A vector in order of age → in order of rows, float32."""
        return torch.empty_like(v).index_copy(0, order, v).float()


class SpectralPreconditioner:
    """The initial Hessian: how far each colour and frequency moves per gradient, as the last steps showed.

    Per opponent colour and radial frequency the ratio of the spectra of s and y (running averages), times a
    local diagonal: where in the picture it moves. Plain L-BFGS has one number in its place, and |s|/|y| spans
    two orders of magnitude over the frequencies.
    """

    BINS, DECAY, PLACE = 16, 0.7, 4  # the last in px

    def __init__(self, height: int, width: int, device: torch.device) -> None:
        self._size = (height, width)
        opponent = torch.tensor([[1.0, 1, 1], [1, 0, -1], [1, -2, 1]], device=device)
        self._opponent = opponent / opponent.norm(dim=1, keepdim=True)
        radius = (torch.fft.fftfreq(height)[:, None] ** 2 + torch.fft.rfftfreq(width) ** 2).sqrt()
        bins = (radius * (self.BINS / 0.5**0.5)).long().clamp(max=self.BINS - 1)
        self._bins = bins.flatten().expand(3, -1).to(device)
        self._s, self._y = torch.zeros(2, 3, self.BINS, device=device)  # energy per colour and frequency
        self._here = self._places(torch.zeros(2, height, width, device=device))  # energy of s and of y per place

    def update(self, s: Tensor, y: Tensor, wanted: Tensor) -> None:
        """Take a step s and the gradient's change y (3·H·W,) into the averages, if `wanted`."""
        w = 1 / (s.norm() * y.norm())

        def averaged(old: Tensor, new: Tensor) -> Tensor:
            return torch.where(wanted, self.DECAY * old + w * new, old)

        self._s, self._y = averaged(self._s, self._energy(s)), averaged(self._y, self._energy(y))
        energy = torch.stack([v.view(3, *self._size).square().mean(0) for v in (s, y)])
        self._here = averaged(self._here, self._places(energy))

    def product(self, q: Tensor) -> Tensor:
        """H₀ q, symmetric and positive definite."""
        gain = ((self._s + 1e-30) / (self._y + 1e-30)).sqrt().gather(1, self._bins)
        a, b = F.interpolate(self._here, self._size, mode="bilinear")[0]
        here: Tensor = ((a + 0.01 * a.mean() + 1e-30) / (b + 0.01 * b.mean() + 1e-30)).sqrt()
        here = (here / here.mean()) ** 0.25  # on both sides, so the square root of a quarter power of s²/y²
        v = self._colours(q.view(3, *self._size) * here, self._opponent)
        spectrum = torch.fft.rfft2(v)
        v = torch.fft.irfft2(spectrum * gain.view(spectrum.shape), s=self._size)
        return (self._colours(v, self._opponent.T) * here).flatten()

    def _energy(self, v: Tensor) -> Tensor:
        e = torch.fft.rfft2(self._colours(v.view(3, *self._size), self._opponent), norm="ortho")
        return torch.zeros_like(self._s).scatter_add_(1, self._bins, torch.view_as_real(e).square().sum(-1).flatten(1))

    def _places(self, v: Tensor) -> Tensor:
        """v (2, H, W) → its means (1, 2, h, w) in squares of PLACE px and, to be smooth, their neighbours."""
        coarse = F.avg_pool2d(v[None], self.PLACE, ceil_mode=True, count_include_pad=False)
        return F.avg_pool2d(coarse, 3, 1, 1, count_include_pad=False)

    @staticmethod
    def _colours(v: Tensor, matrix: Tensor) -> Tensor:
        return torch.einsum("ij,jhw->ihw", matrix, v)
