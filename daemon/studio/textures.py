"""Thousands of textures, drawn by code, which the embedded weights learn to distinguish.

Each function draws a texture (SIDE, SIDE, 3) in [0, 1] from a random generator, a different texture at each call: brush
strokes, dead leaves, noise of every slope, gratings, ridges, cells, dots, bricks, scribbles, flow.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw

from daemon.studio.brush import pixels, trace
from daemon.studio.fields import Field, f32

SIDE = 160  # px
TWICE = 2 * SIDE  # what is drawn with lines and shapes is drawn at twice the size, for smooth edges
Rng = np.random.Generator
Draw = ImageDraw.ImageDraw


def texture(rng: Rng) -> Field:
    """One texture of any kind; a quarter are two in one, through a soft mask, a fifth are grainy."""
    drawn = _one(rng)
    if rng.random() < 0.25:
        soft = float(rng.uniform(2, 20))
        mask = 1 / (1 + np.exp(-np.clip(soft * (spectral(rng, 2.0) + 0.3 * rng.standard_normal()), -40, 40)))
        drawn = drawn * mask[..., None] + _one(rng) * (1 - mask[..., None])
    if rng.random() < 0.2:
        drawn = drawn * (1 + rng.uniform(0.05, 0.2) * spectral(rng, float(rng.uniform(0, 1))))[..., None]
    return f32(np.clip(drawn, 0, 1))


def _one(rng: Rng) -> Field:
    kinds, shares = zip(*KINDS, strict=True)
    draw: Callable[[Rng], Field] = kinds[rng.choice(len(kinds), p=np.array(shares) / sum(shares))]
    return f32(np.clip(draw(rng), 0, 1))


def colours(rng: Rng, count: int) -> Field:
    """(count, 3): at random, or of neighbouring hues from dark to light, shuffled."""
    if rng.random() < 0.25:
        return f32(rng.random((count, 3)))
    hue, spread = rng.random(), rng.choice([0.05, 0.15, 0.5])
    values = np.clip(np.linspace(0.1, 1, count) * rng.uniform(0.7, 1) + rng.normal(0, 0.05, count), 0, 1)
    saturations = np.clip(1.2 * rng.beta(2, 2, count), 0, 1)
    hues = (hue + spread * rng.standard_normal(count)) % 1
    found = [colorsys.hsv_to_rgb(*each) for each in zip(hues, saturations, values, strict=True)]
    return f32(rng.permutation(np.array(found)))


def spectral(rng: Rng, slope: float, even: bool = False) -> Field:
    """(SIDE, SIDE) noise of variance 1 whose amplitude falls as frequency^-slope, or sits in one octave.

    Half of it runs in a direction, unless `even`.
    """
    v, u = np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE)[None]
    turn, stretch = rng.uniform(0, np.pi), 1.0 if even or rng.random() < 0.5 else 2 ** rng.uniform(0.3, 2.2)
    along, across = u * np.cos(turn) + v * np.sin(turn), stretch * (v * np.cos(turn) - u * np.sin(turn))
    frequency = np.hypot(along, across)
    frequency[0, 0] = 1
    amplitude = frequency**-slope
    if not even and rng.random() < 0.3:
        amplitude = np.exp(-((np.log2(frequency) - rng.uniform(-5, -2)) ** 2) / 0.18)
    amplitude[0, 0] = 0
    noise = np.fft.ifft2(np.fft.fft2(rng.standard_normal((SIDE, SIDE))) * amplitude).real
    return f32(noise / (noise.std() + 1e-9))


def bent(rng: Rng, amounts: Sequence[float] = (0, 4, 10, 20)) -> tuple[Field, Field]:
    """x and y of every pixel, on a plane that is bent by some of `amounts` px."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    amount = float(rng.choice(amounts))
    return x + amount * spectral(rng, 2, even=True), y + amount * spectral(rng, 2, even=True)


