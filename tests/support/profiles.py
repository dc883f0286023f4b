"""ICC profiles of a matrix and a curve, written byte by byte."""

import struct

import numpy as np
from numpy.typing import NDArray

# The chromaticities (x, y) of red, green and blue, all with daylight (D65) as white.
ADOBE_RGB = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
DISPLAY_P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
D65_XY = (0.3127, 0.3290)
D65_TO_D50 = np.array(  # Bradford; ICC profiles are written for D50
    [[1.0478112, 0.0228866, -0.0501270], [0.0295424, 0.9904844, -0.0170491], [-0.0092345, 0.0150436, 0.7521316]]
)
GAMMA_ADOBE = (2.19921875,)
CURVE_SRGB = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
XYZ_TAGS = (b"rXYZ", b"gXYZ", b"bXYZ")
TRC_TAGS = (b"rTRC", b"gTRC", b"bTRC")


def matrix_profile(primaries: tuple[tuple[float, float], ...], curve: tuple[float, ...]) -> bytes:
    """An ICC profile (version 4.2) of an RGB space with white D65 and one `curve` (ICC's parametric kinds 0, 3)."""
    columns = np.array([_xyz(xy) for xy in primaries]).T
    columns = D65_TO_D50 @ (columns * np.linalg.solve(columns, _xyz(D65_XY)))
    kind = 3 if len(curve) > 1 else 0
    trc = struct.pack(">4sIHH", b"para", 0, kind, 0) + b"".join(map(_fixed, curve))
    tags = [(name, b"XYZ \0\0\0\0" + b"".join(map(_fixed, columns[:, i]))) for i, name in enumerate(XYZ_TAGS)]
    tags += [(name, trc) for name in TRC_TAGS]
    white = b"".join(map(_fixed, (0.9642, 1.0, 0.8249)))
    tags.append((b"wtpt", b"XYZ \0\0\0\0" + white))
    offset = 128 + 4 + 12 * len(tags)
    table = struct.pack(">I", len(tags)) + b"".join(
        struct.pack(">4sII", name, offset + sum(len(data) for _, data in tags[:i]), len(tags[i][1]))
        for i, (name, _) in enumerate(tags)
    )
    body = table + b"".join(data for _, data in tags)
    head = struct.pack(">II4s4s4s4s", 128 + len(body), 0, b"\4\x20\0\0", b"mntr", b"RGB ", b"XYZ ")
    return (head + bytes(12) + b"acsp" + bytes(28) + white).ljust(128, b"\0") + body


def _xyz(xy: tuple[float, float]) -> NDArray[np.float64]:
    """CIE XYZ of chromaticity `xy` at luminance 1."""
    return np.array([xy[0] / xy[1], 1.0, (1 - xy[0] - xy[1]) / xy[1]])


def _fixed(value: float) -> bytes:
    """ICC's s15Fixed16Number."""
    return struct.pack(">i", round(value * 65536))
