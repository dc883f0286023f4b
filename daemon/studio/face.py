"""Face: a young woman in window light, three-quarter view, modelled as one smooth solid."""

from __future__ import annotations

import numpy as np

from daemon.studio.fields import Field, f32, fbm, lay, noise, ramp, smooth
from daemon.studio.head import EYES, around, mirrored, part_of, parting, touching
from daemon.studio.march import crevice, march, render, shadow, slopes, unit

TURN, FOCAL, FAR = 0.36, 2.12, 6.6  # head turned (radians), focal length (picture heights), eye to head
LIGHT = unit(f32([-0.72, 0.52, 0.62]))
FILL = unit(f32([0.9, 0.1, 0.35]))


def _skin(p: Field) -> Field:
    q = mirrored(p)
    tint = f32([0.84, 0.66, 0.56]) * (1 + 0.025 * fbm(p[:, 0] * 9, p[:, 1] * 9, 7, 4))[:, None]
    rosy = 0.55 * np.exp(-(((q[:, 0] - 0.36) / 0.17) ** 2) - ((q[:, 1] + 0.27) / 0.15) ** 2)
    rosy = rosy + 0.40 * np.exp(-((q[:, 0] / 0.11) ** 2) - ((q[:, 1] + 0.34) / 0.09) ** 2) * (q[:, 2] > 0.6)
    rosy = rosy + 0.25 * np.exp(-((q[:, 0] / 0.2) ** 2) - ((q[:, 1] + 0.95) / 0.1) ** 2)
    tint = lay(tint, np.broadcast_to(f32([0.84, 0.42, 0.35]), p.shape), np.clip(rosy, 0, 1) * 0.7)
    tint = lay(tint, np.broadcast_to(f32([0.60, 0.36, 0.32]), p.shape), _near_eye(q) * 0.35)
    lips = _lips(q)
    tint = lay(tint, np.broadcast_to(f32([0.70, 0.24, 0.24]), p.shape), lips * 0.85)
    return lay(tint, np.broadcast_to(f32([0.20, 0.12, 0.08]), p.shape), _brow(q) * 0.85)


def _near_eye(q: Field) -> Field:
    return np.exp(-(((q[:, 0] - EYES[0]) / 0.19) ** 2) - ((q[:, 1] - 0.05) / 0.085) ** 2) * (q[:, 2] > 0.3)


def _lips(q: Field) -> Field:
    x = q[:, 0]
    seam = -0.612 + 0.35 * x**2
    top = seam + 0.052 * np.clip(1 - (x / 0.20) ** 2, 0, 1) ** 0.8 - 0.012 * np.exp(-((x / 0.03) ** 2))
    low = seam - 0.085 * np.clip(1 - (x / 0.185) ** 2, 0, 1) ** 0.8
    return smooth(-0.006, 0.008, np.minimum(top - q[:, 1], q[:, 1] - low)) * (q[:, 2] > 0.5) * smooth(0.205, 0.165, x)


def _brow(q: Field) -> Field:
    t = np.clip((q[:, 0] - 0.11) / 0.38, 0, 1)
    middle = 0.195 + 0.075 * np.sin(t * 2.3) - 0.035 * t
    half = 0.028 * (1 - t) ** 0.5 * (0.6 + 0.4 * smooth(0, 0.15, t))
    hairs = 0.75 + 0.6 * noise(q[:, 0] * 60 + q[:, 1] * 40, q[:, 1] * 24, 8)
    return (
        smooth(-0.012, 0.014, half - np.abs(q[:, 1] - middle))
        * smooth(0.08, 0.14, q[:, 0])
        * smooth(0.5, 0.42, q[:, 0])
        * np.clip(hairs, 0, 1)
        * (q[:, 2] > 0.2)
    )


