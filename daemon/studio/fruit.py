"""The objects of `stilllife` as solids: bottle, bowl, fruit. y = 0 is the table; a unit is about 16 cm."""

from __future__ import annotations

import numpy as np

from daemon.studio.fields import Field, f32, noise, smooth
from daemon.studio.march import Shape, ball, join, rod, within

BOTTLE, BOWL = (-0.88, 0.45), (0.36, 0.18)
GRAPES = tuple(
    (
        float(0.92 + 0.105 * (k % 4) - 0.05 * (k // 4) + 0.02 * np.sin(k * 5)),
        float(0.075 + 0.115 * (k // 7)),
        float(-0.62 + 0.115 * ((k * 3) % 5) - 0.07 * (k // 4)),
    )
    for k in range(15)
)


def _turned(p: Field, at: tuple[float, float]) -> tuple[Field, Field]:
    return np.hypot(p[:, 0] - at[0], p[:, 2] - at[1]).astype(np.float32), p[:, 1]


def _bottle(p: Field) -> Field:
    """A turned profile: straight body, round shoulder, neck with a lip."""
    r, y = _turned(p, BOTTLE)
    girth = 0.285 - 0.180 * smooth(0.92, 1.46, y) - 0.012 * smooth(1.4, 1.75, y) - 0.012 * smooth(0.05, 0.0, y)
    girth = girth + 0.020 * smooth(1.735, 1.755, y) * smooth(1.85, 1.83, y)
    side = (r - girth) * f32(0.62)
    return np.maximum(side, np.abs(y - 0.925) - 0.925) - f32(0.004)


def _bowl(p: Field) -> Field:
    r, y = _turned(p, BOWL)
    shell = np.abs(np.hypot(r, y - 0.66) - 0.66) - 0.022
    cup = np.maximum(shell, y - 0.44)
    foot = np.hypot(np.maximum(np.abs(r - 0.24) - 0.02, 0), np.maximum(np.abs(y - 0.03) - 0.03, 0)) - 0.012
    return join(cup.astype(np.float32), foot.astype(np.float32), 0.03)


def _apple(at: tuple[float, float, float], size: float) -> Shape:
    def shape(p: Field) -> Field:
        q = p - f32(at)
        r = np.hypot(q[:, 0], q[:, 2])
        dip = 0.42 * size * np.exp(-((r / (0.33 * size)) ** 2)) * np.sign(q[:, 1])
        y = q[:, 1] * 1.08 + dip - 0.10 * (r - 0.5 * size)
        return f32((np.sqrt(r * r + y * y) - size).astype(np.float32) * f32(0.75))

    return shape


def _pear(p: Field) -> Field:
    return join(
        ball(p, (0.40, 0.58, 0.42), (0.235, 0.24, 0.235)),
        rod(p, (0.42, 0.72, 0.40), (0.50, 0.98, 0.36), 0.135, 0.075),
        0.16,
    )


def _lemon(p: Field) -> Field:
    c, s = np.cos(0.5), np.sin(0.5)
    q = p - f32([-0.33, 0.165, -0.72])
    q = np.stack([q[:, 0] * c + q[:, 2] * s, q[:, 1], q[:, 2] * c - q[:, 0] * s], 1)
    return join(ball(q, (0, 0, 0), (0.215, 0.165, 0.165)), rod(q, (-0.2, 0, 0), (0.225, 0.01, 0), 0.035, 0.03), 0.12)


def _grapes(p: Field) -> Field:
    return f32(np.minimum.reduce([ball(p, g, 0.078) for g in GRAPES]))


_stems: tuple[Shape, ...] = (
    lambda p: rod(p, (-0.01, 0.80, -0.08), (0.02, 0.93, -0.12), 0.010, 0.016),
    lambda p: rod(p, (-0.91, 0.40, -0.45), (-0.95, 0.53, -0.48), 0.009, 0.015),
    lambda p: rod(p, (0.50, 1.03, 0.36), (0.55, 1.16, 0.34), 0.014, 0.018),
)


def _orange(p: Field) -> Field:
    bump = 0.0025 * noise(p[:, 0] * 45 + p[:, 2] * 30, p[:, 1] * 45 - p[:, 2] * 21, 3)
    return ball(p, (0.66, 0.585, 0.06), 0.235) + bump


# shape, the ball that holds it, the skin it wears
PARTS: tuple[tuple[Shape, tuple[float, float, float], float, int], ...] = (
    (_bottle, (-0.88, 0.95, 0.45), 1.08, 0),
    (_bowl, (0.36, 0.24, 0.18), 0.70, 1),
    (_apple((0.0, 0.60, -0.06), 0.245), (0.0, 0.60, -0.06), 0.30, 2),
    (_orange, (0.66, 0.585, 0.06), 0.25, 3),
    (_apple((0.37, 0.60, -0.15), 0.215), (0.37, 0.60, -0.15), 0.27, 4),
    (_pear, (0.44, 0.70, 0.40), 0.42, 5),
    (_lemon, (-0.33, 0.165, -0.72), 0.30, 6),
    (_grapes, (1.0, 0.15, -0.55), 0.42, 7),
    (_stems[0], (0.0, 0.86, -0.10), 0.10, 8),
    (_stems[1], (-0.93, 0.46, -0.46), 0.10, 8),
    (_stems[2], (0.52, 1.09, 0.35), 0.10, 8),
    (_apple((-0.90, 0.215, -0.44), 0.235), (-0.90, 0.215, -0.44), 0.29, 2),
)
NEAR = tuple(within(shape, centre, radius, 0.08) for shape, centre, radius, _ in PARTS)
WIDE = tuple(within(shape, centre, radius, 0.45) for shape, centre, radius, _ in PARTS)


def touching(p: Field) -> Field:
    """Distance to all of it, close enough to march by and to take slopes of."""
    return f32(np.minimum.reduce([part(p) for part in NEAR]))


def around(p: Field) -> Field:
    """Distance to all of it, exact as far as soft shadows and crevices look."""
    return f32(np.minimum.reduce([part(p) for part in WIDE]))


def skin(p: Field) -> Field:
    """Which skin (a number in PARTS) the nearest thing wears."""
    return np.asarray(np.asarray([number for *_, number in PARTS])[np.argmin(np.stack([part(p) for part in NEAR]), 0)])
