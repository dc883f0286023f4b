"""Street: old houses in perspective at dusk, lamps lit, wet cobbles, a church at the end."""

from __future__ import annotations

import numpy as np

from daemon.studio.brush import resized
from daemon.studio.facades import WALLS, facade
from daemon.studio.fields import CHUNK, Field, blur, chance, f32, fbm, lay, noise, palette, plane, ramp, smooth
from daemon.studio.town import FRONT, KERB, LAMP, LAMPS, POST, ROOF, SIDE, SPIRE, TOWER, WALL, Hits, Solid, cast, town

EYE, FOCAL, CENTRE = (-0.55, 1.75, 0.0), 0.98, (0.60, 0.565)  # eye in metres; vanishing point in picture heights
ROOFS = palette("#7d3f30", "#6a3a36", "#8a4a34", "#54464a")


def _sky(way: Field) -> Field:
    up = np.clip(way[:, 1], 0, 1)
    sky = ramp(up, ("#ffc27a", "#f79a6b", "#c97f93", "#6f78b0", "#3a559c", "#263f7d"), (0, 0.08, 0.18, 0.34, 0.55, 0.8))
    reach = 1 / (up + 0.12)
    u, v = way[:, 0] * reach * 1.3, way[:, 2] * reach * 0.7
    puff = fbm(u, v * 1.6, 5, 6, 0.55)
    lit = ramp(
        0.5 + 1.6 * (puff - fbm(u, v * 1.6 + 0.12, 5, 4, 0.55)) + 0.4 * (0.4 - up),
        ("#5a5f92", "#b0809c", "#ff9d78", "#ffd6a0"),
    )
    return lay(sky, lit, smooth(0.02, 0.45, puff) * 0.85)


def _lamplight(p: Field, normal: Field) -> Field:
    """Warm light (n,) that the lamps throw on points with these normals."""
    light = np.zeros(len(p), np.float32)
    for lx, lz in LAMPS:
        to = f32([lx, 3.35, lz]) - p
        d2 = (to**2).sum(1)
        facing = np.abs((to * normal).sum(1)) / np.sqrt(d2 + 1e-6)
        light += (0.25 + 0.75 * facing) / (0.5 + d2)
    return light


def _stuff(hits: Hits, p: Field, solids: list[Solid]) -> tuple[Field, Field]:
    """(colour, light of its own) of whatever was hit at p."""
    tint, glow = np.full((len(p), 3), 0.3, np.float32), np.zeros(len(p), np.float32)
    wall, roof, side, tower = (hits.part == kind for kind in (WALL, ROOF, SIDE, TOWER))
    tint[wall], glow[wall] = facade(p[wall], hits.own[wall], solids)
    rows = p[roof, 1] * 5.5
    across = np.where(np.abs(hits.normal[roof, 0]) > 0.3, p[roof, 2], p[roof, 0])
    tile = (np.floor(rows) * 977 + np.floor(across * 4 + 0.5 * (np.floor(rows) % 2))).astype(np.int32)
    relief = 0.72 + 0.35 * (rows % 1) + 0.35 * (chance(tile, 20) - 0.5)
    tint[roof] = ROOFS[(chance(hits.own[roof], 21) * 4).astype(int)] * relief[:, None]
    stain = 0.75 + 0.2 * fbm(p[side, 0], p[side, 1], 22, 4)
    tint[side] = WALLS[(chance(hits.own[side], 3) * len(WALLS)).astype(int)] * stain[:, None]
    tint[hits.part == POST] = (0.07, 0.08, 0.09)
    tint[tower] = f32([0.50, 0.42, 0.38]) * (0.9 + 0.2 * noise(p[tower, 0] * 2, p[tower, 1] * 2, 23))[:, None]
    arch = np.abs(np.abs(p[:, 0]) - 0.95) / 0.42
    tint[tower & (arch < 1) & (np.abs(p[:, 1] - 12.0 + 0.9 * arch**2) < 1.5)] = (0.10, 0.09, 0.12)
    tint[tower & (np.abs((p[:, 1] + 0.4) % 4.6 - 2.3) < 0.16)] *= 1.5
    clock = tower & (np.hypot(p[:, 0], p[:, 1] - 15.5) < 1.25)
    tint[clock], glow[clock] = (0.9, 0.85, 0.7), 0.55
    tint[hits.part == SPIRE] = (0.22, 0.33, 0.34)
    return tint, glow


def _shaded(hits: Hits, p: Field, solids: list[Solid]) -> Field:
    """Colour (n, 3) of what was hit: dusk from above and ahead, lamps, windows, and air."""
    tint, glow = _stuff(hits, p, solids)
    up, ahead = 0.5 + 0.5 * hits.normal[:, 1], np.clip(hits.normal[:, 2], 0, 1)
    warm = np.clip(hits.normal @ f32([0.45, 0.45, 0.4]), 0, 1) * smooth(1.5, 9, p[:, 1])
    cool, sunset = f32([0.36, 0.42, 0.60]) * (0.55 + 0.75 * up)[:, None], f32([0.50, 0.28, 0.14])
    ambient = cool + sunset * (0.5 * ahead + 0.9 * warm)[:, None]
    ambient = ambient * (0.55 + 0.45 * smooth(0, 5, p[:, 1]))[:, None] + f32([0.10, 0.08, 0.09])
    lit = tint * (ambient + f32([3.4, 2.1, 0.95]) * _lamplight(p, hits.normal)[:, None])
    window = f32([0.25, 0.10, 0.02]) + 1.15 * glow[:, None] * f32([1.05, 0.74, 0.34])
    lit = lay(lit, window, np.clip(2 * glow, 0, 1))
    lit = np.where((hits.part == LAMP)[:, None], f32([1.25, 1.08, 0.72]), lit)
    return _hazy(lit, p[:, 2])


