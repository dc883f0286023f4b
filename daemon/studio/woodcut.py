"""Woodcut: a wind-bent pine over the sea, gouged out of black, with one red block for the sun."""

from __future__ import annotations

import numpy as np

from daemon.studio.brush import resized
from daemon.studio.curves import limb, spline, window
from daemon.studio.fields import Field, chance, colour, f32, fbm, lay, noise, plane, smooth

SUN = (0.60, 0.285, 0.098)
BLACK, CREAM, RED = colour("#17130f"), colour("#f3e6c8"), colour("#c8321f")


def gouges(along: Field, across: Field, bite: Field, seed: int, wander: float = 0.16) -> Field:
    """Spindle cuts of a V-gouge, 1 where wood is taken away: one per unit along, one row per unit across.

    `bite` is how wide the cuts open: 0 leaves black, 1 makes neighbours touch.
    """
    swayed = across + wander * noise(along * 1.3, across * 0.7, seed + 3)
    row = np.floor(swayed)
    number = row.astype(np.int32)
    shifted = along * (0.8 + 0.4 * chance(number, seed)) + 7 * chance(number, seed + 1)
    cell = np.floor(shifted)
    own = chance((cell * 7919).astype(np.int32) + number * 104729, seed + 2)
    s, t = shifted - cell, np.abs(swayed - row - 0.5)
    spindle = np.maximum(np.sin(np.pi * np.clip(s * (1.02 + 0.06 * own), 0, 1)), 1e-3) ** 0.45 * (1 - 0.35 * s)
    half = 0.5 * np.clip(bite * (0.75 + 0.5 * own), 0, 1.25) * spindle
    return f32(smooth(-0.06, 0.06, half - t) * (spindle > 0.1))


def _sky(x: Field, y: Field) -> Field:
    """Rays from the sun; each splits in two on its way out, where it would grow too wide."""
    dx, dy = x - SUN[0], y - SUN[1]
    r, swing = np.hypot(dx, dy), np.arctan2(dy, dx) / (2 * np.pi) + 0.5
    tone = 1.02 - 0.80 * smooth(0.12, 0.95, r) + 0.34 * fbm(x * 2.2, y * 5, 31, 3)
    cut = np.zeros_like(x)
    for k, split in enumerate((0.0, 0.22, 0.42, 0.78)):
        rows = 52 * 2**k
        begin = split * (0.82 + 0.36 * chance((np.floor(swing * rows / 2) + 999 * k).astype(np.int32), 30))
        rays = gouges(r * 10 + 0.4 * k, swing * rows, tone, 100 + k, 0.05)
        cut = np.where(r >= begin, rays * smooth(0, 0.006, r - begin), cut)
    return f32(np.where(r < SUN[2] + 0.012, 1, cut))


def _clouds(cut: Field, x: Field, y: Field) -> Field:
    for cx, cy, reach, girth, seed in (
        (0.20, 0.16, 0.30, 0.040, 1),
        (0.70, 0.455, 0.26, 0.030, 2),
        (0.06, 0.40, 0.25, 0.034, 3),
        (0.74, 0.075, 0.20, 0.026, 4),
    ):
        u = (x - cx) / reach
        swell = (
            girth
            * np.clip(1 - u * u, 0, 1) ** 0.6
            * (0.62 + 0.38 * np.abs(np.sin(u * 7 + seed * 2)) + 0.15 * noise(x * 9, y * 0 + seed, seed))
        )
        d = np.where(y < cy, swell - (cy - y), 0.25 * swell - (y - cy))
        d = np.where(np.abs(u) < 1, d, -1)
        inside = d > 0
        bite = 0.25 + 1.1 * smooth(cy + 0.3 * girth, cy - girth, y)
        hatch = gouges(x * 9 + seed, d / 0.0062, bite, 200 + seed)
        cut = np.where(inside, hatch, cut)
        cut = np.where((d > -0.0042) & (d < 0.0022), 0, cut)
    return cut


def _mountains(cut: Field, x: Field, y: Field) -> Field:
    for k, (base, tall, rate, phase) in enumerate(((0.575, 0.105, 5.2, 0.4), (0.60, 0.07, 7.1, 2.0))):
        saw = np.abs((x * rate / np.pi + phase) % 2 - 1)
        ridge = base - tall * (saw**1.2) - 0.012 * fbm(x * 9, x * 0 + k, 60 + k, 4)
        fall = y - ridge
        lit = ((x * rate / np.pi + phase) % 2 < 1).astype(np.float32)  # slopes that face the sun
        bite = 0.15 + 0.62 * lit * smooth(0.11, 0.0, fall) + 0.22 * fbm(x * 12, y * 12, 70 + k, 3)
        lean = np.where(lit > 0.5, 0.75, -0.75)
        hatch = gouges((y + 0.2 * x) * 20, (x + lean * fall) / 0.0085, bite, 300 + k)
        cut = np.where(fall > 0, hatch, cut)
        cut = np.where(np.abs(fall) < 0.0035, 0, cut)
    return cut


