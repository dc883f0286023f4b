"""Starry: a night sky that turns, over a river valley with poplars, in thick flow-field strokes."""

from __future__ import annotations

import numpy as np

from daemon.studio.brush import Canvas, kept, resized, trace
from daemon.studio.curves import evenly
from daemon.studio.fields import Field, Labels, blur, f32, fbm, lay, noise, palette, plane, ramp, smooth

NIGHT = ("#071033", "#0e2259", "#173c8c", "#2a62b4", "#5c97cf", "#a9cfdc", "#e6ecd0")
MOON = (0.225, 0.225)
# x, y, spread, turn (positive: anticlockwise on the canvas)
EDDIES = ((0.66, 0.37, 0.125, 2.6), (0.905, 0.475, 0.075, -2.2), (0.40, 0.50, 0.06, -1.5))
# x, y, halo radius
STARS = (
    (0.09, 0.50, 0.052), (0.42, 0.10, 0.070), (0.60, 0.115, 0.045), (0.80, 0.13, 0.085), (0.975, 0.24, 0.055),
    (0.46, 0.29, 0.040), (0.24, 0.48, 0.048), (1.20, 0.11, 0.060), (1.19, 0.42, 0.070), (0.05, 0.07, 0.046),
    (0.78, 0.575, 0.040),
)  # fmt: skip


def _flow(x: Field, y: Field) -> tuple[Field, Field, Field]:
    """Wind over the sky: (u, v) and its stream function, whose level lines the strokes follow."""
    stream = y + 0.05 * np.sin(4.2 * x + 0.6) + 0.035 * noise(x * 3, y * 3, 5)
    for cx, cy, spread, turn in EDDIES:
        r2 = ((x - cx) ** 2 + (y - cy) ** 2) / (2 * spread**2)
        stream = stream + turn * spread * np.exp(-r2)
    for cx, cy, halo in (*STARS, (*MOON, 0.16)):
        r2 = ((x - cx) ** 2 + (y - cy) ** 2) / (2 * (0.62 * halo) ** 2)
        stream = stream + 7 * halo * np.exp(-(r2**1.5))
    step = float(y[1, 0] - y[0, 0])
    dy, dx = np.gradient(stream, step)
    return f32(dy), f32(-dx), f32(stream)


def _sky(x: Field, y: Field, stream: Field) -> Field:
    light = 0.24 + 0.16 * smooth(0.15, 0.75, y) + 0.10 * np.sin(stream * 46) + 0.10 * fbm(x * 3, y * 5, 9, 3)
    for cx, cy, spread, turn in EDDIES:
        dx, dy = x - cx, y - cy
        r = np.hypot(dx, dy) / spread
        arms = np.sin(2 * np.arctan2(dy, dx) + np.sign(turn) * 5.5 * np.log(r + 0.12))
        light = light + np.exp(-((r / 1.7) ** 2)) * (0.20 + 0.24 * arms) + 0.25 * np.exp(-((r / 0.3) ** 2))
    band = y - (0.575 + 0.035 * np.sin(5 * x + 1.0))
    light = light + 0.34 * np.exp(-((band / 0.032) ** 2)) + 0.16 * np.exp(-((band / 0.08) ** 2))
    sky = ramp(light, NIGHT, (0, 0.16, 0.32, 0.48, 0.66, 0.84, 1.0))
    for cx, cy, halo in STARS:
        r = np.hypot(x - cx, y - cy) / halo
        ring = ramp(
            r, ("#fffbe0", "#fbe27a", "#f0b93a", "#b9c97a", "#6fa9b4", "#2a62b4"), (0, 0.2, 0.36, 0.6, 0.85, 1.25)
        )
        sky = lay(sky, ring, smooth(1.35, 0.55, r) * (0.86 + 0.14 * np.cos(r * 17)))
    return sky


def _moon(sky: Field, x: Field, y: Field) -> Field:
    r = np.hypot(x - MOON[0], y - MOON[1])
    glow = ramp(r, ("#d8cf7c", "#f8e58a", "#c9d68c", "#7fb4ae", "#3f7fbf"), (0.05, 0.09, 0.125, 0.165, 0.22))
    sky = lay(sky, glow, smooth(0.235, 0.10, r) * (0.86 + 0.14 * np.cos(r * 130)))
    crescent = smooth(0.088, 0.082, r) * smooth(0.066, 0.073, np.hypot(x - MOON[0] - 0.036, y - MOON[1] + 0.020))
    return lay(sky, ramp(r, ("#e8780f", "#f58f1c", "#ffb63a"), (0.02, 0.06, 0.088)), crescent)


