"""Colours: the photo's own (Gatys, Bethge, Hertzmann, Shechtman 2016, arXiv:1606.05897), the style's, and none."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]  # (H, W, 3) in [0, 1]
Map = tuple[NDArray[np.float64], NDArray[np.float64]]
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # Y of YIQ
NEARLY_ALL = 0.9  # share of the pixels of a black-and-white picture that a line through its colours has to meet
FITS = 3  # of that line
LOOK = 512  # px along either side, at least, of which a picture's chroma is known
LEAST_VARIANCE = 1e-5  # of a colour; a picture of one colour has none to divide by


def luminance(painting: Picture, photo: Picture) -> Picture:
    """The painting's luminance with the photo's chroma (section 4); both of one shape."""
    y = (painting @ LUMA)[..., None]
    chroma = photo - (photo @ LUMA)[..., None]
    # What does not fit into [0, 1] loses colour rather than luminance or hue, which clipping would change.
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(chroma > 0, (1 - y) / chroma, np.where(chroma < 0, -y / chroma, 1))
    fits = np.clip(room.min(axis=2, keepdims=True), 0, 1)
    result: Picture = np.clip(y + fits * chroma, 0, 1).astype(np.float32)
    return result


def statistics(style: Picture, photo: Picture) -> Picture:
    """The style picture with the mean and covariance of the photo's colours (section 3)."""
    s, p = style.reshape(-1, 3).astype(np.float64), photo.reshape(-1, 3).astype(np.float64)
    # By symmetric square roots, which change the colours less than Cholesky factors do.
    A = _power(_covariance(p), 0.5) @ _power(_covariance(s), -0.5)
    matched = (s - s.mean(0)) @ A.T + p.mean(0)
    result: Picture = np.clip(matched, 0, 1).astype(np.float32).reshape(style.shape)
    return result


def color_map(photo: Picture, pictures: Sequence[tuple[Picture, float]], floor: float) -> Map:
    """(T, b): color → T color + b gives the photo the mean and covariance of the style pictures' colours.

    T (3, 3) is the linear Monge-Kantorovich map (Pitié, Kokaram 2007), the one that moves colours least. `floor` is a
    deviation that every colour of the photo is taken to have: faint chroma is not stretched into a tint.
    """
    mean, A = _color_moments([(photo, 1.0)])
    wanted, B = _color_moments(pictures)
    A += floor**2 * np.eye(3)
    root, inverse = _power(A, 0.5), _power(A, -0.5)
    T = inverse @ _power(root @ B @ root, 0.5) @ inverse
    return T, wanted - T @ mean


class Tint(NamedTuple):
    """The chroma of a picture that has hardly any, as a linear function of its luminance Y: start + slope Y."""

    start: NDArray[np.float64]  # (3,)
    slope: NDArray[np.float64]  # (3,)

    def on(self, y: Picture) -> Picture:
        """(H, W, 1) luminance → (H, W, 3) in [0, 1]."""
        result: Picture = np.clip(y * (1 + self.slope) + self.start, 0, 1).astype(np.float32)
        return result


def tint(pictures: Sequence[tuple[Picture, float]], most: float) -> Tint | None:
    """The tint of black-and-white style pictures: cream paper, blue-black ink; None where they have colours.

    A picture is black-and-white where the chroma of nearly all pixels is within `most` (root mean square over R, G and
    B) of one line. Painted in colours, its statistics would allow green and pink fringes and blots.
    """
    parts = [(_sampled(picture), weight) for picture, weight in pictures]
    pixels = np.concatenate([p for p, _ in parts])
    w: NDArray[np.float64] = np.concatenate([np.full(len(p), weight / len(p)) for p, weight in parts])
    w = w / w.sum()
    y = pixels @ LUMA.astype(np.float64)
    chroma = pixels - y[:, None]
    found, off = Tint(np.zeros(3), np.zeros(3)), np.zeros(len(y))
    for _ in range(FITS):  # without the pixels that the line before met worst: a red seal tints no ink
        found = _line(y, chroma, w * (off <= np.quantile(off, NEARLY_ALL)))
        off = np.sqrt(np.square(chroma - found.start - y[:, None] * found.slope).mean(1))
    return found if float(w @ (off <= most)) >= NEARLY_ALL else None


def _line(y: NDArray[np.float64], chroma: NDArray[np.float64], w: NDArray[np.float64]) -> Tint:
    """The chroma (n, 3) as a linear function of y (n,), by least squares with weights w (n,)."""
    w = w / float(w.sum())
    mean_y, mean = w @ y, w @ chroma
    slope = (w * (y - mean_y)) @ (chroma - mean) / max(float(w @ (y - mean_y) ** 2), LEAST_VARIANCE)
    return Tint(mean - slope * mean_y, slope)


def grey(picture: Picture) -> Picture:
    """(H, W, 3) → its luminance in all three channels."""
    return np.repeat((picture @ LUMA)[..., None], 3, axis=2)


def _sampled(picture: Picture) -> NDArray[np.float64]:
    """(n, 3): pixels enough to know a picture's colours by, the same ones each time."""
    rows, columns = (max(1, length // LOOK) for length in picture.shape[:2])
    return picture[::rows, ::columns].reshape(-1, 3).astype(np.float64)


def _color_moments(pictures: Sequence[tuple[Picture, float]]) -> Map:
    """Mean (3,) and covariance (3, 3) of the colours of several pictures, by weight."""
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
    """A symmetric matrix to any power."""
    values, vectors = np.linalg.eigh(matrix)
    result: NDArray[np.float64] = (vectors * np.maximum(values, LEAST_VARIANCE) ** exponent) @ vectors.T
    return result