def _sea(cut: Field, red: Field, x: Field, y: Field) -> tuple[Field, Field]:
    fall = y - 0.618
    depth = np.clip(fall / 0.382, 0, 1)
    swell = 0.010 * np.sin(x * 16 + y * 40) + 0.018 * fbm(x * 4, y * 7, 80, 3)
    rows = (np.sqrt(np.maximum(fall, 0) + 0.01) + swell * (0.3 + depth)) / 0.0098
    crest = 0.5 + 0.5 * np.sin(rows * 0.9 + 9 * noise(x * 3, y * 6, 81))
    path = np.exp(-(((x - SUN[0]) / (0.055 + 0.10 * depth)) ** 2))
    bite = 0.14 + 0.42 * crest * (1 - 0.3 * depth) + 0.75 * path
    hatch = gouges(x * (15 - 9 * depth), rows, bite, 400)
    below = fall > 0
    cut = np.where(below, hatch, cut)
    red = np.where(below & (path > 0.42 + 0.35 * noise(x * 20, y * 60, 82)), 1, np.where(below, 0, red))
    return np.where(np.abs(fall) < 0.002, 0, cut), red


def _cliff(cut: Field, red: Field, x: Field, y: Field) -> tuple[Field, Field]:
    steps = 0.030 * np.floor((y - 0.6) * 13 + 1.5 * noise(x * 2, y * 6, 90)) / 3
    brow = 0.46 + 0.55 * (y - 0.66) + steps + 0.02 * fbm(x * 8, y * 14, 91, 4)
    top = 0.655 + 0.05 * np.sin(x * 6 + 2.0) + 0.012 * fbm(x * 10, x * 0, 92, 3)
    d = np.minimum(brow - x, (y - top) * 1.2)
    facet = fbm(x * 7 + y * 3, y * 9 - x * 4, 93, 4)
    bite = 0.12 + 0.55 * smooth(0.10, 0.0, d) + 0.45 * np.clip(facet, -0.4, 1)
    turn = np.where(facet > 0.05, 0.9, -0.35) + 0.5 * noise(x * 5, y * 5, 94)
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    rock = gouges(u * 17, v / 0.0088, bite, 500)
    turf = gouges(y * 26 + 0.4 * x, (x + 0.5 * (y - top)) / 0.0075, 0.75 - 9 * np.maximum(y - top, 0), 520)
    hatch = np.where(y - top < 0.045, turf, rock)
    cut = np.where(d > 0, hatch, cut)
    return np.where(np.abs(d) < 0.0045, 0, cut), np.where(d > -0.0045, 0, red)


TRUNK = ((0.135, 0.755), (0.150, 0.64), (0.135, 0.53), (0.185, 0.43), (0.285, 0.35), (0.335, 0.26), (0.42, 0.205))
# points, thickness at both ends
BRANCHES = (
    (((0.145, 0.55), (0.24, 0.51), (0.33, 0.515), (0.41, 0.49)), (0.014, 0.005)),
    (((0.17, 0.455), (0.10, 0.40), (0.06, 0.33)), (0.013, 0.005)),
    (((0.245, 0.375), (0.36, 0.375), (0.45, 0.35)), (0.012, 0.004)),
    (((0.315, 0.30), (0.27, 0.22), (0.20, 0.175)), (0.012, 0.004)),
    (((0.145, 0.70), (0.105, 0.750), (0.045, 0.770)), (0.024, 0.004)),
    (((0.140, 0.70), (0.195, 0.745), (0.250, 0.765)), (0.024, 0.004)),
    (TRUNK, (0.037, 0.010)),
)
# x, y, half width, size of the fans: pads of needles, the far ones first
PADS = (
    (0.065, 0.315, 0.085, 0.042), (0.20, 0.165, 0.105, 0.046), (0.12, 0.385, 0.055, 0.034), (0.30, 0.225, 0.085, 0.044),
    (0.43, 0.190, 0.125, 0.050), (0.43, 0.350, 0.110, 0.044), (0.29, 0.505, 0.075, 0.036), (0.40, 0.490, 0.120, 0.044),
)  # fmt: skip


