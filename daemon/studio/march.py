"""Sphere tracing: where rays meet a scene given by its signed distance, and how light reaches the scene.

Points and directions are (n, 3) float32; x to the right, y up, z away from the eye unless a scene says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from daemon.studio.fields import Field, blur, f32, plane

Shape = Callable[[Field], Field]
CHUNK = 16384


def length(v: Field) -> Field:
    """Lengths (n,) of rows (n, 3); einsum, because sums along so short an axis are slow."""
    return f32(np.sqrt(np.einsum("ij,ij->i", v, v)))


def ball(p: Field, centre: tuple[float, float, float], radii: tuple[float, float, float] | float) -> Field:
    """Ellipsoid (a bound that is exact for spheres)."""
    q = p - f32(centre)
    if isinstance(radii, float):
        return length(q) - f32(radii)
    q /= f32(radii)
    k0 = length(q)
    q /= f32(radii)
    return f32(k0 * (k0 - 1) / (length(q) + f32(1e-6)))


def rod(p: Field, a: tuple[float, float, float], b: tuple[float, float, float], ra: float, rb: float) -> Field:
    """A tapering capsule from a to b."""
    pa, ba = p - f32(a), f32(b) - f32(a)
    t = np.clip(pa @ ba / float(ba @ ba), 0, 1)
    pa -= t[:, None] * ba
    return f32(length(pa) - (ra + (rb - ra) * t))


def join(a: Field, b: Field, k: float) -> Field:
    """Union with a fillet of size k."""
    h = np.maximum(k - np.abs(a - b), 0) / k
    return f32(np.minimum(a, b) - h * h * f32(k / 4))


def carve(a: Field, b: Field, k: float) -> Field:
    """a without b, the rim rounded by k."""
    return -join(-a, b, k)


def unit(v: Field) -> Field:
    return f32((v / np.sqrt((v * v).sum(-1, keepdims=True) + 1e-12)).astype(np.float32))


def march(shape: Shape, origin: Field, way: Field, near: float, far: float, steps: int = 72) -> Field:
    """Distance along each ray to the shape; inf where it is missed."""
    t = np.full(len(way), near, np.float32)
    out = np.full(len(way), np.inf, np.float32)
    live = np.arange(len(way))
    for _ in range(steps):
        d = shape(origin[live] + way[live] * t[live, None])
        met = d < 0.0008 + 0.0004 * t[live]
        out[live[met]] = t[live[met]]
        t[live] += d * f32(0.9)
        live = live[~met & (t[live] < far)]
        if not len(live):
            break
    return out


def slopes(shape: Shape, p: Field, e: float = 0.002) -> Field:
    """Unit normals by central tetrahedron differences."""
    corners = f32([(1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)])
    return unit(sum((c * shape(p + c * f32(e))[:, None] for c in corners), np.zeros_like(p)))


def shadow(shape: Shape, p: Field, light: Field, sharp: float, far: float = 3.5, steps: int = 40) -> Field:
    """1 where the light is seen, 0 in full shade, soft between: the narrowest miss on the way."""
    lit = np.ones(len(p), np.float32)
    t = np.full(len(p), 0.03, np.float32)
    live = np.arange(len(p))
    for _ in range(steps):
        d = shape(p[live] + light * t[live, None])
        lit[live] = np.minimum(lit[live], sharp * d / t[live])
        t[live] += np.clip(0.7 * d, 0.015, 0.2)
        live = live[(lit[live] > 0.001) & (t[live] < far)]
        if not len(live):
            break
    lit = np.clip(lit, 0, 1)
    return lit * lit * (3 - 2 * lit)


def crevice(shape: Shape, p: Field, normal: Field, reach: float = 0.35) -> Field:
    """Ambient light left (n,) after what stands near along the normal."""
    taken, weight = np.zeros(len(p), np.float32), 1.0
    for k in range(1, 6):
        h = reach * k / 5
        taken += f32(weight) * np.maximum(h - shape(p + normal * f32(h)), 0) / reach
        weight *= 0.72
    return f32(np.clip(1 - 0.85 * taken, 0, 1))


def render(view: Callable[[Field, Field], Field], width: int, height: int, rough: float = 0.022) -> Field:
    """`view(x, y)` -> colours (n, 3), in picture heights; edges are looked at again four times per pixel."""

    def looked(x: Field, y: Field) -> Field:  # a few rays at a time: what fits the cache is twice as fast
        starts = range(0, len(x), CHUNK)
        return np.concatenate(
            [np.zeros((0, 3), np.float32), *(view(x[k : k + CHUNK], y[k : k + CHUNK]) for k in starts)]
        )

    x, y = plane(width, height)
    scene = looked(x.ravel(), y.ravel()).reshape(height, width, 3)
    again = np.abs(scene - blur(scene, 1)).max(-1) > rough
    ex, ey = x[again], y[again]
    total = np.zeros((len(ex), 3), np.float32)
    for dx, dy in ((-0.125, -0.375), (0.375, -0.125), (0.125, 0.375), (-0.375, 0.125)):
        total += np.clip(looked(ex + f32(dx / height), ey + f32(dy / height)), 0, 1.2)
    scene[again] = total / 4
    return f32(np.clip(scene, 0, 1))


def within(shape: Shape, centre: tuple[float, float, float], radius: float, slack: float) -> Shape:
    """`shape`, asked only within `slack` of the ball that holds it; farther off, the distance to the ball.

    A little slack is enough to march; soft shadows and crevices see the difference unless slack is generous.
    """

    def bounded(p: Field) -> Field:
        out = length(p - f32(centre)) - f32(radius)
        close = np.flatnonzero(out < slack)
        if len(close):
            out[close] = shape(p[close])
        return out

    return bounded