def _hazy(tint: Field, away: Field) -> Field:
    """Evening air before what stands `away` (m)."""
    air = np.broadcast_to(f32([0.84, 0.56, 0.50]), tint.shape)
    return lay(tint, air, 1 - np.exp(-np.maximum(away - 8, 0) * 0.008))


def _paving(p: Field) -> tuple[Field, Field, Field]:
    """(colour, wetness, unevenness) of the ground at p (n, 3): cobbles in the road, slabs beside it."""
    road = np.abs(p[:, 0]) < KERB
    row = np.floor(p[:, 2] / 0.20)
    arch = p[:, 0] / 0.17 + 0.5 * (row % 2) + 0.10 * noise(p[:, 0] * 3, p[:, 2] * 3, 30)
    stone = np.where(
        road, row * 131 + np.floor(arch), 5000 + np.floor(p[:, 2] / 0.8) * 7 + np.floor(p[:, 0] / 0.6)
    ).astype(np.int32)
    fu = np.where(road, np.abs(arch % 1 - 0.5), np.abs(p[:, 0] / 0.6 % 1 - 0.5))
    fv = np.where(road, np.abs(p[:, 2] / 0.20 % 1 - 0.5), np.abs(p[:, 2] / 0.8 % 1 - 0.5))
    dome = np.where(
        road, np.clip(1 - (fu * 1.95) ** 4 - (fv * 1.95) ** 4, 0, 1), np.clip(18 * (0.5 - np.maximum(fu, fv)), 0, 1)
    )
    far = smooth(30, 6, p[:, 2])
    dome = 1 - (1 - dome) * far
    tint = ramp(chance(stone, 31), ("#4f4a4c", "#6a625e", "#7f766c", "#585a66")) * (0.45 + 0.55 * dome)[:, None]
    kerb = np.abs(np.abs(p[:, 0]) - KERB) < 0.10
    tint = np.where(kerb[:, None], f32([0.52, 0.50, 0.48]), tint)
    wet = smooth(-0.25, 0.35, fbm(p[:, 0] * 0.5, p[:, 2] * 0.28, 32, 3)) * np.where(road, 1.0, 0.45)
    return (
        tint.astype(np.float32),
        (wet * (0.35 + 0.65 * dome)).astype(np.float32),
        ((chance(stone, 33) - 0.5) * far + 0.5 * noise(p[:, 0] * 14, p[:, 2] * 14, 34)).astype(np.float32),
    )


def _ground(origin: Field, way: Field, t: Field, solids: list[Solid]) -> Field:
    """Wet stone: its own colour under lamps and sky, and the street mirrored in it."""
    p = origin + way * t[:, None]
    tint, wet, rough = _paving(p)
    up = np.broadcast_to(f32([0, 1, 0]), p.shape)
    own = tint * (
        f32([0.62, 0.62, 0.80]) * (0.40 + 0.65 * smooth(FRONT, 0, np.abs(p[:, 0])))[:, None]
        + f32([3.4, 2.1, 0.95]) * _lamplight(p, up)[:, None]
    )
    back = way * f32([1, -1, 1])
    back[:, 0] += 0.035 * rough
    back[:, 1] = np.abs(back[:, 1] + 0.10 * rough * np.abs(back[:, 1]) + 0.02 * rough)
    mirror = _seen(solids, p + f32([0, 0.01, 0]), back, False)
    fresnel = 0.26 + 0.74 * (1 - np.clip(-way[:, 1], 0, 1)) ** 4
    ground = lay(f32(own), mirror, np.clip(wet * fresnel, 0, 0.9))
    return _hazy(ground, p[:, 2])


def _seen(solids: list[Solid], origin: Field, way: Field, ground: bool = True) -> Field:
    hits = cast(solids, origin, way)
    out = _sky(way)
    low = np.where(way[:, 1] < -1e-4, -origin[:, 1] / np.minimum(way[:, 1], -1e-4), np.inf)
    block = np.isfinite(hits.t) & (hits.t < low)
    part = Hits(hits.t[block], hits.part[block], hits.own[block], hits.normal[block])
    out[block] = _shaded(part, origin[block] + way[block] * hits.t[block][:, None], solids)
    floor = ~block & np.isfinite(low) & ground
    if floor.any():
        out[floor] = _ground(origin[floor], way[floor], low[floor], solids)
    return out


def street(size: int) -> Field:
    """(H, size, 3), four wide to three high."""
    width, height = size * 3 // 2, (size * 3 // 4) * 3 // 2
    x, y = plane(width, height)
    way = np.stack([(x - CENTRE[0]) / FOCAL, (CENTRE[1] - y) / FOCAL, np.ones_like(x)], -1).reshape(-1, 3)
    way = (way / np.linalg.norm(way, axis=1, keepdims=True)).astype(np.float32)
    origin = np.broadcast_to(f32(EYE), way.shape)
    solids = town(np.random.default_rng(1763))
    scene = np.concatenate(
        [_seen(solids, origin[k : k + CHUNK], way[k : k + CHUNK]) for k in range(0, len(way), CHUNK)]
    )
    scene = scene.reshape(height, width, 3)
    bright = np.clip(scene - 0.72, 0, 1)
    scene = scene + 0.9 * blur(bright, height / 45) + 0.7 * blur(bright, height / 160)
    return resized(np.clip(scene, 0, 1), size, size * 3 // 4)
