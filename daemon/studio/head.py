"""The sitter of `face` as solids: head, eyes, hair, dress.

x to her left, y up, z forward; the chin lies at y = -1, the crown at 1.1. Her two halves mirror each other.
"""

from __future__ import annotations

import numpy as np

from daemon.studio.fields import Field, f32, noise, smooth
from daemon.studio.march import Shape, ball, carve, join, rod, within

EYES = 0.285, 0.02, 0.515  # beside the middle, height, forward


def mirrored(p: Field) -> Field:
    q = p.copy()
    q[:, 0] = np.sqrt(p[:, 0] ** 2 + f32(3e-4))
    return q


def _skull(q: Field) -> Field:
    d = join(ball(q, (0, 0.30, -0.14), (0.70, 0.78, 0.86)), ball(q, (0, -0.30, 0.15), (0.505, 0.71, 0.56)), 0.25)
    d = join(d, ball(q, (0.31, -0.23, 0.40), (0.20, 0.18, 0.20)), 0.26)
    d = join(d, ball(q, (0, -0.93, 0.46), (0.14, 0.12, 0.13)), 0.22)
    d = join(d, rod(q, (0.43, -0.50, 0.02), (0.11, -0.90, 0.40), 0.10, 0.08), 0.24)
    return carve(d, ball(q, (0.29, 0.03, 0.82), (0.20, 0.12, 0.22)), 0.20)


def _features(d: Field, q: Field) -> Field:
    """Brow, nose and mouth on the skull."""
    d = join(d, rod(q, (0.13, 0.195, 0.645), (0.43, 0.205, 0.50), 0.05, 0.045), 0.22)
    d = join(d, rod(q, (0, 0.13, 0.665), (0, -0.28, 0.805), 0.044, 0.060), 0.13)
    d = join(d, ball(q, (0, -0.308, 0.818), 0.075), 0.07)
    d = join(d, ball(q, (0.084, -0.345, 0.735), (0.055, 0.052, 0.080)), 0.07)
    d = carve(d, ball(q, (0.048, -0.398, 0.790), (0.027, 0.018, 0.040)), 0.03)
    d = join(d, ball(q, (0, -0.60, 0.53), (0.25, 0.22, 0.23)), 0.16)
    d = carve(d, rod(q, (0, -0.44, 0.845), (0, -0.53, 0.835), 0.018, 0.030), 0.05)
    d = join(d, ball(q, (0.062, -0.572, 0.738), (0.125, 0.042, 0.066)), 0.045)
    d = join(d, ball(q, (0, -0.660, 0.735), (0.142, 0.052, 0.070)), 0.045)
    seam = q[:, 1] + 0.612 - 0.35 * q[:, 0] ** 2 + 0.012 * np.exp(-((q[:, 0] / 0.05) ** 2))
    slit = np.maximum(np.abs(seam) - 0.0005, np.abs(q[:, 0]) - 0.17)
    d = carve(d, np.maximum(slit, 0.66 - q[:, 2]).astype(np.float32), 0.022)
    d = carve(d, ball(q, (0.205, -0.618, 0.70), 0.012), 0.05)
    return carve(d, ball(q, (0, -0.775, 0.80), (0.12, 0.035, 0.06)), 0.09)


def _lids(d: Field, q: Field) -> Field:
    ex, ey, ez = EYES
    lid = ball(q, (ex, ey, ez), 0.178)
    d = join(d, lid, 0.05)
    across = (q[:, 0] - ex) / 0.156
    arch = np.clip(1 - across * across, 0, 1)
    upper = ey + 0.056 * arch**0.75 + 0.012 * across
    lower = ey - 0.042 * arch**0.9 + 0.012 * across
    gap = np.maximum(np.maximum(q[:, 1] - upper, lower - q[:, 1]), np.abs(across) * 0.156 - 0.153)
    gap = np.maximum(gap, 0.5 - q[:, 2]).astype(np.float32)
    d = carve(d, gap * f32(0.8), 0.022)
    crease = np.abs(q[:, 1] - ey - 0.020 - 0.080 * np.clip(arch, 0, 1) ** 0.6) - 0.0005
    return carve(d, np.maximum(crease, np.abs(across) * 0.156 - 0.135).astype(np.float32), 0.018)