def _ridges(x: Field) -> tuple[Field, Field, Field]:
    far = 0.655 - 0.05 * np.sin(3.1 * x + 2.2) - 0.03 * np.sin(7.3 * x + 0.4)
    middle = 0.735 + 0.035 * np.sin(4.0 * x + 3.6) + 0.012 * np.sin(11 * x)
    near = 0.885 - 0.05 * np.sin(2.6 * x + 0.3)
    return far, middle, near


def _poplars(x: Field, y: Field) -> Field:
    """How deep inside a poplar: above 0 is tree."""
    deep = np.full(x.shape, -1.0, np.float32)
    for cx, top, base, girth in ((1.06, 0.16, 0.93, 0.058), (1.135, 0.31, 0.96, 0.048), (0.995, 0.43, 0.92, 0.034)):
        t = np.clip((y - top) / (base - top), 0, 1)
        sway = cx + 0.016 * np.sin(9 * y + 20 * cx) * (1 - t)
        half = girth * 1.12 * t**0.5 * np.sqrt(1 - t**6) * (1 + 0.22 * noise(x * 3 + cx * 40, y * 22, 3))
        deep = np.maximum(deep, np.where((y > top) & (y < base), half - np.abs(x - sway), -1))
    return deep


def _land(paint: Field, x: Field, y: Field) -> tuple[Field, Labels, Field]:
    """(paint, regions, angle) of hills, river and poplars over the sky."""
    regions, angle = np.zeros(x.shape, np.int32), np.zeros(x.shape, np.float32)
    far, middle, near = _ridges(x)
    hues = (
        ("#5b8fb8", "#2c5a9a", "#1c3b78", "#163064"),
        ("#6f9a6b", "#2f6a6b", "#1d4a63", "#12305a"),
        ("#8a9b45", "#3f6b3f", "#1f4a48", "#0f2a44"),
    )
    for number, (ridge, names, reach) in enumerate(zip((far, middle, near), hues, (0.10, 0.16, 0.14), strict=True), 1):
        under = y > ridge
        fall = (y - ridge) / reach + 0.30 * fbm(x * 6, y * 6, 40 + number, 3)
        paint = np.where(under[..., None], ramp(fall, names), paint)
        slope = np.gradient(ridge, axis=1) / float(x[0, 1] - x[0, 0])
        bend = np.arctan(slope) + 0.55 * np.sin(x * 16 + number * 2 + y * 9) * smooth(0, 1, fall)
        regions, angle = np.where(under, number, regions), np.where(under, bend, angle)
    bank = 0.845 + 0.02 * np.sin(6 * x)
    river = (y > bank - 0.040 * smooth(0.0, 0.7, x)) & (y < bank + 0.03) & (y < near)
    water = ramp(0.5 + fbm(x * 2, y * 40, 77, 3), ("#0e2259", "#2a62b4", "#7fb4d0", "#f0d890"))
    paint = np.where(river[..., None], water, paint)
    regions, angle = np.where(river, 4, regions), np.where(river, 0.05 * np.sin(20 * x), angle)
    tree = _poplars(x, y)
    leaf = ramp(tree / 0.05 + 0.5 * fbm(x * 18, y * 7, 8, 3), ("#5d6b2a", "#2a4a34", "#12303a", "#0a1a2a"))
    paint = np.where((tree > 0)[..., None], leaf, paint)
    lick = np.pi / 2 + 0.55 * np.sin(24 * y + 60 * x)
    return paint.astype(np.float32), np.where(tree > 0, 5, regions).astype(np.int32), np.where(tree > 0, lick, angle)


def _layers(canvas: Canvas, scene: tuple[Field, Labels, Field], rng: np.random.Generator) -> None:
    paint, regions, angle = scene
    height, width = regions.shape
    accents = palette("#f2c14e", "#7a5ba8", "#3fa7a0", "#e8e2c0")
    # stroke width, length, spacing (picture heights), colour jitter
    for girth, length, gap, wild in (
        (0.022, 0.15, 0.0165, 0.05),
        (0.0125, 0.095, 0.0105, 0.07),
        (0.008, 0.055, 0.0125, 0.08),
    ):
        spots = _scattered(width, height, gap * height, rng)
        steps = 13
        paths = trace(angle, spots, steps, length * height / steps)
        runs = kept(paths, regions)
        i, j = np.clip(spots[:, 1].astype(int), 0, height - 1), np.clip(spots[:, 0].astype(int), 0, width - 1)
        tints = paint[i, j] * (
            1 + wild * 2.4 * rng.standard_normal((len(spots), 1))
        ) + wild * 0.6 * rng.standard_normal((len(spots), 3))
        odd = rng.random(len(spots)) < 0.035
        tints[odd] = 0.55 * tints[odd] + 0.45 * accents[rng.integers(0, len(accents), odd.sum())]
        for path, (first, last), tint in zip(paths, runs, tints, strict=True):
            canvas.stroke(path[first:last], girth * height * rng.uniform(0.7, 1.25), tint, 8, 0.10)


