"""Colours: the photo's own, after Gatys, Bethge, Hertzmann, Shechtman 2016 (arXiv:1606.05897), and faint ones."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]  # (H, W, 3) in [0, 1]
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # Y of YIQ
FAINT = 0.5  # of the luminance's deviation: a chroma below it, root mean square over R, G and B
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


def chroma_gain(pictures: Sequence[tuple[Picture, float]], most: float) -> float:
    """1 to `most`: what the chroma of these pictures, by weight, has to be multiplied by so that it is not faint.

    Statistics of a black and white style hardly know any colour: without this, a painting in it has green and pink
    fringes, and keeps a tint of the photo's.
    """
    total = light = faint = 0.0
    for picture, weight in pictures:
        rows, columns = (max(1, length // LOOK) for length in picture.shape[:2])
        pixels = picture[::rows, ::columns].reshape(-1, 3).astype(np.float64)
        y = pixels @ LUMA
        total += weight
        light += weight * y.var()
        faint += weight * (pixels - y[:, None]).var(axis=0).mean()
    least = (1 / 255) ** 2 * total  # a step of an 8-bit picture
    return float(np.clip(FAINT * np.sqrt(light / max(faint, least)), 1, most))


def _covariance(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = pixels - pixels.mean(0)
    result: NDArray[np.float64] = centred.T @ centred / len(pixels)
    return result


def _power(matrix: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    """A symmetric matrix to any power."""
    values, vectors = np.linalg.eigh(matrix)
    result: NDArray[np.float64] = (vectors * np.maximum(values, LEAST_VARIANCE) ** exponent) @ vectors.T
    return result
