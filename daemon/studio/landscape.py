"""Landscape: a mountain lake in evening light, rendered from a height field, with spruces in front."""

from __future__ import annotations

import numpy as np
from PIL import ImageDraw

from daemon.studio.brush import picture, pixels, resized
from daemon.studio.fields import Field, blur, colour, f32, fbm, lay, noise, plane, ramp, smooth

EYE, HORIZON, FOCAL = 0.16, 0.50, 0.95  # eye above the lake; horizon and focal length in picture heights
SUN = np.array([-0.62, 0.40, 0.48], np.float32) / f32(0.882)  # towards the sun: left, up, ahead
SUN_AT = (0.235, 0.175)


def _ridged(x: Field, z: Field, seed: int, octaves: int) -> Field:
    """Sharp crests: noise folded at zero, each octave stronger where the last was high; about [0, 1.2]."""
    total, weight = np.zeros(x.shape, np.float32), np.ones(x.shape, np.float32)
    for octave in range(octaves):
        f = 2.0**octave
        crest = (1 - np.abs(noise(x * f + 3.7 * octave, z * f - 2.9 * octave, seed + octave)) * 2.1) ** 2
        total += crest * weight * f32(0.5**octave)
        weight = np.clip(crest * 1.4, 0, 1)
    return total * f32(0.62)


def _height(x: Field, z: Field, octaves: int = 8) -> Field:
    """Ground above the lake at (x, z) ahead of the eye, the trees included."""
    basin = np.hypot((x - 0.25 - 0.12 * (z - 3)) / (1.1 + 0.20 * z), (z - 3.4) / 3.3) + 0.16 * noise(
        x * 0.9, z * 0.9, 7
    )
    rise = smooth(0.86, 2.1, basin)
    massif = np.exp(-(((x - 1.3) / 2.6) ** 2) - ((z - 11.0) / 2.6) ** 2) + 0.85 * np.exp(
        -(((x + 4.6) / 2.2) ** 2) - ((z - 10.5) / 3.0) ** 2
    )
    peaks = _ridged(x * 0.33 + 5.3, z * 0.33 + 1.1, 20, octaves)
    ground = (
        rise * (0.30 + 2.1 * massif + 0.55 * smooth(5, 9, z)) * (0.25 + 0.95 * peaks)
        + 0.16 * (basin - 0.86)
        - 0.6 * smooth(1.9, 1.2, z)
    )
    return (ground + _trees(x, z, ground)).astype(np.float32)


def _trees(x: Field, z: Field, ground: Field) -> Field:
    """Spiky canopy where forest grows."""
    wood = (
        smooth(-0.10, 0.12, fbm(x * 1.1, z * 1.1, 40, 3))
        * smooth(0.015, 0.05, ground)
        * smooth(1.0, 0.55, ground)
        * smooth(1.3, 2.2, z)
    )
    spike = np.maximum(noise(x * 26, z * 9, 41), 0) + 0.6 * np.maximum(noise(x * 55, z * 16, 42), 0)
    return (0.13 * wood * spike).astype(np.float32)


def _seen(width: int, height: int) -> tuple[Field, Field, Field]:
    """(depth z or 0 for sky, lateral x, ground height) of what each pixel sees: nearest slice that reaches it."""
    zs = np.geomspace(0.45, 17, 620).astype(np.float32)
    column = (np.arange(width, dtype=np.float32) + 0.5) / height
    lateral = (column - width / height / 2) / FOCAL
    x, z = np.broadcast_arrays(lateral[None] * zs[:, None], zs[:, None])
    ground = np.maximum(_height(x, z), 0)
    row = HORIZON - FOCAL * (ground - EYE) / z
    skyline = np.minimum.accumulate(row, 0)
    depth = np.zeros((height, width), np.float32)
    rows = (np.arange(height, dtype=np.float32) + 0.5) / height
    for c in range(width):
        first = np.searchsorted(-skyline[:, c], -rows)
        hit = first < len(zs)
        k = np.clip(first, 1, len(zs) - 1)
        a, b = skyline[k - 1, c], skyline[k, c]
        t = np.clip((a - rows) / np.where(a - b > 1e-6, a - b, 1), 0, 1)
        depth[:, c] = np.where(hit, zs[k - 1] + (zs[k] - zs[k - 1]) * t, 0)
    across = depth * lateral[None]
    return depth, across.astype(np.float32), _height(across, np.maximum(depth, 0.1))