def tinted(rng: Rng, values: Field) -> Field:
    """Numbers as colours of a palette: by rank or by value, blended or with hard steps."""
    names = colours(rng, int(rng.integers(2, 6)))
    if rng.random() < 0.5:
        t = values.ravel().argsort().argsort().reshape(values.shape) / values.size
    else:
        t = (values - values.min()) / (np.ptp(values) + 1e-9)
    t = t * (len(names) - 1)
    low = np.clip(np.floor(t), 0, len(names) - 2).astype(int)
    share = t - low
    if rng.random() < 0.4:
        share = np.clip((share - 0.5) * rng.uniform(3, 10) + 0.5, 0, 1)
    return f32(names[low] * (1 - share[..., None]) + names[low + 1] * share[..., None])


def drawing(rng: Rng, count: int, shape: Callable[[Draw, int, tuple[int, ...]], None]) -> Field:
    """`count` shapes one above the other, each in a colour of one palette; `shape` draws at twice the size."""
    names = colours(rng, int(rng.integers(2, 7)))
    image = Image.new("RGB", (TWICE, TWICE), _ink(names[0]))
    draw = ImageDraw.Draw(image)
    for number in range(count):
        shape(draw, number, _ink(names[rng.integers(len(names))] + rng.normal(0, 0.04, 3)))
    return pixels(image.resize((SIDE, SIDE), Image.Resampling.BOX))


def _ink(tint: Field) -> tuple[int, ...]:
    return tuple(int(255 * v) for v in np.clip(tint, 0, 1))


def clouds(rng: Rng) -> Field:
    if rng.random() < 0.5:
        return tinted(rng, spectral(rng, float(rng.uniform(0.4, 2.2))))
    mixed = rng.normal(size=(3, 3)) * rng.uniform(0.05, 0.25)
    channels = np.stack([spectral(rng, float(rng.uniform(0.4, 2.2))) for _ in range(3)], -1)
    return f32(0.25 + 0.5 * colours(rng, 1)[0] + channels @ mixed)


def gratings(rng: Rng) -> Field:
    x, y = bent(rng)
    total = np.zeros_like(x)
    for _ in range(rng.integers(1, 3)):
        turn, length = rng.uniform(0, np.pi), 2 ** rng.uniform(1.7, 5)
        wave = np.sin(2 * np.pi * ((x * np.cos(turn) + y * np.sin(turn)) / length + rng.random()))
        total += np.sign(wave) if rng.random() < 0.3 else wave
    return tinted(rng, f32(total + rng.choice([0, 0.2]) * spectral(rng, 1)))


def ridges(rng: Rng) -> Field:
    noise = spectral(rng, float(rng.uniform(1, 2.2)))
    return tinted(rng, np.abs(noise) if rng.random() < 0.3 else np.sin(rng.uniform(1, 6) * noise))


def cells(rng: Rng) -> Field:
    """Voronoi's, some stretched: by distance, by border, filled, or filled with dark borders."""
    x, y = bent(rng, (0, 2, 5))
    count = int(2 ** rng.uniform(4, 8.5))
    points = rng.uniform(-20, SIDE + 20, (count, 2)).astype(np.float32)
    stretch = 2 ** rng.uniform(0, 1.5) if rng.random() < 0.4 else 1.0
    nearest, second = np.full(x.shape, np.inf, np.float32), np.full(x.shape, np.inf, np.float32)
    label = np.zeros(x.shape, int)
    for number, (px, py) in enumerate(points):
        d = (x - px) ** 2 + (stretch * (y - py)) ** 2
        closer = d < nearest
        second = np.where(closer, nearest, np.minimum(second, d))
        nearest, label = np.where(closer, d, nearest), np.where(closer, number, label)
    near, border = np.sqrt(nearest), np.sqrt(second) - np.sqrt(nearest)
    look = rng.integers(4)
    if look < 2:
        return tinted(rng, near if look == 0 else border)
    filled = colours(rng, 12)[label % 12]
    return filled if look == 2 else f32(filled * np.clip(border / rng.uniform(1, 3), 0, 1)[..., None])


