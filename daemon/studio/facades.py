"""House fronts of `street`: walls, timber, windows, shutters and doors, painted where rays meet the walls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from daemon.studio.fields import Field, Labels, chance, f32, fbm, noise, palette, ramp, smooth
from daemon.studio.town import Solid

WALLS = palette("#d9b88a", "#c98f6a", "#e6d3ae", "#b97f6a", "#a9b0a0", "#d9c07a", "#c7a9a0", "#8fa3ad")
SHUTTERS = palette("#3f5f4a", "#6a2f2a", "#2f4a6a", "#5a4632")


@dataclass
class _Bay:
    """Where points (n,) lie in their window bay."""

    own: Labels
    cell: Labels
    y: Field
    eave: Field
    u: Field
    v: Field
    du: Field  # from the bay's middle, in bays
    dv: Field  # from the window's middle, in storeys
    ground: Field  # on the ground floor
    wide: Field
    high: Field
    last: Field  # number of bays


def _bay(p: Field, own: Labels, solids: list[Solid]) -> _Bay:
    homes = [solid for solid in solids if solid.own]
    near, far = (f32([end, *(home.span[end] for home in homes)])[own] for end in (0, 1))
    eave = f32([1.0, *(home.eave for home in homes)])[own]
    bays, floors = np.round((far - near) / 1.75), np.maximum(np.round(eave / 2.75), 2)
    u, v = (p[:, 2] - near) / (far - near) * bays, p[:, 1] / eave * floors
    cell = own * 1000 + np.floor(u).astype(np.int32) * 20 + np.floor(v).astype(np.int32)
    above, ground = p[:, 1] > eave, np.floor(v) < 1
    du = np.where(above, np.abs(u - bays / 2), np.abs(u % 1 - 0.5))
    dv = np.where(above, (p[:, 1] - eave - 0.95) / 2.3, v % 1 - 0.53)
    wide = np.where(above, 0.26, np.where(ground, 0.33, 0.225))
    high = np.where(above, 0.24, np.where(ground, 0.36, 0.29))
    return _Bay(own, cell, p[:, 1], eave, u, v, du, dv, ground, wide, high, bays)


def _plaster(p: Field, bay: _Bay) -> Field:
    """Weathered walls, some of them timbered."""
    own, dv = bay.own, bay.dv
    tint = WALLS[(chance(own, 3) * len(WALLS)).astype(int)] * (0.9 + 0.2 * chance(own, 4))[:, None]
    tint = tint * (1 + 0.12 * fbm(p[:, 2] * 0.9, p[:, 1] * 0.9, 6, 4))[:, None]
    tint = tint * (0.72 + 0.28 * smooth(0, 1.4, p[:, 1] + 0.5 * noise(p[:, 2], p[:, 1], 7)))[:, None]
    brace = (np.abs(bay.du - 0.36 + 0.25 * dv) < 0.03) & (np.abs(dv) < 0.42)
    beam = (chance(own, 11) < 0.40) & ~bay.ground & ((np.abs(bay.v % 1 - 0.04) < 0.045) | (bay.du > 0.455) | brace)
    wood = f32([0.20, 0.13, 0.10]) * (1 + 0.4 * noise(p[:, 2] * 9, p[:, 1] * 9, 12))[:, None]
    return f32(np.where(beam[:, None], wood, tint))


def facade(p: Field, own: Labels, solids: list[Solid]) -> tuple[Field, Field]:
    """(colour, lamplight from windows) of house fronts at points p (n, 3)."""
    bay = _bay(p, own, solids)
    du, dv, below = bay.du, bay.dv, bay.y < bay.eave
    pane = (du < bay.wide) & (np.abs(dv) < bay.high)
    door = bay.ground & (np.floor(bay.u) == np.floor(bay.last * chance(own, 9))) & (du < 0.27) & (bay.v % 1 < 0.80)
    frame = (du < bay.wide + 0.05) & (np.abs(dv) < bay.high + 0.045)
    beside = (du > bay.wide + 0.03) & (du < bay.wide + 0.19) & (np.abs(dv) < bay.high + 0.02)
    shutter = beside & ~bay.ground & below & (chance(own, 10) < 0.55)
    bars = (du < 0.018) | (np.abs(dv - 0.06) < 0.012) | (du > bay.wide - 0.02)
    lit = (chance(bay.cell, 14) < np.where(bay.ground, 0.72, 0.42)) & pane & ~bars & ~door
    slats, boards = 0.85 + 0.25 * (np.sin(bay.y * 60) > 0), 0.56 + 0.21 * (du % 0.12 < 0.1)
    painted = SHUTTERS[(chance(own, 13) * 4).astype(int)] * slats[:, None]
    tint = np.where(shutter[:, None], painted, _plaster(p, bay))
    tint = np.where(frame[:, None], f32([0.80, 0.76, 0.68]), tint)
    tint = np.where((pane & ~bars)[:, None], ramp(dv + 0.5, ("#1c2a44", "#3f5678", "#7f90a8")), tint)
    tint = np.where(door[:, None], SHUTTERS[(chance(own, 15) * 4).astype(int)] * boards[:, None], tint)
    shade = np.where(below, smooth(0, 0.5, bay.eave - bay.y) * 0.45 + 0.55, 1)
    curtain = (0.75 + 0.35 * noise(bay.u * 5, bay.v * 5, 17)) * (1 - 0.35 * smooth(0, 0.3, dv))
    return f32(tint * shade[:, None]), f32(lit * (0.55 + 0.5 * chance(bay.cell, 16)) * curtain)