def _shade(x: Field, z: Field) -> Field:
    """1 in sunlight, 0 in the shadow of a mountain."""
    n = 700
    gz, gx = np.meshgrid(
        np.linspace(0, 20, n, dtype=np.float32), np.linspace(-12, 12, n, dtype=np.float32), indexing="ij"
    )
    ground = _height(gx, gz, 6)
    lit = np.ones_like(x)

    def at(px: Field, pz: Field) -> Field:
        i, j = np.clip(pz / 20 * (n - 1), 0, n - 1), np.clip((px + 12) / 24 * (n - 1), 0, n - 1)
        found: Field = ground[i.astype(int), j.astype(int)]
        return found

    here = np.maximum(at(x, z), 0)
    for step in np.geomspace(0.08, 6.0, 22):
        over = here + step * SUN[1] + 0.02 - at(x + step * SUN[0], z + step * SUN[2])
        lit = np.minimum(lit, smooth(-0.03, 0.05 + 0.03 * step, over))
    return lit


def _sky(x: Field, y: Field) -> Field:
    up = np.clip((HORIZON - y) / HORIZON, 0, 1)
    sky = ramp(up, ("#ffdca8", "#f7c89a", "#d9bfb4", "#93aecb", "#5585bb", "#3466a4"), (0, 0.16, 0.34, 0.56, 0.8, 1))
    r = np.hypot(x - SUN_AT[0], y - SUN_AT[1])
    sky = sky + (np.exp(-r * 4.2) * 0.55)[..., None] * f32([1.0, 0.72, 0.38])
    reach = 0.16 / (up + 0.10)
    u, v = (x - 0.66) * reach * 2.4, reach * 5.5
    puff = fbm(u + 0.4 * noise(u * 2, v * 2, 50), v, 51, 6, 0.55)
    cover = smooth(0.02, 0.42, puff + 0.10 * np.sin(x * 4)) * smooth(0.0, 0.2, up) * 0.9
    rim = np.clip(puff - fbm(u - 0.16, v + 0.08, 51, 6, 0.55), -0.3, 0.3)
    cloud = ramp(0.55 + 1.5 * rim + 0.35 * np.exp(-r * 2.5), ("#8d8fae", "#c9a9b0", "#ffd2a0", "#fff2d8"))
    sky = lay(sky, cloud, cover)
    return np.clip(lay(sky, f32([1.0, 0.97, 0.86]) * np.ones_like(sky), smooth(0.043, 0.034, r)), 0, 1.2).astype(
        np.float32
    )


def _ground(depth: Field, x: Field, ground: Field, sky: Field) -> Field:
    """Snow, rock, forest and meadow in sunlight, fading into the air."""
    e = np.maximum(depth, 0.3) * 0.0022
    nx = _height(x - e, depth) - _height(x + e, depth)
    nz = _height(x, depth - e) - _height(x, depth + e)
    length = np.sqrt(nx**2 + nz**2 + 4 * e**2)
    facing = np.clip((nx * SUN[0] + nz * SUN[2] + 2 * e * SUN[1]) / length, 0, 1)
    steep = 2 * e / length
    grain = fbm(x * 9, depth * 9, 60, 4)
    rock = ramp(0.5 + 0.5 * grain, ("#4a4650", "#6d655f", "#93877a"))
    meadow = ramp(0.5 + 0.6 * fbm(x * 4, depth * 4, 61, 4), ("#4a5a24", "#76802f", "#a8993f"))
    pine = ramp(0.5 + 0.7 * noise(x * 40, depth * 14, 62), ("#16281e", "#28432a", "#42592f"))
    land = lay(rock, meadow, smooth(0.55, 0.72, steep) * smooth(1.0, 0.6, ground))
    wood = smooth(0.002, 0.02, _trees(x, depth, ground)) + 0.6 * smooth(0.9, 0.5, ground) * smooth(1.5, 2.5, depth)
    land = lay(land, pine, np.clip(wood, 0, 1))
    land = lay(
        land,
        f32([0.93, 0.94, 0.98]) * np.ones_like(land),
        smooth(1.15, 1.5, ground + 0.35 * grain) * smooth(0.30, 0.48, steep),
    )
    land = lay(land, ramp(0.5 + grain, ("#6b5f50", "#9a8b72")), smooth(0.028, 0.008, ground) * (depth > 1.2))
    sun = f32([1.35, 1.02, 0.66]) * (facing * _shade(x, depth))[..., None] * 1.25
    lit = land * (sun + f32([0.30, 0.37, 0.52]))
    haze = 1 - np.exp(-np.maximum(depth - 1.5, 0) * 0.075)
    return lay(lit, blur(sky, 30) * 0.35 + f32([0.62, 0.58, 0.60]) * 0.62, np.clip(haze, 0, 0.85))