def _iris(p: Field) -> tuple[Field, Field]:
    """(colour, gloss) of the eyes, which look at the beholder."""
    gaze = unit(f32([np.sin(-TURN * 0.70), -0.02, np.cos(TURN * 0.70)]))
    centre = np.where(p[:, :1] > 0, f32(EYES), f32([-EYES[0], EYES[1], EYES[2]]))
    way = unit(p - centre)
    r = np.arccos(np.clip(way @ gaze, -1, 1)) * 0.162
    swing = np.arctan2(way[:, 1], way[:, 0] - gaze[0])
    fibre = noise(swing * 9, r * 40, 9)
    iris = ramp(r / 0.074 + 0.2 * fibre, ("#2a1a10", "#7a5a34", "#6a6a42", "#33382a"), (0.3, 0.5, 0.75, 1.0))
    white = ramp(r / 0.22, ("#d8d2c8", "#d0c0b4", "#b89088"))
    tint = lay(white, iris, smooth(0.077, 0.070, r))
    tint = lay(tint, np.broadcast_to(f32([0.02, 0.015, 0.012]), tint.shape), smooth(0.033, 0.029, r))
    return tint, np.full(len(p), 0.9, np.float32)


def _lash(p: Field) -> Field:
    """Dark rim where lid meets eye, heavier above."""
    q = mirrored(p)
    ex, ey, _ = EYES
    across = (q[:, 0] - ex) / 0.156
    arch = np.clip(1 - across * across, 0, 1)
    upper = ey + 0.056 * arch**0.75 + 0.012 * across
    lower = ey - 0.042 * arch**0.9 + 0.012 * across
    near = smooth(1.04, 0.92, np.abs(across)) * (q[:, 2] > 0.4)
    top = smooth(0.028, 0.004, np.abs(q[:, 1] - upper - 0.006))
    return near * np.clip(top + 0.35 * smooth(0.011, 0.002, np.abs(q[:, 1] - lower)), 0, 1)


def _tress(p: Field, normal: Field, way: Field) -> Field:
    q = mirrored(p)
    strand = parting(p)
    fine = noise(strand * 130, q[:, 0] * 3, 10) + 0.7 * noise(strand * 55, q[:, 0] * 2, 11)
    tint = ramp(0.45 + 0.55 * fine, ("#140a07", "#2e180e", "#502c16", "#744620"))
    run = unit(np.cross(normal, np.stack([np.zeros(len(p)), -np.cos(strand), np.sin(strand)], 1).astype(np.float32)))
    half = unit(LIGHT - way)
    sheen = (
        np.sqrt(np.clip(1 - (run @ f32([0, 1, 0]) * 0 + (unit(np.cross(run, normal)) * half).sum(1)) ** 2, 0, 1)) ** 22
    )
    return f32(tint + (sheen * (0.5 + 0.8 * fine))[:, None] * f32([0.26, 0.19, 0.12]))


def _flesh(p: Field, normal: Field, sees: Field, open_: Field) -> Field:
    """Light on skin: a wrapped key that reddens where it fails, a cool fill, and warm crevices."""
    facing = normal @ LIGHT
    wrap = np.stack([np.clip((facing + w) / (1 + w), 0, 1) ** 1.15 for w in (0.34, 0.16, 0.12)], 1)
    veil = np.stack([sees**e for e in (0.6, 0.95, 1.05)], 1)
    key = f32([1.26, 1.18, 1.08]) * wrap * veil
    fill = f32([0.15, 0.17, 0.21]) * (np.clip(0.45 + 0.55 * (normal @ FILL), 0, 1) * open_)[:, None]
    warm = f32([0.18, 0.11, 0.085]) * (open_ * np.clip(0.5 - 0.4 * normal[:, 1], 0, 1))[:, None]
    return f32((key * (0.45 + 0.55 * open_)[:, None] + fill + warm).astype(np.float32))


