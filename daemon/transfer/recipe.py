"""How to paint: the recipe, the presets, and which of VGG19's layers they need. Pure Python."""

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

from .errors import RecipeError
from .network.layers import LAYERS
from .recipe_check import LAYERS_OF, SETTINGS, as_pairs, problems_of, problems_of_the_algorithm

Start = Literal["content", "noise", "style"]
KeepColors = Literal["no", "luminance", "statistics"]
Precision = Literal["auto", "full"]
MOST_STYLE: Final = 6144  # px: no preset alone makes the long side of a style picture longer
BASE: Final = 512  # px, the long side of the painting that a recipe's `pyramid` and `scales` are chosen for


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that the algorithm needs to know besides the pictures.

    Loss = α·content_weight·L_content + β·style_weight·L_style + tv·smoothness·L_tv, written out in `losses.total`.
    Two words for two things: a `scale` is a size that is painted after a smaller size (steps.levels); the `pyramid`
    holds the sizes at which each evaluation sees the picture at once (pyramid.py).
    """

    preset: str
    style_layers: tuple[tuple[str, float], ...]  # (layer, weight w_l of the layer in L_style)
    content_layers: tuple[tuple[str, float], ...]  # likewise, in L_content
    pooling: Literal["average", "max"]
    border: Literal["zeros", "edge"]  # what a convolution sees beyond its input
    statistic: Literal["gram", "covariance"]  # covariance: centred Gram matrix, and the mean
    normalized: bool  # relative errors, so that the same α and β serve every set of weights
    alpha: float  # α, the content's weight
    beta: float  # β, the style's weight
    tv: float  # the weight of the total variation
    scales: tuple[tuple[float, int], ...]  # coarse to fine: (fraction of the full size, evaluations)
    history: int  # m, the curvature pairs that L-BFGS keeps
    pyramid: int = 1  # sizes that each evaluation sees at once, in a painting of BASE px; see pyramid.level_weights
    content_levels: tuple[float, ...] = (1.0,)  # the content's share at each of these sizes, the smallest first
    style_floor: float = 1.0  # the style's share at the photo's edges, 0 to 1; 1: as where it is smooth; see detail.py
    finest: float = 1.0  # the weight of the full size in each evaluation, over the weight of each smaller size
    finer: tuple[int, ...] = ()  # evaluations at each doubling of BASE; (): `scales` alone, whatever the size
    recolor: float | None = None  # the photo takes the style's colours first; the floor of colors.color_map
    achromatic: float = 0.0  # a black-and-white style is painted in luminance; `most` of colors.tint; 0: never
    grain: float = 0.0  # standard deviation of the noise on a start from the photo: gives flat areas strokes to begin
    style_size: float = 1.0  # the style picture's long side over the painting's, at a style_scale of 1; above 0
    margin: int = 0  # px by which the photo is continued on each side while it is painted
    matched: bool = False  # the first scale starts in the style's spectrum: fewer evaluations to the same loss
    eased: float = 0.0  # share of the full size's evaluations that minimise an eased loss first (style_loss.Ease)

    # What a user sets. The three weights multiply the preset's α, β and tv; each is at least 0.
    style_weight: float = 1.0
    content_weight: float = 1.0
    smoothness: float = 1.0  # no effect in the preset `tutorial`, which has no total variation
    style_scale: float = 1.0  # multiplies the preset's style_size; above 0
    seed: int = 0  # of the noise and the grain, 0 to 2⁶³ − 1
    start: Start = "content"
    keep_colors: KeepColors = "no"
    precision: Precision = "auto"  # auto: first in bfloat16 where the device computes in it; see steps.MOST_HALF

    def __post_init__(self) -> None:
        """Raises RecipeError, which names every field that cannot be."""
        settings = {name: getattr(self, name) for name in SETTINGS}
        # None: a network of the caller's may have other layers
        if problems := [*problems_of(settings, None), *problems_of_the_algorithm(self)]:
            raise RecipeError("; ".join(problems))

    def style_side(self, painting: int) -> int:
        """The long side in px to which the caller scales the style pictures, for a painting with this long side."""
        preset = min(self.style_size, max(1.0, MOST_STYLE / painting))
        return max(1, round(painting * preset * self.style_scale))


# Chosen by eye and in blind comparisons, among some 1,200 paintings of 40 pairs. A quarter of the size first lays in
# large shapes; content that counts more at the smaller sizes keeps faces and bridges whole under them. The style counts
# most in smooth places, so that a sky takes the style's stars and swirls, and a face its colours and no more. With half
# as much content, faces are smeared; where all places count alike, skies stay photos. The full size counts most in each
# evaluation, and the style is compared in two layers at full resolution, so that tiles and panes get closed, crisp
# edges. Average pooling draws these edges finer, but smooth places show a grid; with less total variation they do, too,
# and the deeper features of ImageNet leave specks. Gram matrices paint paler. Without grain, flat areas show rows of
# equal dots.
_FINE: Final = Recipe(
    preset="fine",
    style_layers=tuple((name, 0.25) for name in ("relu1_1", "relu1_2", "relu2_1", "relu3_1")),
    content_layers=(("relu2_1", 0.5), ("relu3_1", 0.5)),
    pooling="max",
    border="edge",
    statistic="covariance",
    normalized=True,
    alpha=12.0,
    beta=100.0,
    tv=30.0,
    scales=((0.25, 40), (0.5, 30), (1.0, 24)),
    history=20,
    pyramid=4,
    content_levels=(0.8, 0.4, 0.2, 0.2),
    style_floor=0.3,
    finest=6.0,
    finer=(12, 8),
    recolor=0.05,
    achromatic=0.04,
    grain=0.03,
    style_size=1.2,
    margin=8,
)
# With most evaluations at a quarter of the size, the strokes are laid in large, cheaply. What makes `fine` crisp needs
# more evaluations at the full size than two.
_DRAFT: Final = dataclasses.replace(
    _FINE,
    preset="draft",
    style_layers=tuple((name, 1 / 3) for name in ("relu1_1", "relu2_1", "relu3_1")),
    alpha=30.0,
    scales=((0.25, 24), (0.5, 14), (1.0, 2)),
    content_levels=(0.4, 0.2, 0.1, 0.2),
    style_floor=1.0,
    finest=1.0,
    finer=(2,),
    style_size=1.5,
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
    scales=((1.0, 300),),  # as in the tutorial: with a coarser scale first it was no quicker, measured at 256 px
    history=50,
    matched=True,
    eased=0.2,
)
# The paper's layers, pooling and Gram matrices. The rest was chosen by eye with features bred on ImageNet: from the
# photograph, with zeros at the border and β = 100, most of the photo stays unpainted, and the border shows.
_GATYS: Final = Recipe(
    preset="gatys",
    style_layers=tuple((f"relu{block}_1", 0.2) for block in range(1, 6)),
    content_layers=(("relu4_2", 1.0),),
    pooling="average",
    border="edge",  # the paper: zeros
    statistic="gram",
    normalized=True,  # the paper's α/β is for a rescaled VGG19; torchvision's is not rescaled
    alpha=1.0,
    beta=1000.0,
    tv=30.0,  # the paper: none
    scales=((0.25, 80), (0.5, 80), (1.0, 60)),  # the paper: the full size alone
    history=50,
    recolor=0.05,  # the paper starts from noise
    grain=0.03,
    margin=8,
)
PRESETS: Final[Mapping[str, Recipe]] = MappingProxyType(
    {
        "fine": _FINE,
        "tutorial": _TUTORIAL,
        "gatys": _GATYS,
        "draft": _DRAFT,
    }
)


def recipe(preset: str = "fine", **settings: Any) -> Recipe:
    """The preset of this name with a user's settings: the fields from `style_weight` on, `style_layers`,
    `content_layers` and `scales`. Layers may be a mapping. Scales hold for every size: the preset's `finer` is dropped.

    Raises RecipeError if the preset is unknown or a setting is unknown or out of range; the message names them all.
    """
    if preset not in PRESETS:
        raise RecipeError(f"preset: {preset!r} is not one of {', '.join(PRESETS)}")
    settings |= {name: as_pairs(settings[name]) for name in (*LAYERS_OF, "scales") if name in settings}
    if problems := problems_of(settings):
        raise RecipeError("; ".join(problems))
    if "scales" in settings:
        settings["finer"] = ()
    return dataclasses.replace(PRESETS[preset], **settings)


def deepest_layer(recipe: Recipe) -> str:
    """The deepest of VGG19's layers that this recipe compares."""
    return max((name for name, _ in recipe.style_layers + recipe.content_layers), key=LAYERS.index)


