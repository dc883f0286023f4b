"""Mosaic: a peacock in gold, teal and terracotta; tesserae laid along the outlines, with grout between."""

from __future__ import annotations

import numpy as np

from daemon.studio.brush import resized
from daemon.studio.fields import (
    Field,
    Labels,
    blur,
    distance,
    edges,
    f32,
    fbm,
    near_edges,
    noise,
    palette,
    plane,
    smooth,
)

GROUT = "#4a403a"
# name -> the stones that a region is laid with
STONES = {
    0: palette("#d9744a", "#c95f38", "#e08a5c", "#b9502f", "#cf6a42"),  # ground: terracotta
    1: palette("#0f5f66", "#14737a", "#0b4a55", "#1c8a8c", "#0f6a62"),  # fan: deep teal
    2: palette("#2aa39a", "#48bdb0", "#1c8a8c", "#6fd0c0"),  # feather rim
    3: palette("#e8b53a", "#f4cf5c", "#d99a22", "#fbe08a", "#c9851c"),  # gold
    4: palette("#b9502f", "#a03c24", "#cc6238"),  # ring of terracotta
    5: palette("#1d9ab0", "#2fb6c4", "#1580a0"),  # turquoise
    6: palette("#14245c", "#1b2f74", "#0e1a48"),  # heart: ultramarine
    7: palette("#f4e9d0", "#fff6e0", "#e6d6b4", "#efe0c4"),  # cream
    8: palette("#1c3f9c", "#2450b4", "#16348a", "#2f66c4"),  # body
    9: palette("#2a1f24", "#3a2a2c"),  # black
    10: palette("#7a8f3a", "#5f7a30", "#94a84a"),  # leaves
}
GOLD = 3
HUB = (0.5, 0.76)


# reach from the hub, number of eyes, their size
RINGS = ((0.360, 14, 0.0500), (0.282, 13, 0.0450), (0.208, 10, 0.0380), (0.142, 9, 0.0300))
TALL = 1.47  # the fan is so much higher than wide


def _eyes(labels: Labels, x: Field, y: Field) -> None:
    """Rings of feather eyes, each drawn towards the hub, the far ones first."""
    for reach, count, size in RINGS:
        edge_swing = 1.70 if count % 2 == 0 else 1.58
        for swing in np.linspace(-edge_swing, edge_swing, count):
            ox, oy = reach * np.sin(swing), reach * TALL * np.cos(swing)
            far = np.hypot(ox, oy)
            dx, dy = x - HUB[0] - ox, HUB[1] - oy - y
            u, v = (dx * ox + dy * oy) / far / size, (dx * oy - dy * ox) / far / size  # outwards, across
            drop = np.hypot(v * (1 + 0.35 * np.clip(-u, 0, 2)), u * np.where(u < 0, 0.72, 1.0))
            for edge, stone in ((1.0, 2), (0.84, GOLD), (0.60, 4), (0.42, 5)):
                labels[drop < edge] = stone
            heart = np.hypot(v * 1.1, (u + 0.08) * 0.95)
            labels[heart < 0.24] = 6


def _fan(labels: Labels, x: Field, y: Field) -> None:
    dx, dy = x - HUB[0], (HUB[1] - y) / TALL
    r, swing = np.hypot(dx, dy), np.arctan2(dx, dy)
    scallop = 0.412 + 0.012 * np.abs(np.cos(swing * 14 / 3.40 * np.pi))
    inside = np.abs(swing) < 1.84
    labels[inside & (r < scallop)] = GOLD
    labels[inside & (r < scallop - 0.017)] = 1
    shaft = np.abs((swing * 14 / 3.40 + 0.5) % 1 - 0.5)
    labels[inside & (r < 0.37) & (shaft * r < 0.011)] = 2
    _eyes(labels, x, y)


