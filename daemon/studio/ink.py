"""Ink: mountains in mist, a boat and bamboo, washed and brushed in sumi on laid paper, one red seal."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from daemon.studio.brush import resized
from daemon.studio.curves import Points, limb, spline, window
from daemon.studio.fields import Field, blur, colour, f32, fbm, lay, noise, plane, smooth

PAPER, SUMI, SEAL = colour("#f4ead4"), colour("#13151a"), colour("#b5281e")


def _range(x: Field, y: Field, number: int) -> tuple[Field, Field, Field]:
    """(fall below the ridge, mask, texture strokes) of one mountain range, 0 the farthest."""
    base, tall, rate, shift = (
        (0.33, 0.10, 2.6, 1.3),
        (0.42, 0.20, 2.1, 0.25),
        (0.53, 0.17, 2.9, 2.3),
        (0.66, 0.11, 3.4, 0.9),
    )[number]
    bump = np.abs(np.sin(rate * x * 1.35 + shift)) ** 1.6
    crag = 0.055 * fbm(x * 5, x * 0 + number * 3.1, 10 + number, 6, 0.55)
    ridge = base - tall * bump - crag * (0.4 + bump)
    fall = y - ridge + 0.0016 * noise(x * 160, y * 160, 20 + number)
    lean = 0.9 * np.sin(x * 9 + number)
    u, v = x + lean * 0.12 * fall * 4, fall
    cun = fbm(u * 44, v * 9, 30 + number, 4, 0.6)
    return fall.astype(np.float32), smooth(-0.0008, 0.0022, fall), cun


def _mountains(x: Field, y: Field) -> Field:
    """Optical density of four ranges, each veiling what lies behind with mist."""
    density = np.zeros_like(x)
    for number, (strength, depth) in enumerate(((0.28, 0.10), (0.62, 0.17), (0.95, 0.14), (1.25, 0.09))):
        fall, mask, cun = _range(x, y, number)
        pool = 0.75 + 0.5 * fbm(x * 4, y * 4, 40 + number, 4)
        wash = np.exp(-np.maximum(fall, 0) / (depth * (0.7 + 0.5 * noise(x * 2.5, x * 0 + 7 * number, 45)))) * pool
        edge = np.exp(-((fall / 0.006) ** 2)) * (0.35 + 0.6 * smooth(-0.3, 0.5, noise(x * 14, y * 14, 50 + number)))
        stroke = smooth(0.10, 0.55, cun) * np.exp(-np.maximum(fall, 0) / (depth * 0.9)) * (0.30 + 0.35 * number / 3)
        trees = (
            smooth(0.12, 0.5, noise(x * 120, y * 75, 55 + number))
            * smooth(0.028, 0.004, np.abs(fall - 0.012))
            * smooth(-0.05, 0.3, fbm(x * 8, y * 8, 58 + number, 2))
            * (0.9 if number > 0 else 0.2)
        )
        own = strength * (0.62 * wash + 0.30 * edge + stroke + trees)
        veil = mask * np.exp(-np.maximum(fall, 0) / (depth * 2.6))
        density = density * (1 - np.clip(mask * (0.35 + 0.65 * veil) * 1.0, 0, 1)) + mask * own
        mist = mask * (1 - veil) * 0.9
        density *= 1 - np.clip(mist, 0, 0.9)
    return density.astype(np.float32)


def _sky(x: Field, y: Field) -> Field:
    r = np.hypot(x - 0.235, y - 0.165)
    cloud = 0.5 + 0.5 * fbm(x * 2.2, y * 4.5, 60, 5)
    wash = 0.30 * smooth(0.50, 0.02, y) * cloud + 0.16 * smooth(0.34, 0.07, r) * (0.6 + 0.6 * cloud)
    moon = smooth(0.069, 0.0715, r + 0.0012 * noise(x * 50, y * 50, 61))
    ring = 0.14 * np.exp(-(((r - 0.074) / 0.004) ** 2)) * (0.5 + noise(x * 20, y * 20, 62))
    return (wash * moon + ring).astype(np.float32)


def _water(x: Field, y: Field) -> Field:
    low = smooth(0.70, 0.80, y)
    ripple = smooth(0.28, 0.55, fbm(x * 5, y * 90, 70, 3)) * smooth(0.72, 0.80, y) * smooth(1.0, 0.86, y)
    shore = np.exp(-(((y - 0.925 - 0.03 * np.sin(5 * x + 2) - 0.012 * fbm(x * 9, y * 9, 71, 4)) / 0.02) ** 2))
    bank = smooth(0.0, 0.03, y - 0.935 - 0.03 * np.sin(5 * x + 2) - 0.015 * fbm(x * 9, y * 3, 72, 5))
    return f32(
        (
            0.10 * low
            + 0.22 * ripple
            + 0.3 * shore * (0.6 + fbm(x * 20, y * 50, 73, 3))
            + bank * (0.7 + 0.7 * fbm(x * 12, y * 30, 74, 4))
        ).astype(np.float32)
    )


class _Brush:
    """Wet strokes on one sheet of optical density; each lies over what was there."""

    def __init__(self, x: Field, y: Field) -> None:
        self.x, self.y, self.density = x, y, np.zeros_like(x)

    def stroke(
        self, points: Points, thick: Sequence[float], wet: float, seed: int, tone: float, hide: float = 0.4
    ) -> None:
        """Pooled at its rim, streaked by the bristles, dry towards its end unless `wet` is 1."""
        curve = spline(points, 9)
        radii = f32(np.interp(np.linspace(0, 1, len(curve)), np.linspace(0, 1, len(thick)), thick))
        at = window(self.x, self.y, curve, max(thick) + 0.004)
        x, y = self.x[at], self.y[at]
        if not x.size:
            return
        deep, way, side = limb(x, y, curve, radii)
        inside = smooth(-0.0006, 0.0010, deep + 0.0007 * noise(x * 220, y * 220, seed))
        streak = noise(side * 7 + seed, way * 3.5, seed + 1)
        dry = smooth(0.05, 0.45, streak + (way - 0.55) * 0.9 * (1 - wet)) * (1 - wet)
        pool = 0.4 * np.exp(-(((1 - np.abs(side)) / 0.16) ** 2))
        laid = inside * np.clip(0.72 + 0.35 * side + 0.55 * streak * (1 - 0.5 * wet) + pool, 0.15, 2) * (1 - 0.9 * dry)
        self.density[at] = np.maximum(self.density[at] * (1 - hide * (laid > 0.05)), tone * laid)


# foot x, lean, radius, tone, y of the top
STALKS = ((0.79, -0.02, 0.011, 0.42, -0.05), (0.675, 0.03, 0.0125, 0.75, 0.03), (0.735, -0.06, 0.0165, 1.15, -0.05))
# x, y, tone of every spray of leaves
SPRAYS = (
    (0.60, 0.10, 0.5), (0.72, 0.20, 0.6), (0.56, 0.36, 0.6), (0.66, 0.60, 0.6), (0.50, 0.16, 0.8), (0.76, 0.36, 1.0),
    (0.64, 0.30, 1.2), (0.74, 0.55, 1.3), (0.69, 0.05, 1.4), (0.55, 0.06, 1.5), (0.77, 0.12, 1.6), (0.62, 0.21, 1.7),
)  # fmt: skip


def _bamboo(brush: _Brush, rng: np.random.Generator) -> None:
    for foot, lean, thick, tone, top in STALKS:
        joints = np.linspace(1.03, top, 9) + rng.uniform(-0.012, 0.012, 9)
        for k, (low, high) in enumerate(pairwise(joints)):
            ends = [
                (foot + lean * max(1 - q, 0) ** 1.4, float(q)) for q in (low - 0.004, (low + high) / 2, high + 0.004)
            ]
            r = thick * (1 - 0.045 * k)
            brush.stroke(
                ends, (r * 1.12, r * 0.92, r * 0.92, r * 1.12), 0.55, 200 + 10 * k + int(foot * 100), tone, 0.8
            )
            cx, cy = ends[-1]
            node = [(cx - r * 1.25, cy + 0.003), (cx, cy - 0.003), (cx + r * 1.25, cy + 0.004)]
            brush.stroke(node, (0.001, 0.0032, 0.001), 1.0, 300 + k, 1.5 * tone)


def _leaves(brush: _Brush, rng: np.random.Generator) -> None:
    """Sprays of leaves that hang from twigs, the dark ones over the pale ones."""
    for number, (cx, cy, tone) in enumerate(SPRAYS):
        twig = [(cx + 0.07, cy - 0.03), (cx + 0.03, cy - 0.008), (cx, cy)]
        brush.stroke(twig, (0.0022, 0.0016, 0.001), 0.9, 400 + number, 0.8 * tone)
        for k in range(int(rng.integers(6, 10))):
            swing, bend = rng.normal(1.9, 0.62), rng.normal(0, 0.16)
            reach, girth = rng.uniform(0.075, 0.140), rng.uniform(0.0075, 0.0115)
            ox, oy = cx + rng.uniform(-0.012, 0.045), cy + rng.uniform(-0.018, 0.012)
            turns = [(s * reach, swing + bend * s) for s in (0.0, 0.33, 0.66, 1.0)]
            path = [(ox + r * np.cos(a), oy + r * np.sin(a)) for r, a in turns]
            shape = (0.0012, girth, girth * 0.9, girth * 0.42, 0.0004)
            brush.stroke(path, shape, rng.uniform(0.35, 0.9), 500 + 10 * number + k, tone * rng.uniform(0.75, 1.15))


def _boat(brush: _Brush) -> None:
    brush.stroke(
        [(0.262, 0.802), (0.282, 0.781), (0.305, 0.780), (0.318, 0.800)], (0.003, 0.006, 0.006, 0.003), 0.6, 701, 0.8
    )
    brush.stroke(
        [(0.205, 0.800), (0.25, 0.815), (0.31, 0.814), (0.352, 0.793)], (0.001, 0.0075, 0.0085, 0.001), 0.8, 700, 1.3
    )
    brush.stroke([(0.232, 0.803), (0.233, 0.785), (0.238, 0.772)], (0.0055, 0.0075, 0.003), 0.9, 702, 1.2)
    brush.stroke([(0.226, 0.769), (0.239, 0.762), (0.251, 0.769)], (0.001, 0.0052, 0.001), 0.9, 703, 1.5)
    brush.stroke([(0.175, 0.835), (0.225, 0.785), (0.262, 0.745)], (0.0009, 0.0012, 0.0009), 1.0, 704, 1.2)
    brush.stroke([(0.215, 0.833), (0.28, 0.836), (0.34, 0.831)], (0.001, 0.004, 0.001), 0.2, 705, 0.35)


def _birds(brush: _Brush) -> None:
    for k, (cx, cy, s) in enumerate(
        ((0.405, 0.130, 1.1), (0.448, 0.104, 0.9), (0.470, 0.140, 0.8), (0.375, 0.160, 0.65), (0.495, 0.117, 0.6))
    ):
        bones = ((-0.017, -0.004), (-0.007, -0.009), (0, 0), (0.008, -0.010), (0.018, -0.007))
        wing = [(cx + u * s, cy + v * s) for u, v in bones]
        brush.stroke(wing, (0.0005, 0.0019 * s, 0.0022 * s, 0.0019 * s, 0.0005), 0.9, 720 + k, 1.2)


def _reeds(brush: _Brush, rng: np.random.Generator) -> None:
    """Grass on the near bank, in quick dry strokes."""
    for k in range(46):
        fx = rng.uniform(-0.01, 0.62) ** 1.15
        fy = 0.965 + 0.03 * np.sin(5 * fx + 2) + rng.uniform(-0.012, 0.03)
        reach, lean = rng.uniform(0.035, 0.095), rng.normal(0.18, 0.30)
        path = [(fx, fy), (fx + 0.3 * lean * reach, fy - 0.6 * reach), (fx + lean * reach, fy - reach)]
        brush.stroke(path, (0.0016, 0.0022, 0.0004), rng.uniform(0.2, 0.8), 800 + k, rng.uniform(0.5, 1.5))


def _sheet(density: Field, x: Field, y: Field) -> Field:
    """Ink soaked into laid paper, with the red seal."""
    fibre = fbm(x * 14 + 3 * noise(x * 3, y * 3, 80), y * 150, 81, 3)
    tooth = fbm(x * 230, y * 230, 82, 2)
    soaked = density * (1 + 0.22 * tooth + 0.12 * fibre)
    soaked = np.maximum(soaked, 0) + 0.5 * blur(np.maximum(soaked, 0), x.shape[0] / 420) * 0.35
    paper = PAPER * (1 + 0.022 * fibre + 0.035 * tooth + 0.035 * fbm(x * 2, y * 2, 83, 3))[..., None]
    absorb = -np.log(SUMI) * f32([1.0, 0.97, 0.93])
    sheet = paper * np.exp(-soaked[..., None] * absorb * 0.72)
    u, v = (x - 0.068) / 0.031, (y - 0.885) / 0.040
    worn = noise(x * 130, y * 130, 84)
    block = smooth(1.03, 0.97, np.maximum(np.abs(u), np.abs(v)) + 0.05 * worn)
    lines = np.minimum.reduce(
        [
            np.abs(np.abs(u) - 0.05),
            np.abs(v + 0.45) + 0.4 * (np.abs(u) > 0.7),
            np.abs(np.hypot(u * 1.1, v - 0.32) - 0.38),
            np.abs(v + 0.02) + 0.4 * (np.abs(u) > 0.5),
        ]
    )
    stamp = block * smooth(0.06, 0.11, lines) * (0.92 - 0.5 * smooth(0.25, 0.5, worn))
    return lay(sheet.astype(np.float32), np.broadcast_to(SEAL, sheet.shape), stamp)


def ink(size: int) -> Field:
    """(size, W, 3), four wide to five high."""
    rng = np.random.default_rng(1506)
    height, width = 2 * size, 2 * (size * 4 // 5)
    x, y = plane(width, height)
    far = _sky(x, y) + _mountains(x, y) + _water(x, y)
    brush = _Brush(x, y)
    _birds(brush)
    _boat(brush)
    _reeds(brush, rng)
    _bamboo(brush, rng)
    _leaves(brush, rng)
    density = far * (1 - 0.75 * smooth(0.05, 0.4, brush.density)) + brush.density
    return resized(_sheet(f32(density), x, y), width // 2, size)
