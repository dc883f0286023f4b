"""The town of `street`: houses, a church and lamps as convex blocks, and the first block that each ray meets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from daemon.studio.fields import Field, Labels, f32

KERB, FRONT = 2.6, 4.4  # metres from the middle of the street
LAMPS = ((-2.9, 7.5), (2.9, 12.5), (-2.9, 18.5), (2.9, 25.0), (-2.9, 33.0), (2.9, 42.0))
WALL, ROOF, SIDE, LAMP, POST, TOWER, SPIRE = range(1, 8)


@dataclass(frozen=True)
class Solid:
    """A convex block: the points where normals · p <= offsets; `parts` names the kind of each face."""

    normals: Field
    offsets: Field
    parts: tuple[int, ...]
    own: int = 0
    eave: float = 0.0
    span: tuple[float, float] = (0.0, 1.0)


def _box(low: tuple[float, float, float], high: tuple[float, float, float], part: int) -> Solid:
    normals = np.concatenate([np.eye(3), -np.eye(3)]).astype(np.float32)
    return Solid(normals, f32([*high, *(-v for v in low)]), (part,) * 6)


def _house(side: float, near: float, far: float, eave: float, pitch: float, gable: bool, own: int) -> Solid:
    """A house whose front stands on the street's `side`; its ridge runs along the street, or across as a gable."""
    faces = [
        ((-side, 0, 0), -FRONT, WALL),
        ((side, 0, 0), FRONT + 8, WALL),
        ((0, 0, -1), -near, SIDE),
        ((0, 0, 1), far, SIDE),
        ((0, -1, 0), 0, WALL),
    ]
    s, c = np.sin(pitch), np.cos(pitch)
    if gable:
        faces += [((0, c, s), c * eave + s * far, ROOF), ((0, c, -s), c * eave - s * near, ROOF)]
    else:
        faces += [((-side * s, c, 0), c * eave - s * FRONT, ROOF), ((side * s, c, 0), c * eave + s * (FRONT + 8), ROOF)]
    normals = f32([f[0] for f in faces])
    return Solid(normals, f32([f[1] for f in faces]), tuple(f[2] for f in faces), own, eave, (near, far))


def town(rng: np.random.Generator) -> list[Solid]:
    solids: list[Solid] = []
    for side in (-1.0, 1.0):
        z = 1.0 if side < 0 else 2.6
        while z < 66:
            wide = rng.uniform(5.0, 7.8)
            gable = rng.random() < 0.55
            eave = rng.uniform(5.6, 8.6) - (0.8 if gable else 0)
            solids.append(_house(side, z, z + wide, eave, rng.uniform(0.80, 1.02), gable, len(solids) + 1))
            z += wide
    solids += [_box((-2.6, 0, 72), (2.6, 19, 77), TOWER), _pyramid((0, 19, 74.5), (2.9, 2.9), 0.27, SPIRE)]
    return solids + [part for at in LAMPS for part in _lamp(*at)]


def _pyramid(
    foot: tuple[float, float, float], half: tuple[float, float], taper: float, part: int, tall: float = 99
) -> Solid:
    """Four slopes over `foot`, `half` wide each way there; they close by `taper` per metre, or open below 0."""
    (x, y, z), (wide, deep) = foot, half
    normals = f32([(1, taper, 0), (-1, taper, 0), (0, taper, 1), (0, taper, -1), (0, -1, 0), (0, 1, 0)])
    lift = taper * y
    return Solid(
        normals, f32([wide + x + lift, wide - x + lift, deep + z + lift, deep - z + lift, -y, y + tall]), (part,) * 6
    )


def _lamp(x: float, z: float) -> list[Solid]:
    return [
        _box((x - 0.05, 0, z - 0.05), (x + 0.05, 3.1, z + 0.05), POST),
        _box((x - 0.11, 0, z - 0.11), (x + 0.11, 0.5, z + 0.11), POST),
        _pyramid((x, 3.1, z), (0.12, 0.12), -0.3, LAMP, 0.52),
        _pyramid((x, 3.6, z), (0.36, 0.36), 0.9, POST),
    ]


@dataclass
class Hits:
    """What rays meet first: distance (inf for sky), part, house number, normal."""

    t: Field
    part: Labels
    own: Labels
    normal: Field


def cast(solids: list[Solid], origin: Field, way: Field) -> Hits:
    """Rays (n, 3) against every solid, by clipping against its faces."""
    n = len(way)
    hits = Hits(
        np.full(n, np.inf, np.float32), np.zeros(n, np.int32), np.zeros(n, np.int32), np.zeros((n, 3), np.float32)
    )
    for solid in solids:
        enter, leave, face = np.full(n, 1e-3, np.float32), np.full(n, np.inf, np.float32), np.full(n, -1, np.int8)
        for k, (normal, offset) in enumerate(zip(solid.normals, solid.offsets, strict=True)):
            speed = way @ normal
            speed = np.where(np.abs(speed) < 1e-6, 1e-6, speed)
            t = (offset - origin @ normal) / speed
            later = (speed < 0) & (t > enter)
            enter, face = np.where(later, t, enter), np.where(later, k, face)
            leave = np.where(speed > 0, np.minimum(leave, t), leave)
        met = (enter < leave) & (face >= 0) & (enter < hits.t)
        hits.t = np.where(met, enter, hits.t)
        hits.part[met] = np.asarray(solid.parts, np.int32)[face[met]]
        hits.own[met] = solid.own
        unit = solid.normals / np.linalg.norm(solid.normals, axis=1, keepdims=True)
        hits.normal[met] = unit[face[met]]
    return hits