def _bird(labels: Labels, x: Field, y: Field) -> None:
    t = np.clip((y - 0.36) / 0.24, 0, 1)
    spine = 0.5 + 0.030 * np.sin(2.9 * (1 - t)) * (1 - t * 0.2) - 0.018
    half = 0.024 + 0.056 * smooth(0.25, 1.15, t)
    neck = (np.abs(x - spine) < half) & (y > 0.355) & (y < 0.62)
    body = np.hypot((x - 0.49) / 0.088, (y - 0.69) / 0.145) < 1
    labels[np.hypot((x - 0.49) / 0.102, (y - 0.69) / 0.159) < 1] = GOLD
    labels[(np.abs(x - spine) < half + 0.012) & (y > 0.355) & (y < 0.62)] = GOLD
    labels[body | neck] = 8
    scales = np.abs(((x - 0.49) * 22 + np.floor((y - 0.55) * 30) * 0.5) % 1 - 0.5) + np.abs(((y - 0.55) * 30) % 1 - 0.2)
    labels[(np.hypot((x - 0.49) / 0.080, (y - 0.71) / 0.118) < 1) & (scales < 0.42)] = 5
    head = np.hypot((x - 0.484) / 0.040, (y - 0.352) / 0.034) < 1
    labels[np.hypot((x - 0.484) / 0.050, (y - 0.352) / 0.044) < 1] = GOLD
    labels[head] = 8
    beak = (x < 0.456) & (x > 0.405) & (np.abs(y - 0.360 - (0.456 - x) * 0.25) < 0.016 * (x - 0.405) / 0.05)
    labels[beak] = GOLD
    labels[np.hypot((x - 0.474) / 0.017, (y - 0.347) / 0.013) < 1] = 7
    labels[np.hypot(x - 0.473, y - 0.347) < 0.0075] = 9
    for lean in (-0.5, -0.17, 0.17, 0.5):
        tip = (0.490 + 0.085 * np.sin(lean), 0.322 - 0.085 * np.cos(lean))
        s = np.clip((0.322 - y) / 0.085, 0, 1)
        labels[(np.abs(x - 0.490 - (tip[0] - 0.490) * s) < 0.0045) & (y < 0.322) & (y > tip[1])] = GOLD
        labels[np.hypot(x - tip[0], y - tip[1]) < 0.014] = GOLD
        labels[np.hypot(x - tip[0], y - tip[1]) < 0.008] = 5
    for side in (-1, 1):
        leg = np.abs(x - 0.49 - side * 0.035) < 0.008
        labels[leg & (y > 0.83) & (y < 0.905)] = GOLD
        labels[(np.abs(x - 0.475 - side * 0.035) < 0.034) & (np.abs(y - 0.905) < 0.009)] = GOLD


def _setting(x: Field, y: Field) -> Labels:
    """The whole cartoon: which stone lies where."""
    labels = np.zeros(x.shape, np.int32)
    lawn = 0.875 + 0.012 * np.sin(x * 15)
    labels[y > lawn] = 10
    _fan(labels, x, y)
    labels[y > lawn + 0.0] = 10
    for k in range(11):
        cx, cy = 0.085 + 0.083 * k, 0.905 + 0.014 * np.sin(k * 2.3)
        labels[np.hypot(x - cx, (y - cy) * 1.1) < 0.019] = 7 if k % 2 else GOLD
        labels[np.hypot(x - cx, (y - cy) * 1.1) < 0.008] = 4
    _bird(labels, x, y)
    inset = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y))
    along = np.where(np.minimum(x, 1 - x) < np.minimum(y, 1 - y), y, x)
    labels[inset < 0.062] = 7
    wave = 0.028 + 0.0115 * np.sin(along * np.pi * 2 * 11)
    labels[(inset < 0.062) & (inset < wave)] = 1
    labels[(inset < 0.062) & (np.abs(inset - wave) < 0.0055)] = GOLD
    labels[(inset < 0.062) & (inset > 0.051)] = 4
    return labels