def strokes(rng: Rng) -> Field:
    """Brush strokes or hatching: straight, along bent fields, around centres, or this way and that."""
    angle = _angles(rng)
    length, n = 2 ** rng.uniform(2, 5.5), 6
    width = min(2 ** rng.uniform(0, 3.2), 0.7 * length)
    count = int(min(SIDE * SIDE * rng.uniform(1, 3) / (length * width + 4), 2500))
    starts = rng.uniform(-5, SIDE + 5, (count, 2)).astype(np.float32)
    paths = trace(angle, starts, n, length / n) * 2
    names, ordered = colours(rng, int(rng.integers(3, 7))), rng.random() < 0.6
    tone = spectral(rng, 2, even=True).ravel().argsort().argsort().reshape(SIDE, SIDE) / (SIDE * SIDE)
    image = Image.new("RGB", (TWICE, TWICE), _ink(names[0]))
    draw = ImageDraw.Draw(image)
    at = np.clip(starts, 0, SIDE - 1).astype(int)
    for path, (j, i) in zip(paths, at, strict=True):
        share = (tone[i, j] if ordered else rng.random()) * len(names) + rng.normal(0, 0.4)
        tint = names[int(np.clip(share, 0, len(names) - 1))] + rng.normal(0, 0.06, 3)
        thick = max(round(2 * width * rng.uniform(0.6, 1.3)), 1)
        draw.line(path.ravel().tolist(), _ink(tint), thick, joint="curve")
    return pixels(image.resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def _angles(rng: Rng) -> Field:
    """(SIDE, SIDE) radians."""
    look = rng.integers(4)
    if look == 0:
        return f32(rng.uniform(0, 2 * np.pi) + rng.choice([0, 0.2]) * spectral(rng, 2, even=True))
    if look == 1:
        return f32(np.pi * spectral(rng, float(rng.uniform(1.8, 3)), even=True))
    if look == 2:
        y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
        flow = np.zeros((2, SIDE, SIDE))
        for cx, cy in rng.uniform(0, SIDE, (rng.integers(1, 4), 2)):
            dx, dy = x - cx, y - cy
            pull = rng.choice([-1, 1]) * np.exp(-(dx**2 + dy**2) / (2 * rng.uniform(30, 80) ** 2))
            inward, radius = rng.uniform(-0.4, 0.4), np.hypot(dx, dy) + 1
            flow += pull * np.stack([inward * dx - dy, dx + inward * dy]) / radius
        return f32(np.arctan2(flow[1], flow[0]))
    return f32(rng.choice([0, np.pi / 4, np.pi / 2]) + rng.normal(0, rng.choice([0.1, 0.5, 3]), (SIDE, SIDE)))


def leaves(rng: Rng) -> Field:
    """Dead leaves: shapes of every size that cover each other, as edges do in photographs."""
    least, kind = 2 ** rng.uniform(0.5, 2.5), rng.integers(4)

    def leaf(draw: Draw, _: int, ink: tuple[int, ...]) -> None:
        size = 2 * min(least * rng.random() ** -0.6, 60)
        centre = rng.uniform(-20, TWICE + 20, 2)
        which = kind if kind < 3 else rng.integers(3)
        if which == 0:
            draw.ellipse([*(centre - size), *(centre + size)], ink)
            return
        if which == 1:
            turn, narrow = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 1)
            corners = np.array([(1, narrow), (1, -narrow), (-1, -narrow), (-1, narrow)])
            corners = corners @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        else:
            turns = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 7)))
            corners = np.stack([np.cos(turns), np.sin(turns)], 1)
        draw.polygon((centre + size * corners).ravel().tolist(), ink)

    drawn = drawing(rng, int(min(SIDE * SIDE / (2 * least * least), 2500)), leaf)
    return f32(drawn * (0.6 + 0.4 * np.clip(spectral(rng, 2), -1, 1))[..., None]) if rng.random() < 0.3 else drawn