def _lake(scene: Field, water: Field, depth: Field, x: Field, y: Field) -> Field:
    """The scene mirrored about the horizon, broken by ripples, over dark water."""
    height, width = y.shape
    ripple = fbm(x * 7, np.log(np.maximum(y - HORIZON, 0.004)) * 16, 70, 4)
    near = smooth(HORIZON, 1.0, y)
    row = (2 * HORIZON - y + ripple * (0.006 + 0.045 * near) + 0.004) * height
    i = np.clip(row, 0, height - 1).astype(int)
    j = np.clip(np.arange(width)[None] + (ripple * near * 9).astype(int), 0, width - 1)
    mirror = blur(scene, 1)[i, j]
    deep = np.broadcast_to(colour("#1c3a44"), scene.shape)
    lake = lay(mirror * f32([0.86, 0.90, 0.92]), deep, np.clip(0.12 + 0.62 * near**0.8 + 0.10 * ripple, 0, 1))
    glitter = np.exp(-(((x - SUN_AT[0] - 0.02) / (0.05 + 0.10 * near)) ** 2)) * smooth(0.10, 0.42, ripple)
    lake = lake + (0.75 * glitter)[..., None] * f32([1.0, 0.80, 0.50])
    return lay(scene, lake, water)


def _ink(tint: Field) -> tuple[int, ...]:
    return tuple(int(v) for v in np.clip(tint * 255, 0, 255))


def _spruce(
    draw: ImageDraw.ImageDraw, foot: tuple[float, float], tall: float, scale: float, rng: np.random.Generator
) -> None:
    """One tree, its boughs drawn from the top down, lit from the left."""
    (fx, fy), top = foot, foot[1] - tall
    trunk = [(fx - 0.008 * tall, fy), (fx, top), (fx + 0.008 * tall, fy)]
    draw.polygon([(px * scale, py * scale) for px, py in trunk], fill=(36, 26, 20))
    for k in range(int(150 + 330 * tall)):
        t = (k / (150 + 330 * tall)) ** 0.8
        side = rng.choice((-1.0, 1.0)) * rng.uniform(0.15, 1.0)
        tier = 0.62 + 0.38 * np.cos(t * 46 * (0.6 + tall)) ** 2
        reach = tall * (0.20 * t**0.9 + 0.008) * tier * abs(side) * rng.uniform(0.75, 1.1)
        base, droop = top + tall * (0.01 + 0.93 * t), reach * (0.18 + 0.55 * t)
        light = np.clip(0.42 - 0.36 * side + rng.normal(0, 0.16), 0, 1)
        tint = ramp(f32(light), ("#08130f", "#16291c", "#31492a", "#6f7f3c", "#b09a4c"), (0, 0.3, 0.6, 0.85, 1))
        way = np.sign(side)
        spine = [(fx + way * reach * q, base + droop * q**0.8 - 0.25 * droop * q**4) for q in (0, 0.35, 0.7, 1.0)]
        draw.line([(px * scale, py * scale) for px, py in spine], fill=_ink(tint), width=max(round(scale / 500), 1))
        for _ in range(int(4 + 90 * reach)):
            q = rng.uniform(0.1, 1.0)
            bx, by = fx + way * reach * q, base + droop * q**0.8 - 0.25 * droop * q**4
            drop = tall * rng.uniform(0.006, 0.022) * (1.15 - 0.5 * q)
            draw.line(
                [bx * scale, by * scale, (bx + way * drop * rng.uniform(-0.1, 0.7)) * scale, (by + drop) * scale],
                fill=_ink(tint * rng.uniform(0.7, 1.15)),
                width=1,
            )


