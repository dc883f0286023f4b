"""Scalar and colour fields over the picture plane: noise, blends, ramps, distances.

Coordinates are in picture heights: y runs from 0 at the top to 1 at the bottom, x from 0 to width / height,
so a drawing looks the same at every size. Colours are float32 in [0, 1], sRGB.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Field = NDArray[Any]  # of float32
Labels = NDArray[Any]  # of int32
CHUNK = 32768  # numbers worked on at a time: what fits the cache is faster
PERIOD = 256  # cells after which noise repeats: more than any drawing shows


def f32(values: object) -> Field:
    """Numbers as float32, so that nothing widens to float64 on the way."""
    return np.asarray(values, np.float32)


def plane(width: int, height: int) -> tuple[Field, Field]:
    """(x, y) of every pixel centre, each (height, width), in picture heights."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return (x + 0.5) / f32(height), (y + 0.5) / f32(height)


def colour(name: str) -> Field:
    """'#1d3f8a' -> (3,) in [0, 1]."""
    return np.array([int(name[i : i + 2], 16) for i in (1, 3, 5)], np.float32) / f32(255)


def palette(*names: str) -> Field:
    """Hex colours -> (n, 3)."""
    return np.stack([colour(name) for name in names])


def ramp(t: Field, names: Sequence[str], stops: Sequence[float] | None = None) -> Field:
    """The colour at t along a gradient; (…) -> (…, 3). Stops default to evenly spaced over [0, 1]."""
    colours = palette(*names)
    at = np.linspace(0, 1, len(names)) if stops is None else np.asarray(stops)
    return np.stack([np.interp(t, at, colours[:, c]) for c in range(3)], -1).astype(np.float32)


def smooth(low: float, high: float, t: Field) -> Field:
    """Hermite step: 0 at low, 1 at high (low may be the larger)."""
    s = np.clip((t - low) / (high - low), 0, 1)
    return (s * s * (3 - 2 * s)).astype(np.float32)


def lay(under: Field, over: Field, cover: Field) -> Field:
    """`over` laid on `under` where `cover` (H, W) is 1."""
    c = cover[..., None]
    return f32((under * (1 - c) + over * c).astype(np.float32))


