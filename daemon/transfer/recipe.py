"""What to paint and how: the recipe, its presets, and which of VGG19's layers they need. Pure Python."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

Start = Literal["content", "noise", "style"]
KeepColors = Literal["no", "luminance", "statistics"]

# The layers of torchvision's `vgg19().features` by the paper's names: LAYERS.index(name) is N of `features.N`.
LAYERS: Final[tuple[str, ...]] = tuple(
    name
    for block, convolutions in enumerate((2, 2, 4, 4, 4), start=1)
    for name in (
        *(f"{kind}{block}_{i}" for i in range(1, convolutions + 1) for kind in ("conv", "relu")),
        f"pool{block}",
    )
)
COARSEST: Final = 32  # px, the short side below which a coarse level has too little to say and is left out
RUNGS: Final = 16  # steps of √2 below the full size: beyond 8192 px the coarsest is above COARSEST
CHOICES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"start": ("content", "noise", "style"), "keep_colors": ("no", "luminance", "statistics")}
)


class RecipeError(ValueError):
    """This recipe cannot work with these weights or pictures; the message names the way out."""


class DeviceError(RuntimeError):
    """The device that was asked for is not there; the message names those that are."""


class TooLargeError(RuntimeError):
    """The picture does not fit into the device's memory, not even in the smallest tiles."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that the algorithm needs to know besides the pictures.

    Loss = α·content_weight·(L_content + contours·L_contours) + β·style_weight·(L_style + palette·L_palette)
    + tv·smoothness·L_tv.
    """

    preset: str
    style_layers: tuple[tuple[str, float], ...]  # (layer, its weight w_l in L_style)
    content_layers: tuple[tuple[str, float], ...]
    pooling: Literal["average", "max"]
    border: Literal["zeros", "edge"]  # what a convolution sees beyond its input
    statistic: Literal["gram", "covariance"]  # covariance: centred Gram matrix and mean
    normalized: bool  # relative errors, so that one balance serves every set of weights
    alpha: float  # α, the content's weight
    beta: float  # β, the style's weight
    tv: float  # total variation
    palette: float  # the style's share for the mean and covariance of its colours
    contours: float  # the content's share for its edges, as an eye sees them that sees the picture whole; beyond 512 px
    #                  it falls with the pixels and sees less, so that strokes stay as strong as in a smaller painting
    chroma: float  # the network sees that of a style of faint colours, and of all beside it, stretched; at most so much
    scales: tuple[tuple[float, int], ...]  # coarse to fine: (fraction of the full size, evaluations)
    history: int  # m, the curvature pairs that L-BFGS keeps
    matched: bool = False  # the first scale starts in the style's spectrum: fewer evaluations to the same loss
    eased: float = 0.0  # share of the full size's evaluations that go to an eased loss first (losses.eased): fewer, too

    # What a user sets. The weights multiply the preset's own balance, 0 or more.
    style_weight: float = 1.0
    content_weight: float = 1.0
    smoothness: float = 1.0  # of no effect where the preset has no total variation: tutorial
    style_scale: float = 1.0  # size of the style picture before it comes here; nothing in transfer/ reads it
    seed: int = 0  # of the noise
    start: Start = "content"
    keep_colors: KeepColors = "no"


class Level(NamedTuple):
    """One scale of a painting: its share of the full size, its shape in pixels, its evaluations."""

    fraction: float
    height: int
    width: int
    evaluations: int
    eased: bool = False  # see Recipe


@dataclass(frozen=True, slots=True)
class Stretch:
    """So many evaluations in a row, at one scale (from 1) and computed in one way; all of them decide the bits."""

    scale: int
    side: int | None  # px of a tile; None: the whole picture at once
    keep: bool  # the photo's features; else they were computed anew in each evaluation
    history: int  # curvature pairs; 0: an optimiser that needs none
    evaluations: int


class Memory(NamedTuple):
    """Of a device: bytes that this process holds of it, and that are free; None where it cannot tell."""

    device: str
    used: int
    free: int | None


class Step(NamedTuple):
    """One evaluation of the loss, as `on_step` gets it: the step-th (from 1) of `steps` in all."""

    step: int
    steps: int
    loss: float  # of the best picture so far at this scale; scales differ, so it may rise from one to the next
    scale: int  # from 1, coarse to fine
    scales: int
    done: float = 0.0  # share of the painting's work, counted in pixels, 0 to 1: what a bar or a clock should use
    memory: Memory | None = None
    stretches: tuple[Stretch, ...] = ()  # all evaluations so far, oldest first
    terms: tuple[tuple[str, float], ...] = ()  # with the last step: what the loss is the sum of, by name


_FINE_LAYERS: Final = ("relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1")


def _ladder(evaluations: int, last: int) -> tuple[tuple[float, int], ...]:
    """Scales by √2 from the coarsest that any picture has to the full size, which gets `last`."""
    return (*((2 ** (-rung / 2), evaluations) for rung in range(RUNGS, 0, -1)), (1.0, last))


# An average over the last ten iterates was tried: on six pairs at 256 px 0.5 % less style distance, 0.3 % more loss and
# nothing to be seen, for another picture's memory. L-BFGS's last steps are that small.
_FINE: Final = Recipe(
    preset="fine",
    style_layers=tuple((name, 1 / len(_FINE_LAYERS)) for name in _FINE_LAYERS),
    content_layers=(("relu2_2", 1.0),),
    pooling="average",
    border="edge",
    statistic="covariance",
    normalized=True,
    alpha=0.1,
    beta=15.0,
    tv=1.0,
    palette=0.5,
    contours=0.75,
    chroma=2.5,
    scales=_ladder(40, 40),
    history=20,
)
_TUTORIAL: Final = Recipe(
    preset="tutorial",
    style_layers=tuple((name, 1.0) for name in ("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1")),
    content_layers=(("conv2_2", 1.0),),
    pooling="max",
    border="zeros",
    statistic="gram",
    normalized=False,
    alpha=1.0,
    beta=1e6,  # the tutorial's 1000 multiplies both Gram matrices, and the loss squares their difference
    tv=0.0,
    palette=0.0,
    contours=0.0,
    chroma=1.0,
    scales=((1.0, 300),),  # as the tutorial: a coarser scale first was no quicker, measured at 256 px
    history=50,
    matched=True,
    eased=0.2,
)
_GATYS: Final = Recipe(
    preset="gatys",
    style_layers=tuple((f"relu{block}_1", 0.2) for block in range(1, 6)),
    content_layers=(("relu4_2", 1.0),),
    pooling="average",
    border="zeros",
    statistic="gram",
    normalized=True,  # the paper's α/β belongs to its own rescaled VGG19, which torchvision's is not
    alpha=1.0,
    beta=100.0,
    tv=1.0,
    palette=0.0,
    contours=0.0,
    chroma=1.0,
    scales=((0.5, 100), (1.0, 200)),
    history=50,
)
PRESETS: Final[Mapping[str, Recipe]] = MappingProxyType(
    {
        "fine": _FINE,
        "tutorial": _TUTORIAL,
        "gatys": _GATYS,
        "draft": dataclasses.replace(_FINE, preset="draft", scales=_ladder(16, 10)),
    }
)


def recipe(preset: str = "fine", **settings: Any) -> Recipe:
    """The preset with a user's settings; RecipeError names each one that is unknown or out of range."""
    if preset not in PRESETS:
        raise RecipeError(f"preset: {preset!r} is not one of {', '.join(PRESETS)}")
    problems = [problem for name, value in settings.items() if (problem := _problem(name, value))]
    if problems:
        raise RecipeError("; ".join(problems))
    return dataclasses.replace(PRESETS[preset], **settings)


