"""config.yaml as frozen, validated models: one line per setting, with its default and unit.

yaml_text.py gives every value as a text, and each setting here decides what its text means. So `keep_colors: no` is
a word and never a boolean, and a style may be called 1889 or on.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    WrapValidator,
    model_validator,
)

from daemon.config.checks import absolute, file_flaw, style_picture
from daemon.config.pairs import Layers, Scales
from daemon.config.print_size import print_size
from daemon.config.settings import Settings
from daemon.filenames import EVERY_STYLE
from daemon.text import meant, quoted, words
from daemon.transfer.recipe import PRESETS, KeepColors, Precision, Start, recipe
from daemon.transfer.recipe_check import CHOICES

NEED_RESTART = ("root", "device", "cluster", "trust_network", "weights", "gallery", "metrics")
PLACEHOLDERS = ("path", "file", "style", "reason", "seconds", "waited")  # in the arguments of a hook


# --- what a setting may be ----------------------------------------------------------------------------------


def _right(right: str) -> WrapValidator:
    """Any error of a value becomes one plain sentence that ends with what would be right."""

    def check(value: Any, valid: Callable[[Any], Any]) -> Any:
        try:
            return valid(value)
        except ValidationError:
            raise ValueError(f"{quoted(value)} cannot be used; write {right}") from None

    return WrapValidator(check)


def _folder(info: ValidationInfo) -> Path:
    return Path(info.context["folder"]) if info.context else Path.cwd()


def _root(value: object, info: ValidationInfo) -> Path:
    return absolute(value, _folder(info), "the path of a folder")


def _is_unseen(info: ValidationInfo) -> bool:
    """Whether the files that the settings name are left alone: a daemon has taken these settings before."""
    return bool(info.context and info.context.get("unseen"))


def _picture(value: object, info: ValidationInfo) -> Path:
    if _is_unseen(info):
        return Path(str(value))
    return style_picture(value, _folder(info), may_be_missing=bool(info.context and info.context.get("starting")))


def _weights(value: object, info: ValidationInfo) -> str:
    if value in ("auto", "imagenet", "embedded") or _is_unseen(info):
        return str(value)
    right = "auto, imagenet, embedded, or the path of a state_dict"
    path = absolute(value, _folder(info), right)
    if flaw := file_flaw(path):
        raise ValueError(f"{flaw}; {meant(str(value), ('auto', 'imagenet', 'embedded')) or f'write {right}'}")
    return str(path)


def _cluster(value: object, info: ValidationInfo) -> str:
    address = str(value)
    if address == "off":
        return address
    if address != "local" and not re.fullmatch(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}", address):
        right = "off, local, or the address of a running Ray cluster, such as 10.0.0.1:6379"
        raise ValueError(f"{quoted(value)} cannot be used; write {right}")
    device = info.data.get("device", "auto")
    if device not in ("auto", "all", "cpu", "cuda"):
        raise ValueError(f"works with device: auto, all, cpu or cuda; {device} is a device of this machine")
    return address


def _preset(value: str) -> str:
    if value not in PRESETS:
        raise ValueError
    return value


def _arguments(command: tuple[str, ...]) -> tuple[str, ...]:
    unknown = {name for each in command for name in re.findall(r"\{(\w+)\}", each)} - set(PLACEHOLDERS)
    if unknown or "" in command[:1] or any("\0" in each for each in command):
        raise ValueError
    return command


def _print(text: str) -> str:
    if print_size(text) is None:
        raise ValueError
    return text


_Preset = Annotated[str, AfterValidator(_preset), _right(words(PRESETS))]
_Size = Annotated[
    Literal["auto", "original"] | Annotated[int, Field(ge=16, le=100_000)] | Annotated[str, AfterValidator(_print)],
    _right("auto, original, the long side in pixels from 16 to 100000, or a print such as 30x20cm@300dpi"),
]
_Times = Annotated[float, Field(ge=0, le=1e6), _right("a number from 0 to 1000000; 1 is the preset's own balance")]
_Scale = Annotated[float, Field(ge=0.05, le=20), _right("a number from 0.05 to 20; 1 is the picture's own scale")]
_Seed = Annotated[int, Field(ge=0, lt=2**63), _right("a whole number from 0 to 9223372036854775807")]
_Start = Annotated[Start, _right(words(CHOICES["start"]))]
_KeepColors = Annotated[KeepColors, _right(words(CHOICES["keep_colors"]))]
_Precision = Annotated[Precision, _right(words(CHOICES["precision"]))]
_File = Annotated[Path, BeforeValidator(_picture)]
_Share = Annotated[float, Field(gt=0, le=1e6), _right("a number above 0, up to 1000000")]
_Format = Annotated[Literal["keep", "png", "jpeg", "webp"], _right("keep, png, jpeg or webp")]
_Quality = Annotated[int, Field(ge=1, le=100), _right("a whole number from 1 to 100")]
_YesNo = Annotated[bool, _right("yes or no")]
_Title = Annotated[str, Field(min_length=1, max_length=200), _right("a text of at most 200 letters")]
_Names = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    _right(f"a style, a list such as [ink, starry], or {EVERY_STYLE}"),
]
_Originals = Annotated[Literal["keep", "delete"], _right("keep or delete")]
_Seconds = Annotated[float, Field(ge=0.1, le=3600), _right("seconds, from 0.1 to 3600")]
_Stall = Annotated[float, Field(ge=1, le=86_400), _right("seconds, from 1 to 86400")]
_Days = Annotated[
    Literal["ever"] | Annotated[float, Field(ge=0.01, le=36_500)], _right("ever, or days from 0.01 to 36500")
]
_Device = Annotated[
    str,
    Field(pattern=r"^(auto|all|cpu|mps|cuda(:[0-9]{1,3})?)$"),
    _right("auto, all, cpu, cuda, cuda:1 (with the device's number) or mps"),
]
_Threads = Annotated[
    Literal["auto"] | Annotated[int, Field(ge=1, le=1024)], _right("auto, or a whole number from 1 to 1024")
]
_Command = Annotated[
    tuple[str, ...],
    AfterValidator(_arguments),
    _right("a list such as [notify-send, '{file}']; it may hold {path}, {file}, {style}, {reason}, {seconds}…"),
]
_Port = Annotated[
    Literal["off"] | Annotated[int, Field(ge=1, le=65_535)], _right("off, or the number of a port from 1 to 65535")
]
_Megapixels = Annotated[float, Field(ge=0.01, le=100_000), _right("millions of pixels, from 0.01 to 100000")]


# --- the settings -------------------------------------------------------------------------------------------


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
    """Settings for all styles, per style and per photo, which are options of commands, too. None: the next wider
    place decides, the preset last."""

    preset: _Preset | None = None
    size: _Size | None = None  # px, the painting's long side
    style_weight: _Times | None = None  # multiplies β, the style's share
    content_weight: _Times | None = None  # multiplies α, the photo's share
    smoothness: _Times | None = None  # multiplies the total variation's share
    style_scale: _Scale | None = None  # the style picture's long side over the painting's; more: larger strokes
    seed: _Seed | None = None  # of the noise and the grain
    start: _Start | None = None
    keep_colors: _KeepColors | None = None  # how the photo's colours are kept
    precision: _Precision | None = None  # of the network's features


class WrittenRecipe(RecipeSettings):
    """RecipeSettings, and those that only a file can have."""

    style_layers: Layers | None = None  # of VGG19, by which the style is compared, with their weights
    content_layers: Layers | None = None  # likewise, the photo
    scales: Scales | None = None  # (share of the size, evaluations), coarse to fine


class Defaults(WrittenRecipe):
    """The recipe of every style. A setting that stays None is the preset's (see transfer/recipe.py)."""

    preset: _Preset = "fine"
    size: _Size = "auto"


