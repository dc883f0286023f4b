"""What each setting of config.yaml may be: the type of its value, and the sentence that says what would be right.

yaml_text.py gives every value as a text, and each type here decides what its text means. So `keep_colors: no` is a
word and never a boolean, and a style may be called 1889 or on.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, ValidationInfo, WrapValidator

from daemon.config.checks import absolute, file_flaw, style_picture
from daemon.config.print_size import print_size
from daemon.filenames import EVERY_STYLE
from daemon.text import meant, quoted, words
from daemon.transfer import recipe
from daemon.transfer.recipe_check import CHOICES

PLACEHOLDERS = ("path", "file", "style", "reason", "seconds", "waited")  # in the arguments of a hook


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
    if value not in recipe.PRESETS:
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


Preset = Annotated[str, AfterValidator(_preset), _right(words(recipe.PRESETS))]
Size = Annotated[
    Literal["auto", "original"] | Annotated[int, Field(ge=16, le=100_000)] | Annotated[str, AfterValidator(_print)],
    _right("auto, original, the long side in pixels from 16 to 100000, or a print such as 30x20cm@300dpi"),
]
Times = Annotated[float, Field(ge=0, le=1e6), _right("a number from 0 to 1000000; 1 is the preset's own balance")]
Scale = Annotated[float, Field(ge=0.05, le=20), _right("a number from 0.05 to 20; 1 is the picture's own scale")]
Seed = Annotated[int, Field(ge=0, lt=2**63), _right("a whole number from 0 to 9223372036854775807")]
Start = Annotated[recipe.Start, _right(words(CHOICES["start"]))]
KeepColors = Annotated[recipe.KeepColors, _right(words(CHOICES["keep_colors"]))]
Precision = Annotated[recipe.Precision, _right(words(CHOICES["precision"]))]
File = Annotated[Path, BeforeValidator(_picture)]
Share = Annotated[float, Field(gt=0, le=1e6), _right("a number above 0, up to 1000000")]
Format = Annotated[Literal["keep", "png", "jpeg", "webp"], _right("keep, png, jpeg or webp")]
Quality = Annotated[int, Field(ge=1, le=100), _right("a whole number from 1 to 100")]
YesNo = Annotated[bool, _right("yes or no")]
Title = Annotated[str, Field(min_length=1, max_length=200), _right("a text of at most 200 letters")]
Names = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    _right(f"a style, a list such as [ink, starry], or {EVERY_STYLE}"),
]
Originals = Annotated[Literal["keep", "delete"], _right("keep or delete")]
Seconds = Annotated[float, Field(ge=0.1, le=3600), _right("seconds, from 0.1 to 3600")]
Stall = Annotated[float, Field(ge=1, le=86_400), _right("seconds, from 1 to 86400")]
Days = Annotated[
    Literal["ever"] | Annotated[float, Field(ge=0.01, le=36_500)], _right("ever, or days from 0.01 to 36500")
]
Device = Annotated[
    str,
    Field(pattern=r"^(auto|all|cpu|mps|cuda(:[0-9]{1,3})?)$"),
    _right("auto, all, cpu, cuda, cuda:1 (with the device's number) or mps"),
]
Threads = Annotated[
    Literal["auto"] | Annotated[int, Field(ge=1, le=1024)], _right("auto, or a whole number from 1 to 1024")
]
Command = Annotated[
    tuple[str, ...],
    AfterValidator(_arguments),
    _right("a list such as [notify-send, '{file}']; it may hold {path}, {file}, {style}, {reason}, {seconds}…"),
]
Port = Annotated[
    Literal["off"] | Annotated[int, Field(ge=1, le=65_535)], _right("off, or the number of a port from 1 to 65535")
]
Megapixels = Annotated[float, Field(ge=0.01, le=100_000), _right("millions of pixels, from 0.01 to 100000")]
StyleName = Annotated[str, _right("the name of a style")]
Root = Annotated[Path, BeforeValidator(_root)]
Weights = Annotated[str, BeforeValidator(_weights)]
Cluster = Annotated[str, BeforeValidator(_cluster)]