def _problem(name: str, value: Any) -> str | None:
    """What is wrong with one setting, if anything."""
    if name in CHOICES:
        choices = CHOICES[name]
        return None if value in choices else f"{name}: {value!r} is not one of {', '.join(choices)}"
    if name == "seed":
        whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
        return None if whole else f"seed: {value!r} is not a whole number from 0 to 2⁶³ − 1"
    if name not in ("style_weight", "content_weight", "smoothness", "style_scale"):
        return f"{name}: no such setting"
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not number or value < 0 or (name == "style_scale" and value == 0):
        return f"{name}: {value!r} is not a number {'above' if name == 'style_scale' else 'of at least'} 0"
    return None


def deepest_layer(recipe: Recipe) -> str:
    """The deepest layer that this recipe looks at."""
    return max((name for name, _ in recipe.style_layers + recipe.content_layers), key=LAYERS.index)


def counted(plan: Sequence[Level], scale: int, evaluation: int, loss: float) -> Step:
    """The step that evaluation number `evaluation` (from 1) at plan[scale] is."""
    work = [level.evaluations * level.height * level.width for level in plan]
    here = work[scale] * evaluation / plan[scale].evaluations
    return Step(
        step=sum(level.evaluations for level in plan[:scale]) + evaluation,
        steps=sum(level.evaluations for level in plan),
        loss=loss,
        scale=scale + 1,
        scales=len(plan),
        done=(sum(work[:scale]) + here) / sum(work),
    )


def require(recipe: Recipe, deepest: str) -> None:
    """RecipeError unless weights that end after layer `deepest` are deep enough for this recipe."""
    wanted = deepest_layer(recipe)
    if LAYERS.index(wanted) > LAYERS.index(deepest):
        raise RecipeError(
            f"preset: {recipe.preset} needs layer {wanted}, but these weights end at {deepest}. "
            "Run `styled weights` and set `weights: imagenet`, or set `preset: fine`."
        )


def smallest_side(layer: str) -> int:
    """px, the shortest side of a picture that has a pixel left in this layer, and in the palette's 1/8."""
    pools: int = sum(name.startswith("pool") for name in LAYERS[: LAYERS.index(layer) + 1])
    return max(8, 1 << pools)


def levels(recipe: Recipe, height: int, width: int) -> tuple[Level, ...]:
    """The scales at which a picture of this shape is painted, coarse to fine; the last is the full size.

    A scale that would be too small is left out, and its evaluations, counted in pixels, go to the full size.
    """
    kept: list[Level] = []
    spare = 0.0
    for fraction, evaluations in recipe.scales[:-1]:
        h, w = round(height * fraction), round(width * fraction)
        if min(h, w) < COARSEST:
            spare += evaluations * fraction**2
        else:
            kept.append(Level(fraction, h, w, evaluations))
    fraction, evaluations = recipe.scales[-1]
    evaluations += round(spare)
    if eased := round(evaluations * recipe.eased):
        kept.append(Level(fraction, height, width, eased, eased=True))
    return (*kept, Level(fraction, height, width, evaluations - eased))
