"""Waves: crests that reach with claws of foam under a low sun, block-printed in Prussian blue on cream."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from daemon.studio.brush import picture, pixels, resized
from daemon.studio.curves import evenly, normals, spline
from daemon.studio.fields import Field, colour, f32, fbm, lay, noise, plane, ramp, smooth

LINE, DEEP, MID, PALE, FOAM = "#0b1d3c", "#12366b", "#3a7aab", "#a9cfd6", "#f6efdc"
Curve = list[tuple[float, float]]


class _Block:
    """A key block and its colours: shapes in picture heights, drawn in order on one sheet."""

    def __init__(self, sheet: Image.Image) -> None:
        self.sheet, self.scale = sheet, sheet.height
        self.draw = ImageDraw.Draw(sheet)

    def fill(self, shape: Field, name: str) -> None:
        self.draw.polygon((shape * self.scale).ravel().tolist(), fill=name)

    def line(self, curve: Field, thick: float, name: str = LINE) -> None:
        """A line that swells in its middle, as a brush leaves it."""
        swell = thick * (0.45 + 0.55 * np.sin(np.linspace(0.15, np.pi - 0.15, len(curve))))[:, None]
        side = normals(curve) * swell / 2
        self.fill(np.concatenate([curve + side, (curve - side)[::-1]]), name)


def _claw(root: Field, swing: float, reach: float, girth: float, curl: float) -> tuple[Field, Field]:
    """(outline polygon, spine) of one hooked finger of foam."""
    t = np.linspace(0, 1, 14)
    heading = swing + curl * t**1.3
    steps = np.stack([np.cos(heading), np.sin(heading)], 1) * reach / 14
    spine = (root + np.cumsum(steps, 0)).astype(np.float32)
    half = girth * (1 - t) ** 0.55 * (0.85 + 0.35 * np.sin(t * 9))
    side = normals(spine) * half[:, None]
    return np.concatenate([spine + side, (spine - side)[::-1]]).astype(np.float32), spine


def _fingers(
    root: Field, swing: float, size: float, hook: float, rng: np.random.Generator
) -> list[tuple[Field, Field]]:
    """A claw and the smaller ones that branch from its back and its belly."""
    claw = _claw(root, swing, size * 2.3, size * 0.34, hook * rng.uniform(1.0, 1.6))
    found, spine = [claw], claw[1]
    for fork, turn in ((0.22, -0.85), (0.40, -0.75), (0.58, -0.65), (0.74, -0.5), (0.32, 0.75), (0.55, 0.6)):
        at = int(13 * fork)
        heading = float(np.arctan2(*(spine[at + 1] - spine[at])[::-1]))
        reach = size * (0.95 - 0.5 * fork) * rng.uniform(0.8, 1.2)
        found.append(_claw(spine[at], heading + hook * turn, reach, size * 0.12, hook * 1.5))
    return found


def _foam(block: _Block, lip: Field, size: float, lean: float, rng: np.random.Generator) -> None:
    """Claws along a lip (n, 2) over scallops; they reach to the right of its way and hook towards `lean`."""
    hook, length = float(np.sign(lean)), float(np.hypot(*np.diff(lip, axis=0).T).sum())
    way = evenly(lip, max(int(length / (0.78 * size)), 6))
    for row, grown in ((way[::2], 1.0), (way[1::2], 0.8)):
        for p, n in zip(row, normals(row), strict=True):
            swing = float(np.arctan2(n[1], n[0])) + 0.45 * lean + rng.normal(0, 0.15)
            fingers = _fingers(p - n * size * 0.25, swing, size * grown * rng.uniform(0.75, 1.15), hook, rng)
            for outline, _ in fingers:
                block.line(np.concatenate([outline, outline[:1]]), 0.0056, LINE)
            for outline, bone in fingers:
                block.fill(outline, FOAM)
                block.line(bone[2 : len(bone) * 3 // 4], 0.0018, PALE)
    way = evenly(lip, max(int(length / (0.42 * size)), 8))
    puffs = [
        (p - n * size * rng.uniform(0.0, 0.22), size * rng.uniform(0.22, 0.40))
        for p, n in zip(way, normals(way), strict=True)
    ]
    for p, r in puffs:
        block.fill(_disc(p, r + 0.0022), LINE)
    for p, r in puffs:
        block.fill(_disc(p, r), FOAM)
    for (p, r), n in zip(puffs, normals(way), strict=True):
        arc = np.arctan2(-n[1], -n[0]) + np.linspace(-0.9, 0.9, 9)
        block.line(f32(p + 0.62 * r * np.stack([np.cos(arc), np.sin(arc)], 1)), 0.0022, MID)


def _disc(centre: Field, radius: float) -> Field:
    turn = np.linspace(0, 2 * np.pi, 28)
    return (centre + radius * np.stack([np.cos(turn), np.sin(turn)], 1)).astype(np.float32)


def _wave(block: _Block, back: Curve, hollow: Curve, bands: int) -> tuple[Field, Field]:
    """A body between its back and its hollow, striped from trough to lip; returns both curves."""
    b, h = evenly(spline(back), 120), evenly(spline(hollow), 120)
    shape = np.concatenate([b, h[::-1]])
    block.fill(shape, DEEP)
    names = (DEEP, MID, DEEP, PALE, DEEP, MID)
    stops = np.linspace(0, 1, bands + 1) ** 0.9
    for k in range(bands):
        low, high = (b * (1 - q) + h * q for q in (stops[k], stops[k + 1]))
        block.fill(np.concatenate([low, high[::-1]]), names[k % len(names)])
        block.line(low, 0.0024)
    block.line(b, 0.0052)
    block.line(h, 0.0046)
    return b, h


def _swell(block: _Block, level: float, tall: float, rate: float, shift: float, rng: np.random.Generator) -> None:
    """A rolling band across the whole sheet, with inner contour lines and foam on its crests."""
    x = np.linspace(-0.05, 1.5, 260)
    crest = level - tall * (np.abs(np.sin(rate * x + shift)) ** 1.5) - 0.2 * tall * np.sin(2.3 * rate * x)
    top = np.stack([x, crest], 1).astype(np.float32)
    block.fill(np.concatenate([top, f32([[1.5, 1.1], [-0.05, 1.1]])]), DEEP)
    for k in range(1, 9):
        drop = tall * 0.26 * k * (1 + 0.15 * np.sin(3 * x + k))
        line = np.stack([x + 0.01 * k, crest + drop + 0.003 * np.sin(24 * x + k)], 1).astype(np.float32)
        if k % 3 == 1:
            lower = line + f32([0, tall * 0.16])
            block.fill(np.concatenate([line, lower[::-1]]), MID if k % 2 else PALE)
        block.line(line, 0.0028)
    block.line(top, 0.006)
    high = crest < level - 0.72 * tall
    for run in np.split(np.arange(len(x)), np.flatnonzero(np.diff(high.astype(int))) + 1):
        if high[run[0]] and len(run) > 6:
            _foam(block, top[run][::-1], tall * 0.30, -0.9, rng)


def _spray(
    block: _Block, centre: tuple[float, float], spread: tuple[float, float], count: int, rng: np.random.Generator
) -> None:
    for px, py in rng.normal(0, 1, (count, 2)) * spread + centre:
        r = rng.uniform(0.0016, 0.0050)
        p = f32([px, py])
        block.fill(_disc(p, r + 0.0013), LINE)
        block.fill(_disc(p, r), FOAM)


def _heaven(x: Field, y: Field) -> Field:
    """Cream sky, grey gradation from above, a salmon sun, bars of cloud."""
    sky = ramp(y + 0.02 * noise(x * 2, y * 3, 3), ("#6f8796", "#c9b99a", "#efdcb4", "#f5e8cb"), (0.0, 0.16, 0.40, 0.75))
    r = np.hypot(x - 0.93, y - 0.33)
    sky = lay(sky, ramp((y - 0.19) / 0.28, ("#d8492f", "#e8825a", "#f0b48a")), smooth(0.1325, 0.1305, r))
    for cy, cx, reach, girth in (
        (0.30, 1.02, 0.24, 0.010),
        (0.375, 0.86, 0.20, 0.008),
        (0.235, 0.80, 0.15, 0.007),
        (0.42, 1.12, 0.22, 0.009),
    ):
        bar = girth * np.sqrt(np.clip(1 - ((x - cx) / reach) ** 2, 0, 1)) * (1 + 0.3 * np.sin(x * 31)) - np.abs(y - cy)
        sky = lay(sky, np.broadcast_to(colour("#f3e4c6"), sky.shape), smooth(0, 0.002, bar))
    return sky


RIGHT: tuple[Curve, Curve] = (
    [(1.66, 1.12), (1.50, 0.80), (1.34, 0.62), (1.22, 0.49), (1.12, 0.435), (1.03, 0.46), (0.985, 0.54)],
    [(0.70, 1.12), (0.92, 0.88), (1.06, 0.80), (1.13, 0.70), (1.125, 0.60), (1.07, 0.545), (0.995, 0.545)],
)
GREAT: tuple[Curve, Curve] = (
    [
        (-0.50, 1.12),
        (-0.24, 0.62),
        (-0.02, 0.33),
        (0.16, 0.155),
        (0.34, 0.085),
        (0.50, 0.12),
        (0.585, 0.215),
        (0.60, 0.30),
    ],
    [
        (1.05, 1.12),
        (0.74, 0.97),
        (0.52, 0.88),
        (0.345, 0.74),
        (0.285, 0.56),
        (0.325, 0.405),
        (0.43, 0.325),
        (0.585, 0.315),
    ],
)


def _sea(block: _Block, rng: np.random.Generator) -> None:
    _swell(block, 0.62, 0.055, 4.3, 0.8, rng)
    _swell(block, 0.70, 0.075, 3.1, 2.2, rng)
    back, hollow = _wave(block, *RIGHT, 9)
    _foam(block, hollow[90:][::-1], 0.026, -0.5, rng)
    _foam(block, back[62:], 0.042, -1.0, rng)
    _swell(block, 0.845, 0.07, 2.7, 0.3, rng)
    back, hollow = _wave(block, *GREAT, 15)
    _foam(block, hollow[76:], 0.040, 0.5, rng)
    _foam(block, back[52:][::-1], 0.056, 1.2, rng)
    _swell(block, 0.985, 0.085, 2.2, 1.55, rng)


def waves(size: int) -> Field:
    """(H, size, 3), about seven wide to five high."""
    rng = np.random.default_rng(1831)
    width, height = 2 * size, 2 * (size * 5 // 7)
    x, y = plane(width, height)
    block = _Block(picture(_heaven(x, y)))
    _sea(block, rng)
    _spray(block, (0.62, 0.22), (0.10, 0.10), 90, rng)
    _spray(block, (0.95, 0.50), (0.06, 0.05), 40, rng)
    sheet = pixels(block.sheet)
    wood = fbm(x * 3, y * 90 + 4 * noise(x * 2, y * 2, 8), 9, 3)
    baren = fbm(x * 60, y * 60, 10, 3)
    dark = 1 - sheet.mean(-1)
    sheet = sheet * (1 + (0.05 + 0.10 * dark) * wood + (0.04 + 0.10 * dark) * baren)[..., None]
    sheet = sheet + (0.035 * dark * (0.5 + baren))[..., None]
    return resized(sheet.astype(np.float32), size, height // 2)