def _mixed(i: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Whole numbers well stirred, in [0, 2**31)."""
    h = i * 668265263 + seed * 974634181 + 374761393
    h = ((h ^ (h >> 15)) * 1274126177) & 0x7FFFFFFF
    h = ((h ^ (h >> 13)) * 668265263) & 0x7FFFFFFF
    return h ^ (h >> 16)


@lru_cache(maxsize=32)
def _lattice(seed: int) -> tuple[Field, Field]:
    """Unit gradients (x, y) at the corners of PERIOD × PERIOD cells, flat."""
    turn = (_mixed(np.arange(PERIOD * PERIOD), seed) % 4096).astype(np.float32) * f32(2 * np.pi / 4096)
    return np.cos(turn), np.sin(turn)


def noise(x: Field, y: Field, seed: int) -> Field:
    """Perlin's gradient noise, about [-0.7, 0.7], one cell per unit; repeats after PERIOD cells."""
    x, y = np.broadcast_arrays(f32(x), f32(y))
    out = np.empty(x.size, np.float32)
    flat_x, flat_y = x.ravel(), y.ravel()
    for start in range(0, x.size, CHUNK):
        part = np.s_[start : start + CHUNK]
        out[part] = _noise(flat_x[part], flat_y[part], *_lattice(seed))
    return out.reshape(x.shape)


def _noise(x: Field, y: Field, gx: Field, gy: Field) -> Field:
    x0, y0 = np.floor(x), np.floor(y)
    fx, fy = x - x0, y - y0
    i, j = x0.astype(np.int32) & (PERIOD - 1), y0.astype(np.int32) & (PERIOD - 1)
    i1 = (i + 1) & (PERIOD - 1)
    u, v = fx * fx * fx * (fx * (fx * 6 - 15) + 10), fy * fy * fy * (fy * (fy * 6 - 15) + 10)

    def between(row: Labels, dy: Field) -> Field:
        a, b = row + i, row + i1
        west = gx[a] * fx + gy[a] * dy
        return f32(west + u * (gx[b] * (fx - 1) + gy[b] * dy - west))

    upper = between(j * PERIOD, fy)
    upper += v * (between(((j + 1) & (PERIOD - 1)) * PERIOD, fy - 1) - upper)
    return upper


def chance(labels: Labels, seed: int) -> Field:
    """A number in [0, 1) for every label, the same wherever the label stands."""
    return ((_mixed(labels.astype(np.int64), seed) & 0xFFFFF) / 2.0**20).astype(np.float32)


def fbm(x: Field, y: Field, seed: int, octaves: int = 5, gain: float = 0.5) -> Field:
    """Octaves of noise summed, each twice as fine and `gain` times as strong; about [-1, 1]."""
    total = np.zeros(np.broadcast(x, y).shape, np.float32)
    for octave in range(octaves):
        f = 2.0**octave
        total += f32(gain**octave) * noise(x * f + 17 * octave, y * f - 31 * octave, seed + octave)
    return total * f32(1.3)


def blur(field: Field, radius: float) -> Field:
    """Gaussian of standard deviation `radius` px, as three box means; edges replicated; (H, W[, C])."""
    out = field.astype(np.float64)
    half = max(round(radius), 0)
    for axis in (0, 1) if half else ():
        for _ in range(3):
            pad = [(0, 0)] * out.ndim
            pad[axis] = (half + 1, half)
            total = np.cumsum(np.pad(out, pad, mode="edge"), axis=axis)
            n, window = out.shape[axis], 2 * half + 1
            upper = np.take(total, np.arange(window, window + n), axis)
            out = (upper - np.take(total, np.arange(n), axis)) / window
    return out.astype(np.float32)


def edges(labels: Labels) -> NDArray[np.bool_]:
    """True where a pixel's label differs from its right or lower neighbour's."""
    found = np.zeros(labels.shape, bool)
    found[:, :-1] |= labels[:, 1:] != labels[:, :-1]
    found[:-1] |= labels[1:] != labels[:-1]
    return found


def distance(seeds: NDArray[np.bool_], reach: int = 4096) -> Field:
    """Distance in px of every pixel to the nearest True one (jump flooding); beyond `reach` only "far"."""
    height, width = seeds.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    far = f32(1e6)
    sy, sx = np.where(seeds, y, far), np.where(seeds, x, far)
    best = (sy - y) ** 2 + (sx - x) ** 2
    steps = [1 << k for k in range((min(max(height, width), reach) - 1).bit_length())][::-1]
    for s in [*steps, 1]:
        for dy, dx in ((-s, -s), (-s, 0), (-s, s), (0, -s), (0, s), (s, -s), (s, 0), (s, s)):
            to = np.s_[max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)]
            of = np.s_[max(-dy, 0) : height + min(-dy, 0), max(-dx, 0) : width + min(-dx, 0)]
            if best[to].size == 0:
                continue
            cy, cx = sy[of], sx[of]
            d = (cy - y[to]) ** 2 + (cx - x[to]) ** 2
            nearer = d < best[to]
            best[to] = np.where(nearer, d, best[to])
            sy[to], sx[to] = np.where(nearer, cy, sy[to]), np.where(nearer, cx, sx[to])
    return f32(np.sqrt(best))


def near_edges(labels: Labels, reach: int) -> Field:
    """Distance in px to the nearest border between labels, up to about `reach`; found on every second pixel."""
    height, width = labels.shape
    d = distance(edges(labels[::2, ::2]), reach // 2) * 2
    return f32(Image.fromarray(np.minimum(d, 2 * reach)).resize((width, height), Image.Resampling.BICUBIC))