def dots(rng: Rng) -> Field:
    """A grid of spots, squares or rings, straight or shaken."""
    pitch = 2 * 2 ** rng.uniform(2, 5)
    shaken, size, turn = rng.choice([0, 0.1, 0.4]) * pitch, pitch * rng.uniform(0.15, 0.5), rng.uniform(0, 1.5)
    steps = np.arange(-TWICE, TWICE, pitch)
    grid = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
    grid = grid @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + SIDE
    grid = grid[(np.abs(grid - SIDE) < SIDE + pitch).all(1)] + rng.uniform(0, pitch, 2)
    ring, square = rng.random() < 0.3, rng.random() < 0.3

    def dot(draw: Draw, number: int, ink: tuple[int, ...]) -> None:
        centre = grid[number] + shaken * rng.standard_normal(2)
        box = [*(centre - size), *(centre + size)]
        paint = draw.rectangle if square else draw.ellipse
        if ring:
            paint(box, outline=ink, width=max(int(size / 3), 1))
        else:
            paint(box, ink)

    return drawing(rng, len(grid), dot)


def bricks(rng: Rng) -> Field:
    height = 2 ** rng.uniform(2, 4.5)
    width = height * rng.uniform(1, 3)
    x, y = bent(rng, (0, 0, 3))
    turn = rng.choice([0, 0, np.pi / 2, rng.uniform(0, np.pi)])
    u, v = (x * np.cos(turn) + y * np.sin(turn)) / width, (y * np.cos(turn) - x * np.sin(turn)) / height
    row = np.floor(v)
    u = u + row * rng.choice([0, 0.5])
    names, joint = colours(rng, 6), rng.uniform(0.03, 0.15)
    wall = names[((row * 31 + np.floor(u) * 17) * rng.integers(1, 5)).astype(int) % 5]
    mortar = ((u - np.floor(u)) * width < joint * height) | (v - row < joint)
    return f32(np.where(mortar[..., None], names[5], wall) + rng.choice([0, 0.06]) * spectral(rng, 1)[..., None])


def scribbles(rng: Rng) -> Field:
    """Wandering lines, like handwriting or threads."""
    width, bend, steps = int(rng.integers(1, 6)), rng.uniform(0.05, 0.8), int(rng.integers(3, 30))
    pace = 2 * rng.uniform(2, 8)

    def line(draw: Draw, _: int, ink: tuple[int, ...]) -> None:
        turns = rng.uniform(0, 2 * np.pi) + np.cumsum(bend * rng.standard_normal(steps))
        path = rng.uniform(0, TWICE, 2) + np.cumsum(pace * np.stack([np.cos(turns), np.sin(turns)], 1), 0)
        draw.line(path.ravel().tolist(), ink, width)

    return drawing(rng, int(rng.integers(40, 400)), line)


def flow(rng: Rng) -> Field:
    """Line integral convolution: white noise smeared along a field."""
    noise = rng.random((SIDE, SIDE)).astype(np.float32)
    angle = f32(np.pi * spectral(rng, float(rng.uniform(2, 3)), even=True))
    starts = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), -1).reshape(-1, 2)
    paths = np.clip(trace(angle, f32(starts), int(rng.integers(8, 40)), 1.0), 0, SIDE - 1).astype(int)
    return tinted(rng, f32(noise[paths[..., 1], paths[..., 0]].mean(1).reshape(SIDE, SIDE)))


KINDS = (
    (strokes, 24),
    (leaves, 14),
    (clouds, 10),
    (gratings, 10),
    (cells, 10),
    (ridges, 8),
    (scribbles, 7),
    (dots, 6),
    (bricks, 6),
    (flow, 5),
)