def _shaded(p: Field, way: Field) -> Field:
    part = part_of(p)
    normal = slopes(touching, p, 0.0025)
    sees = shadow(around, p + normal * f32(0.014), LIGHT, 8, 2.6)
    open_ = crevice(around, p, normal, 0.22)
    half = unit(LIGHT - way)
    tint, gloss = _skin(p), np.full(len(p), 0.10, np.float32)
    grain = 0.5 + 0.5 * noise(p[:, 0] * 70, p[:, 1] * 70 + p[:, 2] * 50, 12)
    sharp = np.full(len(p), 18.0, np.float32)
    lip = _lips(mirrored(p)) * (part == 0)
    gloss, sharp = gloss + 0.30 * lip, sharp + 50 * lip
    eye, hair, dress, pearl = part == 2, part == 3, part == 4, part == 5
    tint[eye], gloss[eye] = _iris(p[eye])
    sharp[eye] = 400
    head = (part == 0) | eye
    tint[head] = lay(
        tint[head],
        np.broadcast_to(f32([0.07, 0.04, 0.03]), tint[head].shape),
        _lash(p[head]) * np.where(part[head] == 0, 0.9, 0.35),
    )
    tint[hair] = _tress(p[hair], normal[hair], way[hair])
    weave = 1 + 0.10 * noise(p[:, 0] * 60, p[:, 1] * 60, 13) + 0.25 * fbm(p[:, 0] * 3, p[:, 1] * 3, 14, 3)
    tint[dress] = f32([0.10, 0.26, 0.36]) * weave[dress, None]
    tint[pearl], gloss[pearl], sharp[pearl] = (0.86, 0.84, 0.80), 0.9, 90
    light = _flesh(p, normal, sees, open_)
    plain = hair | dress | eye | pearl
    key = np.clip(0.05 + 0.95 * (normal @ LIGHT), 0, 1) * sees
    flat = f32([1.34, 1.22, 1.05]) * key[:, None] + f32([0.20, 0.22, 0.26]) * open_[:, None]
    light = np.where(plain[:, None], flat, light)
    shine = gloss * grain * np.clip((normal * half).sum(1), 0, 1) ** sharp * sees
    rim = np.clip(1 + (normal * way).sum(1), 0, 1) ** 3 * np.clip(normal @ FILL, 0, 1) * open_ * 0.16
    return f32((tint * light + shine[:, None] + rim[:, None] * f32([0.8, 0.9, 1.0])).astype(np.float32))


def _wall(x: Field, y: Field) -> Field:
    glow = np.exp(-(((x - 0.52) / 0.36) ** 2) - ((y - 0.42) / 0.46) ** 2)
    cloud = fbm(x * 2.5, y * 2.5, 15, 5)
    return ramp(0.12 + 0.62 * glow * (x > -1) + 0.16 * cloud, ("#1c1d18", "#3a3a2c", "#6a6448", "#94875f"))


def _view(x: Field, y: Field) -> Field:
    c, s = f32(np.cos(TURN)), f32(np.sin(TURN))
    way = np.stack([(x - 0.375), (0.445 - y), np.full_like(x, -FOCAL)], 1)
    eye = f32([0.0, -0.25, FAR])
    tilt = f32(0.04)
    way = np.stack([way[:, 0] - tilt * way[:, 1], way[:, 1] + tilt * way[:, 0], way[:, 2]], 1)
    turned = f32([[c, 0, s], [0, 1, 0], [-s, 0, c]])  # the head stays, the eye walks round it
    way, eye = unit(way @ turned), eye @ turned
    safe = np.where(np.abs(way) < 1e-6, 1e-6, way)
    a, b = (f32([-1.6, -3.2, -1.6]) - eye) / safe, (f32([1.6, 1.3, 1.1]) - eye) / safe
    enter, leave = np.minimum(a, b).max(1), np.maximum(a, b).min(1)
    boxed = np.flatnonzero(enter < leave)
    origin = eye + way[boxed] * enter[boxed, None]
    t = march(touching, origin, way[boxed], 0.0, 4.2, 90)
    met = np.isfinite(t)
    out = _wall(x, y)
    hit = boxed[met]
    out[hit] = _shaded(origin[met] + way[hit] * t[met, None], way[hit])
    return np.clip(out, 0, 4) ** f32(0.85)


def face(size: int) -> Field:
    """(size, W, 3), three wide to four high."""
    return render(_view, size * 3 // 4, size, 0.045)
