"""Colours: keep the photo's (Gatys, Bethge, Hertzmann, Shechtman 2016, arXiv:1606.05897), take the style's, or none."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]  # (H, W, 3) in [0, 1]
Map = tuple[NDArray[np.float64], NDArray[np.float64]]
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # Y of YIQ
NEARLY_ALL = 0.9  # share of the pixels of a black-and-white picture that lie near the line through its colours
FITS = 3  # fits of that line
LOOK = 128  # px along each side, at least, at which colours are sampled; a smaller picture is used whole
LEAST_VARIANCE = 1e-5  # of a colour; a picture of one colour has variance 0, which nothing can be divided by


def luminance(painting: Picture, photo: Picture) -> Picture:
    """The painting's luminance with the photo's chroma (section 4); both (H, W, 3), and so is the result."""
    y = (painting @ LUMA)[..., None]
    chroma = photo - (photo @ LUMA)[..., None]
    # A pixel that does not fit into [0, 1] loses chroma: clipping would change its luminance and hue.
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(chroma > 0, (1 - y) / chroma, np.where(chroma < 0, -y / chroma, 1))
    fits = np.clip(room.min(axis=2, keepdims=True), 0, 1)
    result: Picture = np.clip(y + fits * chroma, 0, 1).astype(np.float32)
    return result


def statistics(style: Picture, photo: Picture) -> Picture:
    """The style (h, w, 3) with the mean and covariance of the photo's colours (section 3), clipped to [0, 1]."""
    s, p = style.reshape(-1, 3).astype(np.float64), photo.reshape(-1, 3).astype(np.float64)
    # Symmetric square roots change the colours less than Cholesky factors do.
    A = _power(_covariance(p), 0.5) @ _power(_covariance(s), -0.5)
    matched = (s - s.mean(0)) @ A.T + p.mean(0)
    result: Picture = np.clip(matched, 0, 1).astype(np.float32).reshape(style.shape)
    return result


def color_map(photo: Picture, pictures: Sequence[tuple[Picture, float]], floor: float) -> Map:
    """(T, b): color → T color + b gives the photo the mean and covariance of the style pictures' colours.

    T (3, 3), b (3,). T is the linear Monge-Kantorovich map (Pitié, Kokaram 2007), which of all such maps moves colours
    least. `pictures`: (style picture, weight). `floor`, 0 or more: a standard deviation, whose square is added to the
    variance of the photo's colours, so that the faint chroma of a grey photo does not become a strong tint.
    """
    mean, A = _color_moments([(photo, 1.0)])
    wanted, B = _color_moments(pictures)
    A += floor**2 * np.eye(3)
    root, inverse = _power(A, 0.5), _power(A, -0.5)
    T = inverse @ _power(root @ B @ root, 0.5) @ inverse
    return T, wanted - T @ mean


class Tint(NamedTuple):
    """The chroma of a black-and-white picture as a linear function of its luminance Y: start + slope Y."""

    start: NDArray[np.float64]  # (3,)
    slope: NDArray[np.float64]  # (3,)

    def on(self, y: Picture) -> Picture:
        """Luminance y (H, W, 1) → tinted picture (H, W, 3), clipped to [0, 1]."""
        result: Picture = np.clip(y * (1 + self.slope) + self.start, 0, 1).astype(np.float32)
        return result


def tint(pictures: Sequence[tuple[Picture, float]], most: float) -> Tint | None:
    """The tint of black-and-white style pictures, such as cream paper and blue-black ink; None: they have colours.

    `pictures`: (picture, weight). They are black-and-white if the chroma of nearly all pixels is within `most` (root
    mean square over R, G and B) of the same line. The statistics of such pictures would allow green and pink fringes
    and blots in a painting in colours.
    """
    parts = [(_sampled(picture), weight) for picture, weight in pictures]
    pixels = np.concatenate([p for p, _ in parts])
    w: NDArray[np.float64] = np.concatenate([np.full(len(p), weight / len(p)) for p, weight in parts])
    w = w / w.sum()
    y = pixels @ LUMA.astype(np.float64)
    chroma = pixels - y[:, None]
    found, off = Tint(np.zeros(3), np.zeros(3)), np.zeros(len(y))
    for _ in range(FITS):  # without the pixels farthest from the line before: a red seal must not tint ink
        found = _line(y, chroma, w * (off <= np.quantile(off, NEARLY_ALL)))
        off = np.sqrt(np.square(chroma - found.start - y[:, None] * found.slope).mean(1))
    return found if float(w[off <= most].sum()) >= NEARLY_ALL else None


def _line(y: NDArray[np.float64], chroma: NDArray[np.float64], w: NDArray[np.float64]) -> Tint:
    """The chroma (n, 3) as a linear function of y (n,), by least squares with weights w (n,)."""
    w = w / float(w.sum())
    mean_y, mean = (w * y).sum(), w @ chroma  # no w @ y: the library would start threads for so short a sum
    off = y - mean_y
    slope = (w * off) @ (chroma - mean) / max(float((w * off**2).sum()), LEAST_VARIANCE)
    return Tint(mean - slope * mean_y, slope)


def grey(picture: Picture) -> Picture:
    """(H, W, 3) → its luminance in all three channels."""
    return np.repeat((picture @ LUMA)[..., None], 3, axis=2)


def _sampled(picture: Picture) -> NDArray[np.float64]:
    """(n, 3): a fixed sample of a picture's pixels, which suffices for its colours."""
    rows, columns = (max(1, length // LOOK) for length in picture.shape[:2])
    return picture[::rows, ::columns].reshape(-1, 3).astype(np.float64)


def _color_moments(pictures: Sequence[tuple[Picture, float]]) -> Map:
    """Mean (3,) and covariance (3, 3) of the colours of (picture, weight), averaged by weight."""
    total = sum(weight for _, weight in pictures)
    parts = [(_sampled(picture), weight / total) for picture, weight in pictures]
    mean = sum(pixels.mean(0) * weight for pixels, weight in parts)
    covariance = sum(_covariance(pixels) * weight for pixels, weight in parts)
    return np.asarray(mean), np.asarray(covariance)


def _covariance(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = pixels - pixels.mean(0)
    result: NDArray[np.float64] = centred.T @ centred / len(pixels)
    return result


def _power(matrix: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    """A positive semidefinite matrix to any power; eigenvalues below LEAST_VARIANCE are raised to it."""
    values, vectors = np.linalg.eigh(matrix)
    result: NDArray[np.float64] = (vectors * np.maximum(values, LEAST_VARIANCE) ** exponent) @ vectors.T
    return result
