"""Still life: a bowl of fruit, a green bottle and a lemon on a table by a window on the left."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from daemon.studio.fields import Field, chance, f32, fbm, lay, noise, palette, ramp, smooth
from daemon.studio.fruit import BOTTLE, BOWL, around, skin, touching
from daemon.studio.march import crevice, march, render, shadow, slopes, unit

EYE, AIM, FOCAL = f32([0.05, 1.62, -4.3]), f32([0.0, 0.66, 0.0]), 1.72
LIGHT = unit(f32([-0.80, 0.78, -0.42]))
WALL = 1.9  # z of the wall behind
LOW, HIGH = f32([-1.5, -0.01, -1.15]), f32([1.45, 2.15, 0.95])  # all objects lie in this box


def _window(way: Field) -> Field:
    """Brightness (n,) of a four-pane window, seen along `way`."""
    side = unit(np.cross(LIGHT, f32([0, 1, 0])))
    over = np.cross(side, LIGHT)
    ahead = way @ LIGHT
    u, v = way @ side / np.maximum(ahead, 0.05), way @ over / np.maximum(ahead, 0.05)
    inside = smooth(0.42, 0.36, np.abs(u)) * smooth(0.55, 0.49, np.abs(v)) * (ahead > 0.1)
    return inside * smooth(0.012, 0.03, np.abs(u)) * smooth(0.012, 0.03, np.abs(v + 0.05))


def _skins(p: Field, part: Field) -> tuple[Field, Field]:
    """(colour, gloss) of every object at p."""
    tint, gloss = np.zeros_like(p), np.zeros(len(p), np.float32)
    speck = smooth(0.38, 0.5, noise(p[:, 0] * 38, p[:, 1] * 38 + p[:, 2] * 27, 5))
    streak = fbm(np.arctan2(p[:, 2] + 0.2, p[:, 0]) * 9, p[:, 1] * 2.2, 6, 4)
    blush = fbm(p[:, 0] * 2.5, p[:, 1] * 2.5 + p[:, 2] * 2, 7, 3)
    red = lay(
        ramp(0.45 + 0.8 * streak + 0.5 * blush, ("#7a0f14", "#b01a1c", "#d2402a", "#e8a03c")),
        palette("#f0d090"),
        0.45 * speck,
    )
    orange = ramp(0.5 + 0.5 * blush, ("#e0700c", "#f58a12", "#ffa326"))
    green = lay(ramp(0.5 + 0.6 * streak, ("#6f9a1e", "#98b830", "#c4d050")), palette("#eef0b0"), 0.4 * speck)
    pear = lay(ramp(0.45 + 0.9 * blush, ("#a8a030", "#d2c048", "#d8923c")), palette("#7a6020"), 0.5 * speck)
    lemon = ramp(0.5 + 0.5 * blush, ("#e8c010", "#f8dc28", "#fff060"))
    grape = ramp(0.5 + 0.8 * blush + 0.4 * streak, ("#2a1238", "#4a1f58", "#6f3a7a", "#8a6a9a"))
    stem = np.broadcast_to(f32([0.22, 0.14, 0.08]), p.shape)
    for number, (peel, shine) in enumerate(
        ((red, 0.50), (orange, 0.28), (green, 0.5), (pear, 0.25), (lemon, 0.32), (grape, 0.45), (stem, 0.1)), 2
    ):
        mine = part == number
        tint[mine], gloss[mine] = peel[mine], shine
    bowl = part == 1
    tint[bowl], gloss[bowl] = _glaze(p[bowl]), 0.55
    return tint, gloss


def _glaze(p: Field) -> Field:
    """White faience with two blue lines and a painted wave between."""
    swing, y = np.arctan2(p[:, 2] - BOWL[1], p[:, 0] - BOWL[0]), p[:, 1]
    outside = np.hypot(np.hypot(p[:, 0] - BOWL[0], p[:, 2] - BOWL[1]), y - 0.66) > 0.66
    lines = (
        smooth(0.012, 0.008, np.abs(y - 0.405))
        + smooth(0.009, 0.005, np.abs(y - 0.20))
        + smooth(0.006, 0.003, np.abs(y - 0.175))
    )
    wave = smooth(0.016, 0.009, np.abs(y - 0.30 - 0.045 * np.sin(swing * 14)))
    dots = smooth(0.024, 0.018, np.hypot((swing * 14 / (2 * np.pi) % 1 - 0.25) * 0.28, y - 0.285)) + smooth(
        0.024, 0.018, np.hypot((swing * 14 / (2 * np.pi) % 1 - 0.75) * 0.28, y - 0.315)
    )
    blue = np.clip(lines + wave + dots, 0, 1) * outside
    return lay(
        np.broadcast_to(f32([0.88, 0.88, 0.84]), p.shape),
        np.broadcast_to(f32([0.10, 0.22, 0.52]), p.shape),
        blue * 0.92,
    )


def _glass(p: Field, normal: Field, way: Field) -> Field:
    """Dark green glass with a paper label."""
    edge = 1 - np.abs((normal * way).sum(1))
    through = ramp(
        edge + 0.25 * smooth(0.2, 0.8, normal[:, 0]),
        ("#0a1f12", "#123a1c", "#2f6a2c", "#7fae50"),
        (0.0, 0.45, 0.8, 1.1),
    )
    swing = np.arctan2(p[:, 0] - BOTTLE[0], -(p[:, 2] - BOTTLE[1]))
    y = p[:, 1]
    label = smooth(0.84, 0.82, np.abs(swing + 0.15)) * smooth(0.22, 0.215, np.abs(y - 0.52))
    marks = (
        smooth(0.01, 0.007, np.abs(np.abs(y - 0.52) - 0.19))
        + smooth(0.62, 0.6, np.abs(swing + 0.15))
        * smooth(0.35, 0.5, np.sin(y * 110))
        * smooth(0.10, 0.09, np.abs(y - 0.44))
        * 0.5
    )
    marks = marks + smooth(0.075, 0.07, np.hypot((swing + 0.15) * 0.27, y - 0.61)) * 0.9
    paper = lay(
        np.broadcast_to(f32([0.86, 0.80, 0.64]), p.shape),
        np.broadcast_to(f32([0.45, 0.12, 0.10]), p.shape),
        np.clip(marks, 0, 1),
    )
    lit = 0.30 + 0.85 * np.clip(normal @ LIGHT, 0, 1)
    return lay(through, paper * lit[:, None], label)


def _objects(p: Field, way: Field) -> Field:
    part = skin(p)
    normal = slopes(touching, p)
    tint, gloss = _skins(p, part)
    sees = shadow(around, p + normal * f32(0.012), LIGHT, 7)
    open_ = crevice(around, p, normal, 0.30) * (0.55 + 0.45 * smooth(0, 0.5, p[:, 1]))
    facing = normal @ LIGHT
    key = np.clip(0.12 + 0.88 * facing, 0, 1) * sees
    back = unit(way - 2 * (way * normal).sum(1, keepdims=True) * normal)
    fresnel = 0.06 + 0.94 * (1 - np.clip(-(way * normal).sum(1), 0, 1)) ** 5
    bounce = np.clip(0.5 - 0.5 * normal[:, 1], 0, 1)
    light = f32([1.34, 1.22, 1.02]) * key[:, None] + f32([0.20, 0.23, 0.30]) * open_[:, None]
    light = light + f32([0.26, 0.16, 0.09]) * (bounce * open_)[:, None]
    out = tint * light
    glass = part == 0
    out[glass] = _glass(p[glass], normal[glass], way[glass]) * (0.35 + 0.65 * np.maximum(open_, sees)[glass, None])
    shine = _window(back) * np.maximum(sees, 0.25) * np.where(glass, 0.95, gloss * 0.75) + fresnel * open_ * np.where(
        glass, 0.35, 0.12
    )
    return f32((out + shine[:, None] * f32([1.0, 0.97, 0.90])).astype(np.float32))


def _table(p: Field) -> Field:
    """Planks, with a linen cloth laid over the right."""
    plank = np.floor(p[:, 2] / 0.62 + 40)
    grain = fbm(
        p[:, 0] * 1.1 + 9 * chance(plank.astype(np.int32), 8),
        p[:, 2] * 16 + 0.9 * noise(p[:, 0] * 1.5, p[:, 2] * 2, 9),
        10,
        5,
    )
    wood = ramp(
        0.5 + 0.55 * grain + 0.25 * (chance(plank.astype(np.int32), 11) - 0.5),
        ("#3f2414", "#6a3f22", "#93602f", "#b98448"),
    )
    seam = smooth(
        0.02, 0.008, np.abs(p[:, 2] / 0.62 % 1 - 0.5) * 0 + np.minimum(p[:, 2] / 0.62 % 1, 1 - p[:, 2] / 0.62 % 1)
    )
    wood = wood * (1 - 0.7 * seam)[:, None]
    u, v = p[:, 0] - 0.55 * p[:, 2], p[:, 2] + 0.55 * p[:, 0]
    inside = (
        smooth(0, 0.012, u - 0.10) * smooth(0, 0.012, 1.15 - v) * smooth(0.0, 0.012, v + 0.95 + 0.02 * np.sin(u * 9))
    )
    weave = 0.93 + 0.05 * np.sin(u * 260) * np.sin(v * 260) + 0.05 * fbm(u * 2.5, v * 2.5, 12, 3)
    stripe = (
        smooth(0.025, 0.02, np.abs(v + 0.80))
        + smooth(0.01, 0.007, np.abs(v + 0.86))
        + smooth(0.025, 0.02, np.abs(u - 0.24))
    )
    linen = lay(
        f32([0.86, 0.83, 0.76]) * weave[:, None],
        np.broadcast_to(f32([0.55, 0.16, 0.14]), p.shape),
        0.9 * np.clip(stripe, 0, 1),
    )
    return lay(wood, linen, inside)


def _room(p: Field, normal: tuple[float, float, float], tint: Field) -> Field:
    up = np.broadcast_to(f32(normal), p.shape)
    near = ((p > LOW - 1.2) & (p < HIGH + 2.2)).all(1)
    sees, open_ = np.ones(len(p), np.float32), np.ones(len(p), np.float32)
    sees[near] = shadow(around, p[near] + up[near] * f32(0.004), LIGHT, 6)
    open_[near] = crevice(around, p[near], up[near], 0.42)
    pool = np.exp(-(((p[:, 0] + 0.3) / 3.0) ** 2) - ((p[:, 2] + 0.2) / 3.2) ** 2)
    facing = max(float(f32(normal) @ LIGHT), 0.30)
    light = f32([1.30, 1.16, 0.94]) * (1.18 * facing * sees * (0.30 + 0.70 * pool))[:, None]
    return (tint * (light + f32([0.17, 0.19, 0.25]) * open_[:, None])).astype(np.float32)


def _wall(p: Field) -> Field:
    tint = f32([0.47, 0.47, 0.42]) * (1 + 0.14 * fbm(p[:, 0] * 1.2, p[:, 1] * 1.2, 13, 5))[:, None]
    beam = smooth(0.5, -0.1, np.abs(p[:, 0] - 0.9 + 0.55 * (p[:, 1] - 1.2)) - 0.75) * smooth(0.3, 1.0, p[:, 1])
    frame = smooth(0.03, 0.09, np.abs(p[:, 0] - 0.9 + 0.55 * (p[:, 1] - 1.2)))
    return tint * (0.50 + 0.80 * beam * frame + 0.22 * smooth(1.5, -2.0, p[:, 0]))[:, None]


def _view(x: Field, y: Field) -> Field:
    ahead = unit(AIM - EYE)
    right = unit(np.cross(f32([0, 1, 0]), ahead))
    over = np.cross(ahead, right)
    way = unit(ahead * FOCAL + right * (x - 2 / 3)[:, None] + over * (0.5 - y)[:, None])
    origin = np.broadcast_to(EYE, way.shape)
    safe = np.where(np.abs(way) < 1e-6, 1e-6, way)
    a, b = (LOW - EYE) / safe, (HIGH - EYE) / safe
    enter, leave = np.minimum(a, b).max(1), np.maximum(a, b).min(1)
    boxed = np.flatnonzero(enter < leave)
    t = np.full(len(way), np.inf, np.float32)
    start = origin[boxed] + way[boxed] * enter[boxed, None]
    t[boxed] = enter[boxed] + march(touching, start, way[boxed], 0.0, 4.5)
    floor = np.where(way[:, 1] < 0, -EYE[1] / np.minimum(way[:, 1], -1e-6), np.inf)
    wall = (WALL - EYE[2]) / safe[:, 2]
    out = np.zeros_like(way)
    kinds: tuple[tuple[Field, Callable[[Field, Field], Field]], ...] = (
        ((t < floor) & (t < wall), _objects),
        ((floor <= t) & (floor < wall), lambda p, _: _room(p, (0, 1, 0), _table(p))),
        ((wall <= t) & (wall <= floor), lambda p, _: _room(p, (0, 0, -1), _wall(p))),
    )
    for (mask, paint), reach in zip(kinds, (t, floor, wall), strict=True):
        if mask.any():
            out[mask] = paint(origin[mask] + way[mask] * reach[mask, None], way[mask])
    return np.clip(out, 0, 4) ** f32(0.80)


def stilllife(size: int) -> Field:
    """(H, size, 3), four wide to three high."""
    return render(_view, size, size * 3 // 4)
