"""Glass: a leaded window; sun over a mountain lake behind irises, in opalescent panes with light behind."""

from __future__ import annotations

import numpy as np

from daemon.studio.brush import resized
from daemon.studio.fields import Field, Labels, blur, chance, f32, fbm, lay, near_edges, noise, plane, ramp, smooth

SUN = (0.47, 0.335)


class _Window:
    """Panes as they are cut: a label and a colour for every pixel; later cuts lie over earlier ones."""

    def __init__(self, x: Field, y: Field) -> None:
        self.labels: Labels = np.zeros(x.shape, np.int32)
        self.tint = np.zeros((*x.shape, 3), np.float32)
        self._next = 1

    def cut(self, where: Field, pieces: Field, colours: Field) -> None:
        """Panes where `where` > 0, one for every whole number in `pieces`."""
        inside = where > 0
        _, number = np.unique(pieces[inside].astype(np.int64), return_inverse=True)
        self.labels[inside] = self._next + number
        self._next += int(number.max(initial=0)) + 1
        self.tint[inside] = np.broadcast_to(colours, self.tint.shape)[inside]


def _sky(window: _Window, x: Field, y: Field) -> None:
    dx, dy = x - SUN[0], y - SUN[1]
    r = np.hypot(dx, dy) + 0.012 * noise(x * 4, y * 4, 3)
    ring = np.digitize(r, (0.085, 0.15, 0.235, 0.335, 0.45, 0.59)).astype(np.float32)
    rays = np.array([1, 10, 14, 18, 22, 26, 30], np.float32)[ring.astype(int)]
    swing = np.arctan2(dy, dx) / (2 * np.pi) + 0.5 + 0.035 * np.sin(r * 15)
    ray = np.floor(swing * rays + 0.5 * (ring % 2)) % rays
    pieces = ring * 100 + ray
    t = ring / 6 + 0.13 * (chance(pieces.astype(np.int32), 4) - 0.5)
    names = ("#fff3b0", "#ffd23f", "#ff9e2c", "#f0603a", "#c43f6e", "#5f4aa8", "#2747a8")
    window.cut(np.ones_like(x), pieces, ramp(t, names))


def _mountains(window: _Window, x: Field, y: Field) -> None:
    ranges = (
        (
            0.47 - 0.21 * (1 - np.abs(np.sin(3.6 * x + 1.1)) ** 0.8) - 0.02 * np.sin(17 * x),
            ("#b79be0", "#7a5cc0", "#4a3a9c"),
            0.075,
        ),
        (
            0.565 - 0.13 * (1 - np.abs(np.sin(4.3 * x + 0.3)) ** 0.9) + 0.015 * np.sin(13 * x),
            ("#58b0c8", "#2a7fb0", "#1c4f94"),
            0.065,
        ),
        (0.615 - 0.05 * np.sin(3.6 * x + 4.1), ("#a8cf4a", "#4fa04a", "#1f7350"), 0.05),
    )
    for number, (ridge, names, depth) in enumerate(ranges):
        fall = y - ridge
        course = np.floor(fall / depth)
        lean = x + (0.5 - number * 0.4) * fall + 0.02 * np.sin(20 * y)
        pieces = 50 * course + np.floor(lean * (7 + number) + 0.5 * (course % 2)) + 5000
        t = fall / 0.22 + 0.35 * (chance((pieces + 977 * number).astype(np.int32), 8) - 0.5)
        window.cut(fall, pieces, ramp(t, names))


def _lake(window: _Window, x: Field, y: Field) -> None:
    deep = (y - 0.655) / 0.345
    row = np.floor(10.5 * np.maximum(deep, 0) ** 0.75 + 0.22 * np.sin(9 * x + 3 * np.floor(deep * 5)) + 0.05)
    shift = chance(row.astype(np.int32), 12)
    pieces = row * 60 + np.floor((x + shift * 0.3) * 4.2) + 3000
    die = chance(pieces.astype(np.int32), 5)
    blue = ramp(die, ("#0f3f8f", "#1c6fb8", "#2aa0b8", "#5cc8c0", "#1f4fa0"))
    gold = ramp(die, ("#ffe27a", "#ffb03a", "#f0703a", "#ffd23f"))
    path = (np.abs(x - SUN[0] - 0.04 * np.sin(row * 2)) < 0.055 + 0.07 * shift).astype(np.float32)
    pieces = pieces * 2 + path
    window.cut(deep, pieces, lay(blue, gold, path))


def _blade(x: Field, y: Field, foot: float, tip: tuple[float, float], girth: float) -> tuple[Field, Field]:
    """A leaf from the lower edge to its tip: (depth inside, way along from 0 at the foot to 1)."""
    t = np.clip((1.02 - y) / (1.02 - tip[1]), 0, 1.2)
    centre = foot + (tip[0] - foot) * t**2.2
    half = girth * (1 - t) ** 0.75 if girth < 0 else girth * np.clip(1 - t, 0, 1) ** 0.7
    return (half - np.abs(x - centre)).astype(np.float32), t.astype(np.float32)


