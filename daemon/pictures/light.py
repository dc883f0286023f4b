"""Numbers of a named space → light → sRGB."""

from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daemon.pictures.spaces import BT709, Chromaticities, Curve, Space

Floats = NDArray[np.float32]
Matrix = NDArray[np.float64]

BAND = 256  # rows at a time, so that memory never holds a large picture twice
WHITE = 203.0  # cd/m², the white of a picture in HDR (ITU-R BT.2408, table 1); it becomes the white of sRGB
HLG_PEAK, HLG_GAMMA = 1000.0, 1.2  # cd/m² of the display that HLG is shown on (BT.2100, table 5)
LUMINANCE = np.array([0.2627, 0.6780, 0.0593], np.float32)  # of BT.2020's red, green and blue
M1, M2 = 2610 / 16384, 2523 / 32  # SMPTE ST 2084, BT.2100 table 4
C1, C2, C3 = 3424 / 4096, 2413 / 128, 2392 / 128
HLG_A, HLG_B, HLG_C = 0.17883277, 0.28466892, 0.55991073  # BT.2100, table 5
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def render(pixels: Floats, space: Space) -> Floats:
    """Numbers (H, W, 3) of `space`, around [0, 1] → sRGB in [0, 1], in the same array. `space` has no profile.

    HDR (PQ and HLG) is mapped to the range of a display by the curve of BT.2390 (5.4.1, EETF), from the picture's own
    brightest light to WHITE: what is darker than half of WHITE stays as it is.
    """
    is_hdr = space.curve in ("pq", "hlg")
    peak = 0.0
    for rows in _bands(pixels):
        rows[...] = light(_full_range(rows) if space.narrow else rows, space.curve)
        peak = max(peak, float(rows.max()))
    to_srgb = np.asarray(between(space.primaries, BT709), np.float32)
    for rows in _bands(pixels):
        if is_hdr and peak > 1:
            brightest = rows.max(axis=2, keepdims=True)
            rows *= _toned(brightest, peak) / np.maximum(brightest, 1e-6)
        rows[...] = encoded((rows @ to_srgb.T) if space.primaries != BT709 else rows)
    return pixels


def _bands(pixels: Floats) -> list[Floats]:
    return [pixels[top : top + BAND] for top in range(0, len(pixels), BAND)]


def _full_range(rows: Floats) -> Floats:
    full: Floats = np.clip((rows * 255 - 16) / np.float32(219), 0, 1)
    return full


def light(values: Floats, curve: Curve) -> Floats:
    """Numbers (…, 3) → linear light, of which 1 is white; HDR goes above 1. Only light itself may be above 1 before."""
    if curve == 1:
        return np.maximum(values, 0)
    found = _looked_up(values, _table(curve))
    if curve == "hlg":  # BT.2100, table 5: the OOTF
        luminance = np.maximum(found @ LUMINANCE, 1e-6)[..., None]
        found *= np.float32(HLG_PEAK / WHITE) * luminance ** np.float32(HLG_GAMMA - 1)
    return found


def encoded(values: Floats) -> Floats:
    """Linear light → sRGB, clipped to [0, 1]."""
    return _looked_up(values, _srgb_table())


def _looked_up(values: Floats, table: Floats) -> Floats:
    """Each value in [0, 1] through a table of 65,536 steps, which holds each number of 8 and of 16 bits."""
    steps = np.rint(np.clip(values, 0, 1) * np.float32(len(table) - 1)).astype(np.uint16)
    found: Floats = np.take(table, steps)
    return found


@lru_cache(8)
def _table(curve: Curve) -> Floats:
    v = np.linspace(0, 1, 1 << 16)
    found: NDArray[np.float64]
    if curve == "srgb":  # IEC 61966-2-1
        found = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    elif curve == "pq":
        found = _pq_light(v) / WHITE
    elif curve == "hlg":  # BT.2100, table 5: the inverse OETF
        found = np.where(v <= 0.5, v**2 / 3, (np.exp((v - HLG_C) / HLG_A) + HLG_B) / 12)
    else:
        found = v**curve
    return found.astype(np.float32)


@cache
def _srgb_table() -> Floats:
    v = np.linspace(0, 1, 1 << 16)
    return np.where(v <= 0.0031308, 12.92 * v, 1.055 * v ** (1 / 2.4) - 0.055).astype(np.float32)


def _pq_light(numbers: Any) -> Any:
    """cd/m² of PQ's numbers."""
    root = numbers ** (1 / M2)
    return 10_000 * (np.maximum(root - C1, 0) / (C2 - C3 * root)) ** (1 / M1)


def _pq_number(nits: Any) -> Any:
    power = (nits / 10_000) ** M1
    return ((C1 + C2 * power) / (1 + C3 * power)) ** M2


def _toned(brightest: Floats, peak: float) -> Floats:
    """Light 0 … `peak` → 0 … 1, in units of WHITE (BT.2390, 5.4.1, with a black of 0)."""
    top, white = float(_pq_number(peak * WHITE)), float(_pq_number(WHITE))
    e1 = _pq_number(brightest * WHITE) / top
    most = white / top
    knee = 1.5 * most - 0.5
    t = np.maximum((e1 - knee) / (1 - knee), 0)
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * most
    return np.where(e1 < knee, brightest, _pq_light(np.minimum(spline * top, 1)) / WHITE).astype(np.float32)


def between(source: Chromaticities, target: Chromaticities) -> Matrix:
    """(3, 3): linear RGB of `source` → linear RGB of `target`, white to white (Bradford)."""
    adapt = np.diag((BRADFORD @ _xyz(target[3])) / (BRADFORD @ _xyz(source[3])))
    matrix: Matrix = np.linalg.inv(_to_xyz(target)) @ np.linalg.inv(BRADFORD) @ adapt @ BRADFORD @ _to_xyz(source)
    return matrix


def _to_xyz(primaries: Chromaticities) -> Matrix:
    columns = np.array([_xyz(xy) for xy in primaries[:3]]).T
    return columns * np.linalg.solve(columns, _xyz(primaries[3]))


def _xyz(xy: tuple[float, float]) -> Matrix:
    """CIE XYZ of chromaticity `xy` at luminance 1."""
    return np.array([xy[0] / xy[1], 1.0, (1 - xy[0] - xy[1]) / xy[1]])