def _fan(cut: Field, red: Field, x: Field, y: Field, at: tuple[float, float, float], seed: int) -> None:
    """One scallop of needles, cut radially from its foot; works in place."""
    cx, cy, size = at
    part = window(x, y, f32([[cx, cy]]), size * 1.25)
    u, v = (x[part] - cx) / size, (y[part] - cy) / size
    if not u.size:
        return
    deep = 1 - np.hypot(u, np.where(v > 0, v * 2.6, v)) + 0.10 * noise(x[part] * 60, y[part] * 60, seed)
    swing = np.arctan2(u, 0.55 - v)
    bite = 0.20 + 0.75 * smooth(0.85, 0.15, deep) * (0.75 + 0.35 * u)
    needles = gouges(np.hypot(u, 0.55 - v) * 1.7 + 0.3, swing * 9.5 + 0.5, bite, seed, 0.08)
    cut[part] = np.where(deep > 0.05, needles, np.where(deep > -0.09, 0, cut[part]))
    red[part] = np.where(deep > -0.09, 0, red[part])


def _pine(cut: Field, red: Field, x: Field, y: Field) -> tuple[Field, Field]:
    for k, (points, thick) in enumerate(BRANCHES):
        curve = spline(points, 10)
        radii = f32(np.linspace(*thick, len(curve)))
        at = window(x, y, curve, thick[0] + 0.01)
        deep, way, side = limb(x[at], y[at], curve, radii)
        bite = 0.18 + 0.62 * smooth(-0.2, 0.9, side) + 0.15 * noise(x[at] * 30, y[at] * 30, 110)
        ridges = side * thick[0] * 105 + 9 + 0.7 * np.sin(way * 40)
        bark = gouges(way * 16 + 0.7 * side, ridges, bite, 600 + k)
        cut[at] = np.where(deep > 0.003, bark, np.where(deep > -0.0055, 0, cut[at]))
        red[at] = np.where(deep > -0.006, 0, red[at])
    for k, (cx, cy, wide, size) in enumerate(PADS):
        for row, count in ((1, max(int(wide / size * 1.6), 2)), (0, max(int(wide / size * 2.1), 2))):
            for j in sorted(range(count), key=lambda j: -abs(j - (count - 1) / 2)):
                t = (j - (count - 1) / 2) / max(count - 1, 1) * 2
                fx, fy = cx + t * wide * (0.62 if row else 0.9), cy - row * size * 0.62 + 0.25 * size * t * t
                _fan(cut, red, x, y, (fx, fy, size * (1.0 - 0.22 * abs(t))), 700 + 20 * k + j + 7 * row)
    return cut, red


def _printed(cut: Field, red: Field, x: Field, y: Field) -> Field:
    """Two blocks on cream paper: wood grain in the black, a slightly starved red."""
    fibre = 0.025 * fbm(x * 90, y * 12, 130, 3) + 0.02 * fbm(x * 160, y * 160, 131, 2)
    paper = CREAM * (1 + fibre)[..., None]
    grain = smooth(0.42, 0.70, fbm(x * 7 + 0.5 * noise(x * 2, y * 2, 133), y * 170, 132, 3))
    salt = smooth(0.50, 0.62, noise(x * 210, y * 210, 134))
    vermilion = RED * (1 + 0.10 * fbm(x * 40, y * 40, 135, 3))[..., None]
    sheet = lay(paper, vermilion * np.ones_like(paper), red * (0.97 - 0.35 * salt))
    ink = BLACK * (1 + 0.5 * np.clip(fbm(x * 25, y * 60, 136, 3), 0, 1))[..., None]
    cover = (1 - cut) * (0.985 - 0.22 * grain * smooth(0.1, 0.5, fbm(x * 3, y * 3, 137, 2)) - 0.15 * salt)
    inset = np.minimum(np.minimum(x, x.max() - x), np.minimum(y, 1 - y)) + 0.0012 * noise(x * 40, y * 40, 138)
    frame = smooth(0.008, 0.0095, inset) * smooth(0.0155, 0.014, inset)
    cover = np.where(inset < 0.0145, frame * 0.97, cover)
    return lay(np.where((inset < 0.0145)[..., None], paper, sheet), ink, cover)


def woodcut(size: int) -> Field:
    """(size, W, 3), four wide to five high."""
    height, width = 2 * size, 2 * (size * 4 // 5)
    x, y = plane(width, height)
    red = smooth(SUN[2], SUN[2] - 0.002, np.hypot(x - SUN[0], y - SUN[1]) + 0.0015 * noise(x * 30, y * 30, 5))
    cut = _mountains(_clouds(_sky(x, y), x, y), x, y)
    red = np.where(cut > 0.5, red, 0)
    cut, red = _sea(cut, red, x, y)
    cut, red = _cliff(cut, red, x, y)
    cut, red = _pine(cut, red, x, y)
    return resized(_printed(cut.astype(np.float32), red.astype(np.float32), x, y), width // 2, size)
