"""Loaded brushes: strokes of many bristles that leave colour and relief, then light across the relief."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from daemon.studio.fields import Field, Labels, blur, f32


def pixels(image: Image.Image) -> Field:
    """A Pillow picture as (H, W[, C]) in [0, 1]."""
    return np.asarray(image, np.float32) / f32(255)


def picture(field: Field) -> Image.Image:
    """(H, W, 3) or (H, W) in [0, 1] as a Pillow picture."""
    return Image.fromarray((np.clip(field, 0, 1) * 255 + 0.5).astype(np.uint8))


def resized(field: Field, width: int, height: int) -> Field:
    """(H, W, 3) scaled with Lanczos' filter."""
    return pixels(picture(field).resize((width, height), Image.Resampling.LANCZOS))


def trace(angle: Field, starts: Field, steps: int, pace: float) -> Field:
    """Paths (n, steps, 2) in px that run along `angle` (H, W, radians), centred on `starts` (n, 2) as x, y."""
    height, width = angle.shape
    cos, sin = np.cos(angle), np.sin(angle)

    def step(at: Field, look: Field, pace: float) -> Field:
        i, j = np.clip(look[:, 1].astype(int), 0, height - 1), np.clip(look[:, 0].astype(int), 0, width - 1)
        return f32(at + f32(pace) * np.stack([cos[i, j], sin[i, j]], 1))

    def march(pace: float, count: int) -> list[Field]:
        at, path = f32(starts), []
        for _ in range(count):
            at = step(at, step(at, at, pace / 2), pace)  # midpoint rule
            path.append(at)
        return path

    back = march(-pace, steps // 2)
    return np.stack([*back[::-1], starts.astype(np.float32), *march(pace, steps - 1 - steps // 2)], 1)


def kept(paths: Field, regions: Labels) -> NDArray[np.int64]:
    """First and one-past-last step (n, 2) of each path's run in the region where its middle lies."""
    height, width = regions.shape
    i = np.clip(paths[..., 1].astype(int), 0, height - 1)
    j = np.clip(paths[..., 0].astype(int), 0, width - 1)
    middle = paths.shape[1] // 2
    same = regions[i, j] == regions[i[:, middle], j[:, middle]][:, None]
    after = np.cumprod(same[:, middle:], 1).sum(1)
    before = np.cumprod(same[:, middle::-1], 1).sum(1)
    return np.stack([middle - before + 1, middle + after], 1)


class Canvas:
    """Colour and relief of a painting in progress, `width` × `height` px."""

    def __init__(self, width: int, height: int, ground: Field, rng: np.random.Generator) -> None:
        self.image = picture(np.broadcast_to(ground, (height, width, 3)).astype(np.float32))
        self.relief = Image.new("L", (width, height), 96)
        self._paint, self._pile = ImageDraw.Draw(self.image), ImageDraw.Draw(self.relief)
        self._rng = rng

    def stroke(self, path: Field, width: float, tint: Field, bristles: int = 7, streak: float = 0.08) -> None:
        """One stroke along `path` (n, 2) px; each bristle its own shade (± streak), length and height."""
        if len(path) < 2:
            return
        rng, n = self._rng, len(path)
        along = np.gradient(path, axis=0)
        normal = np.stack([-along[:, 1], along[:, 0]], 1) / (np.hypot(along[:, 0], along[:, 1])[:, None] + 1e-6)
        taper = (np.sin(np.linspace(0.35, np.pi - 0.25, n)) ** 0.5)[:, None] * normal * width
        across = np.linspace(-0.5, 0.5, bristles)
        shades = 1 + streak * rng.standard_normal(bristles)
        shades += 0.5 * streak * rng.standard_normal() * across * 2
        trims = rng.integers(0, max(n // 4, 1), (bristles, 2))
        fat = max(round(width / bristles * 1.7), 1)
        order = rng.permutation(bristles)
        for k in order:
            first, last = trims[k, 0], n - trims[k, 1]
            line = (path[first:last] + across[k] * taper[first:last]).ravel().tolist()
            ink = np.clip(tint * shades[k] * 255, 0, 255).astype(int).tolist()
            pile = int(np.clip(110 + 60 * abs(across[k]) * 2 + 45 * rng.standard_normal(), 0, 255))
            self._paint.line(line, tuple(ink), fat)
            self._pile.line(line, pile, fat)

    def lit(self, depth: float = 0.5, soften: float = 1.0) -> Field:
        """The picture (H, W, 3) with light from the upper left across the relief."""
        relief = blur(pixels(self.relief), soften)
        gy, gx = np.gradient(relief)
        slope = np.clip(gx + gy, -0.16, 0.16)[..., None]
        base = pixels(self.image)
        shaded = base * (1 + depth * 4 * np.minimum(slope, 0) * 1.0) if depth else base
        gloss = np.maximum(slope, 0) * depth * 2.2
        return f32(np.clip(shaded + gloss * (0.35 + 0.65 * base), 0, 1).astype(np.float32))