def _head(p: Field) -> Field:
    q = mirrored(p)
    d = _lids(_features(_skull(q), q), q)
    ear = carve(
        ball(q, (0.665, -0.13, -0.06), (0.075, 0.20, 0.13)), ball(q, (0.74, -0.10, 0.0), (0.05, 0.12, 0.07)), 0.04
    )
    return join(d, ear, 0.05)


def _neck(p: Field) -> Field:
    d = rod(p, (0, -0.55, -0.22), (0.0, -1.60, -0.36), 0.33, 0.35)
    q = mirrored(p)
    return join(d, rod(q, (0.0, -1.72, -0.36), (0.92, -1.98, -0.40), 0.28, 0.25), 0.35)


def _eyeballs(p: Field) -> Field:
    return ball(mirrored(p), EYES, 0.162)


def parting(p: Field) -> Field:
    """Strand coordinate: constant along a hair that sweeps from the parting down to the nape."""
    q = mirrored(p)
    return np.arctan2(q[:, 2] + 0.35, q[:, 1] + 0.45 + 0.25 * q[:, 0]).astype(np.float32)


def _hair(p: Field) -> Field:
    q = mirrored(p)
    cap = ball(q, (0, 0.31, -0.17), (0.80, 0.885, 0.955))
    side = ball(q, (0.50, -0.06, -0.26), (0.28, 0.58, 0.50))
    d = join(cap, side, 0.20)
    # the hairline: a window for the face, its top an arch, its sides drawn back to the ears
    window = join(ball(q, (0, -0.30, 0.95), (0.585, 0.90, 0.98)), ball(q, (0, -1.2, 0.6), (0.62, 0.8, 0.9)), 0.2)
    d = carve(d, window, 0.10)
    bun = ball(p, (0, -0.20, -1.05), (0.38, 0.36, 0.32))
    d = join(d, bun, 0.10)
    strand = parting(p) * 26
    lock = noise(strand, q[:, 0] * 1.2, 4) * 0.020 + noise(strand * 3.1, q[:, 0] * 2, 5) * 0.007
    lock = lock * smooth(0.02, 0.22, window)  # smooth where hair meets skin
    groove = 0.035 * np.exp(-((p[:, 0] / 0.03) ** 2)) * smooth(0.4, 0.9, p[:, 1])
    return (d + lock + groove).astype(np.float32) * f32(0.8)


def _dress(p: Field) -> Field:
    q = mirrored(p)
    d = join(
        rod(q, (0.25, -1.83, -0.36), (0.98, -2.02, -0.42), 0.29, 0.29),
        ball(p, (0, -2.62, -0.35), (1.02, 0.95, 0.55)),
        0.3,
    )
    collar = ball(p, (0, -1.40, 0.05), (0.52, 0.42, 0.78))
    return (carve(d, collar, 0.05) + 0.012 * noise(p[:, 0] * 4 + p[:, 1] * 2, p[:, 1] * 5, 6)).astype(np.float32)


def _pearls(p: Field) -> Field:
    return ball(mirrored(p), (0.70, -0.42, -0.02), 0.048)


# shape and the ball that holds it
PARTS: tuple[tuple[Shape, tuple[float, float, float], float], ...] = (
    (_head, (0, 0.0, 0.05), 1.18),
    (_neck, (0, -1.6, -0.3), 1.5),
    (_eyeballs, (0, 0.02, 0.515), 0.5),
    (_hair, (0, 0.15, -0.35), 1.32),
    (_dress, (0, -2.4, -0.35), 1.75),
    (_pearls, (0, -0.42, -0.02), 0.8),
)
NEAR = tuple(within(shape, centre, radius, 0.08) for shape, centre, radius in PARTS)
WIDE = tuple(within(shape, centre, radius, 0.35) for shape, centre, radius in PARTS)


def touching(p: Field) -> Field:
    """Distance to all of her, close enough to march by and to take slopes of."""
    return f32(np.minimum.reduce([part(p) for part in NEAR]))


def around(p: Field) -> Field:
    """Distance to all of her, exact as far as soft shadows and crevices look."""
    return f32(np.minimum.reduce([part(p) for part in WIDE]))


def part_of(p: Field) -> Field:
    """Number in PARTS of what lies nearest."""
    return np.asarray(np.argmin(np.stack([part(p) for part in NEAR]), 0))
