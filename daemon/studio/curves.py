"""Curves through points, and shapes along curves: limbs, blades, hooks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from daemon.studio.fields import Field

Points = Sequence[tuple[float, float]]


def spline(points: Points | Field, per_span: int = 12) -> Field:
    """Catmull-Rom curve through `points`; (n, 2)."""
    p = np.asarray(points, np.float32)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = np.linspace(0, 1, per_span, endpoint=False, dtype=np.float32)[:, None]
    spans = []
    for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False):
        spans.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    return np.concatenate([*spans, p[-2:-1]]).astype(np.float32)


def evenly(curve: Field, count: int) -> Field:
    """`count` points at equal distances along a curve (n, 2)."""
    lengths = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(curve, axis=0).T))])
    at = np.linspace(0, lengths[-1], count)
    return np.stack([np.interp(at, lengths, curve[:, c]) for c in (0, 1)], 1).astype(np.float32)


def normals(curve: Field) -> Field:
    """Unit normals (n, 2), to the right of the way on a canvas whose y runs down."""
    along = np.gradient(curve, axis=0)
    along = along / (np.hypot(along[:, 0], along[:, 1])[:, None] + 1e-9)
    return np.stack([-along[:, 1], along[:, 0]], 1).astype(np.float32)


def window(x: Field, y: Field, curve: Field, pad: float) -> tuple[slice, slice]:
    """Rows and columns of the plane that come within `pad` of a curve's box; empty slices if none do."""
    (left, top), (right, low) = curve.min(0) - pad, curve.max(0) + pad
    rows, columns = (np.searchsorted(line, ends) for line, ends in ((y[:, 0], (top, low)), (x[0], (left, right))))
    return slice(int(rows[0]), int(rows[1])), slice(int(columns[0]), int(columns[1]))


def limb(x: Field, y: Field, curve: Field, radii: Field) -> tuple[Field, Field, Field]:
    """Near a curve of varying radius: (depth, above 0 inside; way along from 0 to 1; side from -1 to 1)."""
    deep = np.full(x.shape, -9.0, np.float32)
    way, side = np.zeros(x.shape, np.float32), np.zeros(x.shape, np.float32)
    pad, n = float(radii.max()) * 1.5 + 0.01, len(curve) - 1
    for k in range(n):
        at = window(x, y, curve[k : k + 2], pad)
        if not x[at].size:
            continue
        (ax, ay), (ux, uy) = curve[k], curve[k + 1] - curve[k]
        span = ux * ux + uy * uy + 1e-12
        px, py = x[at] - ax, y[at] - ay
        t = np.clip((px * ux + py * uy) / span, 0, 1)
        r = radii[k] + (radii[k + 1] - radii[k]) * t
        d = r - np.hypot(px - t * ux, py - t * uy)
        nearer = d > deep[at]
        deep[at] = np.where(nearer, d, deep[at])
        way[at] = np.where(nearer, (k + t) / n, way[at])
        side[at] = np.where(nearer, (ux * py - uy * px) / np.sqrt(span) / (r + 1e-9), side[at])
    return deep, way, side