class StylePicture(_Group):
    """A picture of a style that blends several."""

    file: _File
    weight: _Share = 1.0  # relative to the weights of the other pictures


class Sidecar(WrittenRecipe):
    """The settings of one photo, and the styles that it is painted in instead of its folder's."""

    style: _Names = ()


class Style(WrittenRecipe):
    """A style: `picture`, or several `pictures` that blend, and any recipe setting."""

    picture: _File | None = None
    pictures: tuple[StylePicture, ...] | None = Field(None, min_length=1)

    @property
    def all_pictures(self) -> tuple[StylePicture, ...]:
        if self.picture is not None:
            return (StylePicture.model_construct(file=self.picture, weight=1.0),)
        return self.pictures or ()


class HookCommands(_Group):
    """The user's commands, each a list: the program, then its arguments."""

    on_delivered: _Command = ()
    on_failed: _Command = ()
    seconds: _Seconds = 60.0  # s, after which a command is ended


class Output(_Group):
    """How a painting is written to its file."""

    format: _Format = "keep"  # keep: JPEG stays JPEG, WebP stays WebP, every other format becomes PNG
    quality: _Quality = 95  # of JPEG and WebP
    film: _YesNo = False  # whether an animated WebP of the painting's way is written beside it
    location: _YesNo = False  # whether the place where the photo was taken stays in the painting's EXIF


class GalleryPage(_Group):
    """outbox/index.html. `gallery: no` is short for {page: no}."""

    page: _YesNo = True  # whether the daemon keeps the page up to date
    title: _Title = "Paintings"  # above the paintings


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

    root: Annotated[Path, BeforeValidator(_root)] = Field(Path(), validate_default=True)  # of the five folders
    default_style: Annotated[str, _right("the name of a style")] = ""  # for inbox/ itself; default: the first one
    originals: _Originals = "keep"  # after delivery
    settle_seconds: _Seconds = 2.0  # s; a file that has not changed for so long is complete
    device: _Device = "auto"  # all: every GPU of this machine, each with its painter
    cluster: Annotated[str, BeforeValidator(_cluster)] = "off"  # painters on other machines, through Ray
    trust_network: _YesNo = False  # whether all who reach the ports of `cluster` may run programs as styled
    threads: _Threads = "auto"  # of the CPU, for painting
    weights: Annotated[str, BeforeValidator(_weights)] = "auto"  # or the absolute path of a state_dict
    max_megapixels: _Megapixels = 200.0  # larger pictures are refused before they are decoded
    stall_seconds: _Stall = 900.0  # s; a painter that makes no progress for so long is replaced
    keep_done_days: _Days = "ever"  # originals in done/ are deleted after so many days
    keep_failed_days: _Days = "ever"  # pictures in failed/ and their reasons are deleted after so many days
    output: Output = Output()
    recipe: Defaults = Defaults()
    gallery: Annotated[GalleryPage, BeforeValidator(_gallery)] = GalleryPage()
    hooks: HookCommands = HookCommands()
    metrics: _Port = "off"  # the port for Prometheus, on 127.0.0.1 only
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