class _Bed:
    """Tesserae settling into place: Hausner's oriented Voronoi cells, which never cross a contour."""

    def __init__(self, labels: Labels, angle: Field, spots: Field, pitch: float) -> None:
        self.labels, self.angle, self.spots, self.pitch = labels, angle, spots, pitch

    def assign(self) -> tuple[Labels, Field, Field]:
        """(owner, nearest, second): whose cell each pixel is, its Chebyshev distance to the two nearest spots."""
        height, width = self.labels.shape
        owner = np.full((height, width), -1, np.int32)
        best, second = np.full((height, width), 1e6, np.float32), np.full((height, width), 1e6, np.float32)
        reach = int(self.pitch * 1.6) + 1
        wy, wx = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
        for k, (sx, sy) in enumerate(self.spots):
            j, i = int(sx), int(sy)
            top, left = max(i - reach, 0), max(j - reach, 0)
            at = np.s_[top : min(i + reach + 1, height), left : min(j + reach + 1, width)]
            part = np.s_[top - i + reach : at[0].stop - i + reach, left - j + reach : at[1].stop - j + reach]
            a = self.angle[min(max(i, 0), height - 1), min(max(j, 0), width - 1)]
            c, s = np.cos(a), np.sin(a)
            ox, oy = wx[part] - (sx - j), wy[part] - (sy - i)
            d = np.maximum(np.abs(ox * c + oy * s) * 0.86, np.abs(oy * c - ox * s))
            d = d + 1000 * (self.labels[at] != self.labels[min(i, height - 1), min(j, width - 1)])
            near = d < best[at]
            second[at] = np.where(near, best[at], np.minimum(second[at], d))
            best[at] = np.where(near, d, best[at])
            owner[at] = np.where(near, k, owner[at])
        return owner, best, second

    def settle(self, rounds: int) -> None:
        """Move every spot to the middle of its cell, `rounds` times."""
        height, width = self.labels.shape
        y, x = np.mgrid[0:height, 0:width]
        for _ in range(rounds):
            owner, best, _ = self.assign()
            own = owner[(best < 900)]
            n = len(self.spots)
            count = np.bincount(own, minlength=n)
            mx = np.bincount(own, x[best < 900], n) / np.maximum(count, 1)
            my = np.bincount(own, y[best < 900], n) / np.maximum(count, 1)
            moved = np.stack([mx, my], 1).astype(np.float32)
            self.spots = np.where((count > 0)[:, None], moved, self.spots)

    def fill(self) -> None:
        """Put new spots where a patch of one stone has none."""
        _, best, _ = self.assign()
        bare = np.argwhere(best > 900)[:, ::-1].astype(np.float32)
        added: list[Field] = []
        while len(bare):
            added.append(bare[len(bare) // 2])
            bare = bare[np.hypot(*(bare - added[-1]).T) > self.pitch * 0.9]
        self.spots = np.concatenate([self.spots, *(spot[None] for spot in added)])


def _courses(labels: Labels) -> Field:
    """The direction in which tesserae run: along the nearest contour."""
    height, width = labels.shape
    d = distance(edges(labels[::2, ::2])) * 2
    d = np.repeat(np.repeat(d, 2, 0), 2, 1)[:height, :width]
    gy, gx = np.gradient(blur(d, height / 220))
    two = 2 * np.arctan2(gy, gx)  # doubled, so that opposite slopes agree when they are averaged
    c, s = blur(np.cos(two).astype(np.float32), height / 300), blur(np.sin(two).astype(np.float32), height / 300)
    return (0.5 * np.arctan2(s, c) + np.pi / 2).astype(np.float32)


def _laid(bed: _Bed, rng: np.random.Generator) -> Field:
    """Every tessera its stone, tilt and chipped edge; grout in between."""
    owner, best, second = bed.assign()
    height, width = owner.shape
    n = len(bed.spots)
    i, j = np.clip(bed.spots[:, 1].astype(int), 0, height - 1), np.clip(bed.spots[:, 0].astype(int), 0, width - 1)
    kinds = bed.labels[i, j]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    stones = np.zeros((n, 3), np.float32)
    for kind, choices in STONES.items():
        mine = kinds == kind
        stones[mine] = choices[rng.integers(0, len(choices), mine.sum())]
    stones *= 1 + 0.07 * rng.standard_normal((n, 1))
    tilt = rng.normal(0, 1, (n, 2)) * np.where(kinds == GOLD, 0.030, 0.013)[:, None]
    lean = tilt[owner, 0] * (x - bed.spots[owner, 0]) + tilt[owner, 1] * (y - bed.spots[owner, 1])
    lean = lean * (11 / bed.pitch) + (tilt.sum(1) * 3.2)[owner]
    glint = np.where(kinds == GOLD, np.clip(rng.normal(0, 1, n) - 0.9, 0, 1) * 0.5, 0)[owner]
    rough = 0.05 * fbm(x / bed.pitch * 1.2, y / bed.pitch * 1.2, 4, 3)
    tile = stones[owner] * (1 + lean + rough)[..., None] + glint[..., None] * f32([1, 0.95, 0.7])
    rim = (np.minimum(second, 900 + 0 * second) - best) * 0.5 / bed.pitch
    contour = np.minimum(near_edges(bed.labels, 24) / bed.pitch, 1)
    gap = np.minimum(rim, contour * 0.9) + 0.018 * noise(x / bed.pitch * 2.3, y / bed.pitch * 2.3, 7)
    gy, gx = np.gradient(blur(np.clip(gap, 0, 0.16), 1))
    bevel = np.clip(-(gx + gy) * bed.pitch * 0.20, -0.12, 0.15)
    tile = tile * (1 - bevel)[..., None]
    grout = palette(GROUT)[0] * (1 + 0.35 * noise(x * 0.35, y * 0.35, 9))[..., None]
    cover = smooth(0.045, 0.085, gap)[..., None]
    return f32((grout * (1 - cover) + tile * cover).astype(np.float32))


def mosaic(size: int) -> Field:
    """(size, size, 3)."""
    rng = np.random.default_rng(532)
    x, y = plane(size, size)
    pitch = size / 78
    gy, gx = np.mgrid[pitch / 2 : size : pitch, pitch / 2 : size : pitch]
    spots = np.stack([gx.ravel(), gy.ravel()], 1) + rng.uniform(-0.3, 0.3, (gx.size, 2)) * pitch
    labels = _setting(x, y)
    bed = _Bed(labels, _courses(labels), spots.astype(np.float32), pitch)
    bed.settle(9)
    bed.fill()
    bed.settle(3)
    x2, y2 = plane(2 * size, 2 * size)
    fine = _Bed(_setting(x2, y2), np.repeat(np.repeat(bed.angle, 2, 0), 2, 1), bed.spots * 2, pitch * 2)
    return resized(_laid(fine, rng), size, size)
