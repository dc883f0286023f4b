"""Small real pictures and a configuration that is quick to paint."""

import io

import numpy as np
from PIL import Image


def jpeg(width: int = 64, height: int = 48, seed: int = 0, kind: str = "JPEG") -> bytes:
    """A small picture with some structure: a gradient, a disc, a little noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    base = np.stack([x, y, 0.6 - 0.4 * x], -1)
    base[(x - 0.4) ** 2 + (y - 0.3) ** 2 < 0.03] = (0.9, 0.8, 0.2)
    pixels = np.clip(base + rng.normal(0, 0.05, base.shape), 0, 1)
    out = io.BytesIO()
    Image.fromarray((pixels * 255).astype(np.uint8)).save(out, kind)
    return out.getvalue()


CONFIG = """\
root: .
default_style: alpha
settle_seconds: 0.3
device: cpu
threads: 1
weights: embedded
recipe: {preset: draft, size: 48}
styles:
  alpha: {picture: alpha.png}
  beta: {picture: beta.png}
"""