SPRUCES = (
    (1.02, 0.905, 0.40), (0.035, 0.86, 0.46), (1.105, 0.875, 0.50),
    (1.30, 0.92, 0.80), (1.205, 0.95, 0.62), (0.115, 0.95, 0.32), (1.05, 0.97, 0.28),
)  # fmt: skip


def _bank(fx: Field) -> Field:
    """Upper edge of the grass at x."""
    return f32(
        0.945
        - 0.12 * np.exp(-((fx / 0.20) ** 2))
        - 0.17 * np.exp(-(((fx - 1.34) / 0.30) ** 2))
        + 0.010 * np.sin(fx * 9)
    )


def _foreground(scene: Field, rng: np.random.Generator) -> Field:
    sheet = picture(scene)
    draw, scale = ImageDraw.Draw(sheet), float(sheet.height)
    shore = np.linspace(-0.02, 1.36, 90)
    edge = np.stack([shore, _bank(f32(shore)) + 0.012], 1)
    draw.polygon([(px * scale, py * scale) for px, py in (*edge, (1.36, 1.02), (-0.02, 1.02))], fill=(38, 46, 20))
    blades = rng.uniform((-0.02, 0), (1.36, 1), (11000, 2))
    blades = blades[np.argsort(blades[:, 1])]
    trees = sorted(SPRUCES, key=lambda tree: tree[1])
    for fx, depth in blades:
        bank = float(_bank(f32(fx)))
        fy = bank + (1.04 - bank) * depth
        while trees and depth > 0.12:
            _spruce(draw, trees[0][:2], trees[0][2], scale, rng)
            trees.pop(0)
        reach, lean = 0.014 + 0.050 * depth * rng.uniform(0.5, 1.2), rng.normal(0.25, 0.35)
        light = np.clip(rng.normal(0.46, 0.24) + 0.15 * np.sin(fx * 17 + depth * 9), 0, 1)
        tint = ramp(f32(light), ("#161f0d", "#44531e", "#93893a", "#e6c878"), (0, 0.45, 0.8, 1))
        path = [(fx, fy), (fx + lean * reach * 0.4, fy - reach * 0.6), (fx + lean * reach, fy - reach)]
        draw.line([(px * scale, py * scale) for px, py in path], fill=_ink(tint), width=max(round(scale / 700), 1))
    for _ in range(130):
        fx, depth = rng.uniform(0, 1.34), rng.uniform(0.1, 0.9)
        bank = float(_bank(f32(fx)))
        px, py, r = fx * scale, (bank + (1.0 - bank) * depth - 0.02) * scale, (0.0018 + 0.0030 * depth) * scale
        draw.ellipse([px - r, py - r, px + r, py + r], fill=("#f4e8d0", "#e8b84a", "#c86a7a")[int(rng.integers(3))])
    return pixels(sheet)


def landscape(size: int) -> Field:
    """(H, size, 3), four wide to three high."""
    rng = np.random.default_rng(1818)
    width, height = size * 3 // 2, (size * 3 // 4) * 3 // 2
    x, y = plane(width, height)
    sky = _sky(x, y)
    depth, across, ground = _seen(width, height)
    land = depth > 0
    water = (land & (ground <= 0.0)).astype(np.float32)
    dry = _ground(depth, across, ground, sky)
    scene = lay(sky, dry, land.astype(np.float32))
    scene = _lake(scene, water, depth, x, y)
    r = np.hypot(x - SUN_AT[0], y - SUN_AT[1])
    scene = scene + (0.10 * np.exp(-r * 3))[..., None] * f32([1, 0.75, 0.45])
    return resized(_foreground(np.clip(scene, 0, 1), rng), size, size * 3 // 4)