def compared(recipe: Recipe) -> list[str]:
    """The layers that this recipe compares, each once."""
    return list(dict.fromkeys(name for name, _ in recipe.style_layers + recipe.content_layers))


def require(recipe: Recipe, deepest: str) -> None:
    """Raises RecipeError if this recipe needs a layer below `deepest`, at which the weights end, or none of VGG19's."""
    require_layers(recipe, LAYERS)
    wanted = deepest_layer(recipe)
    if LAYERS.index(wanted) > LAYERS.index(deepest):
        own = [name for name in LAYERS_OF if wanted in dict(getattr(recipe, name)) and _is_own(recipe, name)]
        setting, way_out = f"preset: {recipe.preset}", "set `preset: fine`"
        if own:
            setting, way_out = own[0], f"name layers in {own[0]} that come before"
        raise RecipeError(
            f"{setting} needs layer {wanted}, but these weights end at {deepest}. "
            f"Run `styled weights` and set `weights: imagenet`, or {way_out}."
        )


def require_layers(recipe: Recipe, layers: Collection[str]) -> None:
    """Raises RecipeError if this recipe names a layer that is not one of a network's `layers`."""
    if problems := problems_of({name: getattr(recipe, name) for name in LAYERS_OF}, layers):
        raise RecipeError("; ".join(problems))


def _is_own(recipe: Recipe, name: str) -> bool:
    """Whether the user, and not the preset, set this field."""
    return bool(getattr(recipe, name) != getattr(PRESETS.get(recipe.preset), name, None))
