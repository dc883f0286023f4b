"""config.yaml as frozen, validated models: one line per setting, with its default and unit. values.py has the types."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from daemon.config import values
from daemon.config.pairs import Layers, Scales
from daemon.config.settings import Settings
from daemon.filenames import EVERY_STYLE
from daemon.text import quoted
from daemon.transfer.recipe import recipe

NEED_RESTART = ("root", "device", "cluster", "trust_network", "weights", "gallery", "metrics")


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _written(cls, data: Any) -> Any:
        """A setting without a value keeps its default, for example when all lines below its name are comments."""
        if data is not None and not isinstance(data, Mapping):
            raise ValueError(f"{quoted(data)} is not a group of settings; write name: value for each of its settings")
        return {name: value for name, value in (data or {}).items() if value is not None}


class RecipeSettings(_Group):
    """The settings of a recipe that the whole file, a style, a photo and the options of a command can have. None: the
    next wider place decides, and finally the preset."""

    preset: values.Preset | None = None
    size: values.Size | None = None  # px, the painting's long side
    style_weight: values.Times | None = None  # multiplies β, the style's share
    content_weight: values.Times | None = None  # multiplies α, the photo's share
    smoothness: values.Times | None = None  # multiplies the total variation's share
    style_scale: values.Scale | None = None  # multiplies the preset's size of the style picture; more: larger strokes
    seed: values.Seed | None = None  # of the noise and the grain
    start: values.Start | None = None
    keep_colors: values.KeepColors | None = None  # how the photo's colours are kept
    precision: values.Precision | None = None  # of the network's features


class WrittenRecipe(RecipeSettings):
    """RecipeSettings, and the settings that only a file can have."""

    style_layers: Layers | None = None  # of VGG19, by which the style is compared, with their weights
    content_layers: Layers | None = None  # likewise, the photo
    scales: Scales | None = None  # (share of the size, evaluations), coarse to fine


class Defaults(WrittenRecipe):
    """The recipe of every style. A setting that stays None is the preset's (see transfer/recipe.py)."""

    preset: values.Preset = "fine"
    size: values.Size = "auto"


class StylePicture(_Group):
    """A picture of a style that blends several pictures."""

    file: values.File
    weight: values.Share = 1.0  # relative to the weights of the other pictures


class Sidecar(WrittenRecipe):
    """The settings of one photo, and the styles that it is painted in instead of its folder's."""

    style: values.Names = ()


class Style(WrittenRecipe):
    """A style: `picture`, or several `pictures` that blend, and any recipe setting."""

    picture: values.File | None = None
    pictures: tuple[StylePicture, ...] | None = Field(None, min_length=1)

    @property
    def all_pictures(self) -> tuple[StylePicture, ...]:
        if self.picture is not None:
            return (StylePicture.model_construct(file=self.picture, weight=1.0),)
        return self.pictures or ()


class HookCommands(_Group):
    """The user's commands, each a list: the program, then its arguments."""

    on_delivered: values.Command = ()
    on_failed: values.Command = ()
    seconds: values.Seconds = 60.0  # s, after which a command is ended


class Output(_Group):
    """How a painting is written to its file."""

    format: values.Format = "keep"  # keep: JPEG stays JPEG, WebP stays WebP, every other format becomes PNG
    quality: values.Quality = 95  # of JPEG and WebP
    film: values.YesNo = False  # whether an animated WebP of the painting's way is written beside it
    location: values.YesNo = False  # whether the place where the photo was taken stays in the painting's EXIF


class GalleryPage(_Group):
    """outbox/index.html. `gallery: no` is short for {page: no}."""

    page: values.YesNo = True  # whether the daemon keeps the page up to date
    title: values.Title = "Paintings"  # above the paintings


def _gallery(value: object) -> object:
    return {"page": value} if isinstance(value, str) else value


def merged(*places: RecipeSettings) -> Settings:
    """`places` from the widest, which must set preset and size, to the narrowest; the narrowest wins."""
    chosen: dict[str, Any] = {}
    for place in places:
        chosen |= place.model_dump(include=set(WrittenRecipe.model_fields), exclude_none=True)
    preset, size = chosen.pop("preset"), chosen.pop("size")
    return Settings(size, recipe(preset, **chosen))


class Config(_Group):
    """The whole config.yaml, in its order."""

    root: values.Root = Field(Path(), validate_default=True)  # of the five folders
    default_style: values.StyleName = ""  # for inbox/ itself; default: the first one
    originals: values.Originals = "keep"  # after delivery
    settle_seconds: values.Seconds = 2.0  # s; a file that has not changed for so long is complete
    device: values.Device = "auto"  # all: every GPU of this machine, each with its painter
    cluster: values.Cluster = "off"  # painters on other machines, through Ray
    trust_network: values.YesNo = False  # whether all who reach the ports of `cluster` may run programs as styled
    threads: values.Threads = "auto"  # of the CPU, for painting
    weights: values.Weights = "auto"  # or the absolute path of a state_dict
    max_megapixels: values.Megapixels = 200.0  # larger pictures are refused before they are decoded
    stall_seconds: values.Stall = 900.0  # s; a painter that makes no progress for so long is replaced
    keep_done_days: values.Days = "ever"  # originals in done/ are deleted after so many days
    keep_failed_days: values.Days = "ever"  # pictures in failed/ and their reasons are deleted after so many days
    output: Output = Output()
    recipe: Defaults = Defaults()
    gallery: Annotated[GalleryPage, BeforeValidator(_gallery)] = GalleryPage()
    hooks: HookCommands = HookCommands()
    metrics: values.Port = "off"  # the port for Prometheus, on 127.0.0.1 only
    styles: dict[str, Style] = {}

    @property
    def inbox_folders(self) -> tuple[str, ...]:
        """The folders of inbox/: one for each style, and one for all of them."""
        return (*self.styles, EVERY_STYLE)

    @property
    def thread_count(self) -> int | None:
        """CPU threads for painting; None: the painter chooses."""
        return None if self.threads == "auto" else self.threads

    def settings(self, style: str, sidecar: RecipeSettings | None = None) -> Settings:
        """The narrowest place that sets something wins: sidecar, style, recipe, preset."""
        return merged(self.recipe, self.styles[style], *([sidecar] if sidecar else []))

    def changes_that_need_restart(self, other: "Config") -> list[str]:
        """The names of the settings that differ and that the running daemon cannot change."""
        return [name for name in NEED_RESTART if getattr(self, name) != getattr(other, name)]