LEAVES = (
    (0.04, (-0.03, 0.62), 0.020), (0.07, (0.16, 0.56), 0.022), (0.13, (0.10, 0.50), 0.018), (0.17, (0.30, 0.66), 0.020),
    (0.02, (0.05, 0.70), 0.020), (0.23, (0.20, 0.60), 0.018), (0.56, (0.47, 0.70), 0.018), (0.62, (0.66, 0.58), 0.021),
    (0.68, (0.62, 0.50), 0.018), (0.72, (0.84, 0.60), 0.022), (0.77, (0.74, 0.66), 0.019), (0.66, (0.56, 0.78), 0.018),
    (0.79, (0.83, 0.74), 0.018),
)  # fmt: skip
# x, y, size, hue: the flowers
IRISES = (
    (0.115, 0.475, 0.085, 0),
    (0.245, 0.605, 0.070, 1),
    (0.665, 0.475, 0.090, 1),
    (0.575, 0.655, 0.066, 0),
    (0.765, 0.620, 0.070, 2),
)


def _irises(window: _Window, x: Field, y: Field) -> None:
    for number, (foot, tip, girth) in enumerate(LEAVES):
        deep, t = _blade(x, y, foot, tip, girth)
        piece = np.floor(t * 3.2 + 0.13 * number)
        window.cut(deep, piece, ramp(t + 0.25 * (number % 3) - 0.2, ("#147a50", "#2aa858", "#7fcf3f", "#d8ec5a")))
    for cx, cy, size, hue in IRISES:
        stalk = 0.006 - np.abs(x - cx - 0.02 * np.sin(6 * (y - cy)))
        window.cut(np.where(y > cy, stalk, -1), np.floor((y - cy) * 5), ramp(y, ("#6fb83a", "#1f8a4a")))
        names = (
            ("#d9c4ff", "#8a5ae0", "#4a1fa8"),
            ("#ffc4e4", "#f0509c", "#a81a78"),
            ("#fff0a8", "#ffb52a", "#e85a1a"),
        )[hue]
        for turn, reach, wide in (
            (2.62, 1.0, 0.50),
            (0.52, 1.0, 0.50),
            (1.57, 1.05, 0.44),
            (-2.15, 0.9, 0.40),
            (-1.0, 0.9, 0.40),
            (-1.57, 1.05, 0.36),
        ):
            u = ((x - cx) * np.cos(turn) + (y - cy) * np.sin(turn)) / size
            v = (-(x - cx) * np.sin(turn) + (y - cy) * np.cos(turn)) / size
            petal = 1 - ((u - 0.55 * reach) / (0.55 * reach)) ** 2 - (v / wide) ** 2 * (1.5 - 0.6 * np.clip(u, 0, 1))
            window.cut(petal, np.zeros_like(x), ramp(u + 0.04 * np.sin(v * 40), (names[2], names[1], names[0])))
        heart = 1 - np.hypot(x - cx, y - cy) / (0.2 * size)
        window.cut(heart, np.zeros_like(x), ramp(heart, ("#ff9e2c", "#ffe27a")))


def _glow(window: _Window, x: Field, y: Field) -> Field:
    """Streaked and bubbled panes, each its own piece of glass, brightest where the sun stands behind."""
    turn, far = chance(window.labels, 21) * np.pi, chance(window.labels, 22) * 50
    u, v = x * np.cos(turn) + y * np.sin(turn) + far, y * np.cos(turn) - x * np.sin(turn) - far
    streak = fbm(u * 7, v * 34, 61, 4)
    cloud = fbm(u * 5, v * 5, 71, 3)
    seeds = smooth(0.50, 0.62, noise(u * 120, v * 120, 81))
    tint = window.tint * (0.92 + 0.30 * streak + 0.22 * cloud)[..., None]
    milk = np.clip(0.34 * streak + 0.22 * cloud, 0, 0.5) + 0.25 * seeds
    tint = lay(tint, f32(1.0) * np.ones_like(tint), np.clip(milk, 0, 0.6))
    tone = 0.80 + 0.40 * chance(window.labels, 23)
    light = 0.86 + 0.34 * np.exp(-(((x - SUN[0]) ** 2 + (y - SUN[1]) ** 2) / 0.16))
    return np.clip(tint * (tone * light)[..., None], 0, 1.2).astype(np.float32)


def _leaded(glow: Field, window: _Window, x: Field, y: Field) -> Field:
    height = x.shape[0]
    d = near_edges(window.labels, 64) / height
    half = 0.0041 + 0.0012 * noise(x * 5, y * 5, 31)
    lit = glow * (0.66 + 0.34 * smooth(0.002, 0.016, d))[..., None]
    round_ = np.sqrt(np.clip(1 - (d / half) ** 2, 0, 1)).astype(np.float32)
    gy, gx = np.gradient(blur(round_, height / 900))
    shine = np.clip((gx + gy) * -height / 700, -0.5, 1)
    lead = 0.075 + 0.10 * np.clip(shine, 0, 1) + 0.02 * noise(x * 90, y * 90, 32)
    lead = (lead[..., None] * np.array([0.95, 1.0, 1.12], np.float32)).astype(np.float32)
    came = lay(lit, lead, smooth(1.0, 0.8, d / half))
    halo = blur(came, height / 110)
    return (1 - (1 - np.clip(came, 0, 1)) * (1 - 0.20 * np.clip(halo, 0, 1))).astype(np.float32)


def glass(size: int) -> Field:
    """(size, W, 3), four wide to five high."""
    height, width = 2 * size, 2 * (size * 4 // 5)
    x, y = plane(width, height)
    window = _Window(x, y)
    for part in (_sky, _mountains, _lake, _irises):
        part(window, x, y)
    return resized(_leaded(_glow(window, x, y), window, x, y), width // 2, size)