def _scattered(width: int, height: int, gap: float, rng: np.random.Generator) -> Field:
    """Points (n, 2) on a jittered lattice, `gap` px apart, in random order."""
    y, x = np.mgrid[-gap : height + gap : gap, -gap : width + gap : gap]
    points = np.stack([x.ravel(), y.ravel()], 1) + rng.uniform(-0.5, 0.5, (x.size, 2)) * gap
    return rng.permutation(points).astype(np.float32)


def _strokes(canvas: Canvas, corners: list[tuple[float, float]], girth: float, tint: Field) -> None:
    """One dab through corners given in picture heights."""
    path = evenly(f32(corners), 6) * canvas.image.height
    canvas.stroke(path, girth * canvas.image.height, tint, 5)


def _house(canvas: Canvas, cx: float, base: float, wide: float, tall: float, rng: np.random.Generator) -> None:
    wall = palette("#2a4a78", "#3a5a80", "#20396a", "#4d6480")[rng.integers(4)] * rng.uniform(0.8, 1.1)
    roof = palette("#6a4038", "#2c3a5e", "#7a5840", "#3f4a6e")[rng.integers(4)] * rng.uniform(0.8, 1.15)
    for t in np.linspace(0, 1, 5):
        y = base - tall * t
        _strokes(canvas, [(cx - wide / 2, y), (cx + wide / 2, y)], 0.008, wall * rng.uniform(0.8, 1.2))
    for side in (-1.0, 1.0):
        for lift in (0.0, 0.007, 0.014):
            eave = [
                (cx + side * wide * 0.58, base - tall * 0.92 + lift * 0.3),
                (cx + side * lift * 0.2, base - tall * 1.7 + lift),
            ]
            _strokes(canvas, eave, 0.009, roof * rng.uniform(0.75, 1.25))
    for side in (-0.22, 0.22) if rng.random() < 0.6 else (0.05,):
        x = cx + side * wide
        _strokes(
            canvas,
            [(x, base - tall * 0.62), (x, base - tall * 0.28)],
            0.0085,
            palette("#ffd94f", "#f7a93a")[rng.integers(2)],
        )


def _village(canvas: Canvas, rng: np.random.Generator) -> None:
    """Lamplit roofs on the near bank, around a church."""
    spots = sorted(
        (0.795 + 0.02 * rng.random() + 0.012 * np.sin(7 * x), x)
        for x in (*rng.normal(0.26, 0.085, 11), *rng.normal(0.70, 0.075, 8))
    )
    for number, (base, cx) in enumerate(spots):
        if number == 6:
            _strokes(canvas, [(0.30, 0.80), (0.30, 0.735)], 0.026, palette("#3f5a86")[0])
            for lean in (-0.010, 0.0, 0.010):
                _strokes(
                    canvas,
                    [(0.30 + lean, 0.74), (0.30, 0.60)],
                    0.008,
                    palette("#1c2d58", "#35507e", "#243a6a")[int(lean * 100) + 1],
                )
        _house(canvas, cx, base, rng.uniform(0.030, 0.050), rng.uniform(0.020, 0.034), rng)


def starry(size: int) -> Field:
    """(H, size, 3), five wide to four high."""
    rng = np.random.default_rng(1889)
    width, height = 2 * size, 2 * (size * 4 // 5)
    x, y = plane(width // 2, height // 2)
    u, v, stream = _flow(x, y)
    paint, regions, land_angle = _land(_moon(_sky(x, y, stream), x, y), x, y)
    angle = np.where(regions > 0, land_angle, np.arctan2(v, u))
    scene = tuple(np.repeat(np.repeat(f, 2, 0), 2, 1) for f in (paint, regions, angle.astype(np.float32)))
    canvas = Canvas(width, height, blur(scene[0], 4) * 0.7, rng)
    _layers(canvas, (scene[0], scene[1], scene[2]), rng)
    _village(canvas, rng)
    return resized(canvas.lit(0.55, 1.0), size, height // 2)
