"""config.yaml as frozen, validated models; `load` reports every problem at once, each by its dotted name.

YAML only says what is a list, a group or a text; what a text means is its setting's to say. So `keep_colors: no` is
the word and never a boolean, and a style may be called 1889 or on.
"""

import codecs
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
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

from daemon.errors import ConfigError, JobError
from daemon.names import shown
from daemon.plainly import absolute, between, file_flaw, meant, quoted, style_picture, words, yaml_flaw
from daemon.transfer.recipe import CHOICES, PRESETS, KeepColors, Recipe, Start, recipe

SYSTEM_CONFIG = Path("/etc/styled/config.yaml")
LARGEST = 1 << 20  # bytes of a config.yaml
LARGEST_SIDECAR = 1 << 16  # bytes; whoever may drop a photo may drop one
NEED_RESTART = ("root", "device", "cluster", "weights", "gallery", "metrics")
PLACEHOLDERS = ("path", "file", "style", "reason", "seconds")  # of a hook's arguments


# --- what a setting may be ----------------------------------------------------------------------------------


def _right(right: str) -> WrapValidator:
    """Whatever is wrong with a value, the message is one plain sentence that ends in what would be right."""

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


def _picture(value: object, info: ValidationInfo) -> Path:
    return style_picture(value, _folder(info))


def _weights(value: object, info: ValidationInfo) -> str:
    if value in ("auto", "imagenet", "embedded"):
        return str(value)
    right = "auto, imagenet, embedded, or the path of a state_dict"
    path = absolute(value, _folder(info), right)
    if flaw := file_flaw(path):
        raise ValueError(f"{flaw}; {meant(str(value), ('auto', 'imagenet', 'embedded')) or f'write {right}'}")
    return str(path)


def _cluster(value: object, info: ValidationInfo) -> str:
    said = str(value)
    if said == "off":
        return said
    if said != "local" and not re.fullmatch(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}", said):
        right = "off, local, or the address of a running Ray cluster, such as 10.0.0.1:6379"
        raise ValueError(f"{quoted(value)} cannot be used; write {right}")
    device = info.data.get("device", "auto")
    if device not in ("auto", "all", "cpu", "cuda"):
        raise ValueError(f"goes with device: auto, cpu or cuda; {device} is one of this host's")
    return said


def _preset(value: str) -> str:
    if value not in PRESETS:
        raise ValueError
    return value


def _arguments(command: tuple[str, ...]) -> tuple[str, ...]:
    unknown = {name for each in command for name in re.findall(r"\{(\w+)\}", each)} - set(PLACEHOLDERS)
    if unknown or "" in command[:1] or any("\0" in each for each in command):
        raise ValueError
    return command


_Preset = Annotated[str, AfterValidator(_preset), _right(words(PRESETS))]
_Size = Annotated[
    Literal["auto", "original"] | Annotated[int, Field(ge=16, le=100_000)],
    _right("auto, original, or the long side in pixels from 16 to 100000"),
]
_Times = Annotated[float, Field(ge=0, le=1e6), _right("a number from 0 to 1000000; 1 is the preset's own balance")]
_Scale = Annotated[float, Field(ge=0.05, le=20), _right("a number from 0.05 to 20; 1 is the picture's own scale")]
_Seed = Annotated[int, Field(ge=0, lt=2**63), _right("a whole number from 0 to 9223372036854775807")]
_Start = Annotated[Start, _right(words(CHOICES["start"]))]
_KeepColors = Annotated[KeepColors, _right(words(CHOICES["keep_colors"]))]
_File = Annotated[Path, BeforeValidator(_picture)]
_Share = Annotated[float, Field(gt=0, le=1e6), _right("a number above 0, up to 1000000")]
_Format = Annotated[Literal["keep", "png", "jpeg", "webp"], _right("keep, png, jpeg or webp")]
_Quality = Annotated[int, Field(ge=1, le=100), _right("a whole number from 1 to 100")]
_YesNo = Annotated[bool, _right("yes or no")]
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
    _right("a list such as [notify-send, '{file}']; it may hold {path}, {file}, {style}, {reason} and {seconds}"),
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
        """A name with nothing after it counts as not written, as when all lines below it are comments."""
        if data is not None and not isinstance(data, Mapping):
            raise ValueError(f"{quoted(data)} is no group of settings; write name: value for each of its settings")
        return {name: value for name, value in (data or {}).items() if value is not None}


class RecipeSettings(_Group):
    """What can be set for all styles, per style and per photo. None: the next wider place says, the preset last."""

    preset: _Preset | None = None
    size: _Size | None = None  # px, the painting's long side
    style_weight: _Times | None = None  # multiplies β, the style's share
    content_weight: _Times | None = None  # multiplies α, the photo's share
    smoothness: _Times | None = None  # multiplies the total variation's share
    style_scale: _Scale | None = None  # the style picture's long side over the painting's: larger strokes
    seed: _Seed | None = None  # of the noise
    start: _Start | None = None
    keep_colors: _KeepColors | None = None  # the photo's

    def said(self) -> dict[str, Any]:
        """Only what is set."""
        said = {name: getattr(self, name) for name in RecipeSettings.model_fields}
        return {name: value for name, value in said.items() if value is not None}


class Defaults(RecipeSettings):
    """The recipe of every style. What stays None is the preset's own (see transfer/recipe.py)."""

    preset: _Preset = "fine"
    size: _Size = "auto"


class StylePicture(_Group):
    """One of the pictures that blend into a style."""

    file: _File
    weight: _Share = 1.0  # relative to the others'


class Style(RecipeSettings):
    """One style: `picture`, or several `pictures` that blend; and any recipe setting."""

    picture: _File | None = None
    pictures: tuple[StylePicture, ...] | None = Field(None, min_length=1)

    @property
    def all_pictures(self) -> tuple[StylePicture, ...]:
        if self.picture is not None:
            return (StylePicture.model_construct(file=self.picture, weight=1.0),)
        return self.pictures or ()


class HookCommands(_Group):
    """The user's own commands, each a list: the program, then its arguments."""

    on_delivered: _Command = ()
    on_failed: _Command = ()
    seconds: _Seconds = 60.0  # s, after which a command is ended


class Output(_Group):
    """The painting's file."""

    format: _Format = "keep"  # keep: JPEG stays JPEG, WebP WebP, all else becomes PNG
    quality: _Quality = 95  # of JPEG and WebP
    location: _YesNo = False  # whether the place where the photo was taken stays in the painting's EXIF


@dataclass(frozen=True, slots=True)
class Settings:
    """What one picture is painted with: its style's settings and its own, merged."""

    preset: str
    size: int | Literal["auto", "original"]  # px, the long side
    recipe: Recipe


def _merged(*places: RecipeSettings) -> Settings:
    """From the widest place, which says preset and size, to the narrowest, which wins."""
    said: dict[str, Any] = {}
    for place in places:
        said |= place.said()
    preset, size = said.pop("preset"), said.pop("size")
    return Settings(preset, size, recipe(preset, **said))


class Config(_Group):
    """All of config.yaml, in its order."""

    root: Annotated[Path, BeforeValidator(_root)] = Field(Path(), validate_default=True)  # of the five folders
    default_style: Annotated[str, _right("the name of a style")] = ""  # for inbox/ itself; default: the first one
    originals: _Originals = "keep"  # after delivery
    settle_seconds: _Seconds = 2.0  # s, a file that has not changed for so long is complete
    device: _Device = "auto"  # all: every GPU of this host, each with a painter of its own
    cluster: Annotated[str, BeforeValidator(_cluster)] = "off"  # painters on other machines, through Ray
    threads: _Threads = "auto"  # of the CPU, for painting
    weights: Annotated[str, BeforeValidator(_weights)] = "auto"  # or the absolute path of a state_dict
    max_megapixels: _Megapixels = 200.0  # larger pictures are refused before they are decoded
    stall_seconds: _Stall = 900.0  # s, a painter that does not get on for so long is replaced
    keep_done_days: _Days = "ever"  # originals in done/ go after so many days
    keep_failed_days: _Days = "ever"  # pictures in failed/, with their reasons, go after so many days
    output: Output = Output()
    recipe: Defaults = Defaults()
    gallery: _YesNo = True  # whether outbox/index.html is kept
    hooks: HookCommands = HookCommands()
    metrics: _Port = "off"  # for Prometheus, on 127.0.0.1 alone
    styles: dict[str, Style] = {}

    @property
    def thread_count(self) -> int | None:
        return None if self.threads == "auto" else self.threads

    def settings(self, style: str, sidecar: RecipeSettings | None = None) -> Settings:
        """The narrowest place that says a setting wins: sidecar, style, recipe, preset."""
        return _merged(self.recipe, self.styles[style], *([sidecar] if sidecar else []))

    def changes_that_need_restart(self, other: "Config") -> list[str]:
        return [name for name in NEED_RESTART if getattr(self, name) != getattr(other, name)]


# --- reading ------------------------------------------------------------------------------------------------


def find(path: Path | None) -> Path:
    """The configuration to use: the one named, or else ./config.yaml, or else the system's. ConfigError: none."""
    if path is not None:
        return path
    for candidate in (Path("config.yaml"), SYSTEM_CONFIG):
        if os.path.lexists(candidate):
            return candidate
    raise ConfigError(
        [
            f"config.yaml: there is none in this folder and no {SYSTEM_CONFIG}; go to the folder that has it, "
            "name it with --config FILE, or run `styled demo`, which needs none"
        ]
    )


def load(path: Path) -> Config:
    """Read and validate, with no side effects. ConfigError: every problem, one a line."""
    name = shown(str(path))
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except FileNotFoundError:
        line = "styles: {starry: {picture: builtin:starry}}"
        why = f"there is no such file; name yours with --config FILE, or make it with this line: {line}"
        raise ConfigError([f"{name}: {why}"]) from None
    except IsADirectoryError:
        raise ConfigError([f"{name}: this is a folder; name the file in it"]) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no file can have this name"
        raise ConfigError([f"{name}: cannot be read ({why}); give the user that runs styled the right to"]) from None
    data, problems = _parse(raw, name, LARGEST)
    styles = data.get("styles")
    if isinstance(styles, dict) and styles and data.get("default_style") is None:
        data = {**data, "default_style": next(iter(styles))}
    config, misfits = _validate(Config, data, path.absolute().parent)
    problems += [*misfits, *between(data)]
    if problems or config is None:
        raise ConfigError(problems)
    return config


def load_sidecar(raw: bytes, name: str) -> RecipeSettings:
    """The recipe settings of one photo, from its photo.jpg.yaml. JobError: every problem."""
    settings = None
    try:
        data, problems = _parse(raw, shown(name), LARGEST_SIDECAR)
        settings, misfits = _validate(RecipeSettings, data, Path())
        problems += misfits
    except ConfigError as error:
        problems = list(error.problems)
    if problems or settings is None:
        advice = "Correct its settings, or take that file away, and try again."
        raise JobError(f"The settings in {shown(name)} cannot be used: {' | '.join(problems)}.", advice)
    return settings


def settings_from(said: Mapping[str, Any]) -> Settings:
    """The settings of a painting that no config.yaml stands behind. ConfigError: every problem."""
    own, problems = _validate(RecipeSettings, said, Path())
    if own is None:
        raise ConfigError(problems)
    return _merged(Defaults(), own)


def builtin_picture(value: str) -> Path:
    """The file of `builtin:NAME`, or of a path seen from the current folder. ConfigError: it is no picture's."""
    try:
        return style_picture(value, Path.cwd())
    except ValueError as error:
        raise ConfigError([f"style picture: {error}"]) from None


_Model = TypeVar("_Model", Config, RecipeSettings)


def _validate(model: type[_Model], data: object, folder: Path) -> tuple[_Model | None, list[str]]:
    try:
        return model.model_validate(data, context={"folder": folder}), []
    except ValidationError as error:
        errors = error.errors(include_url=False)
        real = [each for each in errors if each["type"] != "too_short" or not each["input"]]  # not: all were refused
        return None, [_problem(model, each) for each in real]


def _problem(model: type[BaseModel], error: Mapping[str, Any]) -> str:
    """One of pydantic's errors as `dotted.name: what is wrong; what would be right`; lists count from 1."""
    place = tuple(error["loc"])
    name = ".".join(str(part + 1) if isinstance(part, int) else shown(part) for part in place)
    kind = error["type"]
    if kind == "value_error":
        return f"{name}: {error['ctx']['error']}"
    if kind == "extra_forbidden":
        return f"{name}: unknown setting; {_nearest(model, place)}"
    if kind == "missing":
        return f"{name}: is not there; write it"
    if kind == "too_short":
        return f"{name}: is empty; write at least one picture"
    if kind == "dict_type":
        return f"{name}: {quoted(error['input'])} is no group of styles; write each as name: {{picture: FILE}}"
    return f"{name}: {quoted(error['input'])} is no list; write for example [{{file: a.jpg, weight: 2}}]"


def _nearest(model: type[BaseModel], place: tuple[str | int, ...]) -> str:
    """What somebody may have meant by an unknown setting at this place."""
    unknown = str(place[-1])
    groups: dict[str, type[BaseModel]] = {"output": Output, "recipe": Defaults, "hooks": HookCommands, "styles": Style}
    if len(place) > 1:
        model = StylePicture if len(place) > 3 else groups[str(place[0])]
    known = list(model.model_fields)
    elsewhere = {n: f"{g}.{n}" for g in ("output", "recipe", "hooks") for n in groups[g].model_fields}
    if model is Config and unknown.lower() in elsewhere:
        return f"did you mean {elsewhere[unknown.lower()]}?"
    return meant(unknown, known) or f"known here are {words(known, 'and')}"


# --- YAML ---------------------------------------------------------------------------------------------------


def _parse(raw: bytes, name: str, largest: int) -> tuple[dict[str, Any], list[str]]:
    """The settings as groups, lists and texts, and what in them is no setting. ConfigError: no settings at all."""
    if len(raw) > largest:
        raise ConfigError([f"{name}: is larger than {largest >> 10} KiB; this is not a file of settings"])
    try:
        text = raw.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{name}: line {line}: is not UTF-8 text; save it as UTF-8"]) from None
    document = _Document(name)
    try:
        data = document.value(yaml.SafeLoader(text).get_single_node(), "")
    except yaml.MarkedYAMLError as error:
        where = _where(error.problem_mark or error.context_mark)
        raise ConfigError([f"{name}: {where}: {yaml_flaw(f'{error.problem} {error.context}')}"]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError([f"{name}: line {line}: has a control character; remove it"]) from None
    except (RecursionError, ValueError, OverflowError):  # the last two: an escape beyond Unicode, "\UFFFFFFFF"
        raise ConfigError([f"{name}: is nested too deeply or has a broken escape; write plain settings"]) from None
    if data is not None and not isinstance(data, dict):
        raise ConfigError([f"{name}: holds {quoted(data)} instead of settings; write name: value lines"])
    return data or {}, document.problems


class _Document:
    """Turns PyYAML's nodes into dicts, lists and texts (None for an empty one), and never builds anything else."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.problems: list[str] = []
        self._known: dict[int, Any] = {}  # by node, so that aliases of aliases cost nothing

    def value(self, node: yaml.Node | None, place: str) -> Any:
        """`place`: the dotted name of what this node says."""
        if node is None:
            return None
        if id(node) not in self._known:
            self._known[id(node)] = self._value(node, place)
        return self._known[id(node)]

    def _value(self, node: yaml.Node, place: str) -> Any:
        tag = node.tag.removeprefix("tag:yaml.org,2002:")
        if not tag.isalpha():  # str, int, null …; "!include" and "python/object" are not
            self.problems.append(f"{self.name}: {_where(node.start_mark)}: a tag, {quoted(tag)}; leave it out")
        if isinstance(node, yaml.MappingNode):
            return self._group(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, f"{place}.{i}") for i, child in enumerate(node.value, start=1)]
        return None if tag == "null" else node.value

    def _group(self, node: yaml.MappingNode, place: str) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                where = _where(key.start_mark)
                self.problems.append(f"{self.name}: {where}: a list or group as a name; write a plain name")
                continue
            name = f"{place}.{shown(key.value)}".removeprefix(".")
            line = key.start_mark.line + 1
            if key.tag == "tag:yaml.org,2002:merge":
                sources = self.value(value, name)
                for source in sources if isinstance(sources, list) else [sources]:
                    merged = {**source, **merged} if isinstance(source, dict) else merged
            elif key.value in own:
                self.problems.append(f"{name}: is set twice, in lines {lines[key.value]} and {line}; keep one")
            else:
                own[key.value], lines[key.value] = self.value(value, name), line
        return {**merged, **own}


def _where(mark: yaml.Mark | None) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark else "somewhere"


# --- changes ------------------------------------------------------------------------------------------------


def describe_changes(old: Config, new: Config) -> list[str]:
    """What a reload changes, one line per dotted setting: "recipe.size: 512 → 1024", "styles.night: added"."""
    lines = [f"styles.{shown(name)}: removed" for name in old.styles if name not in new.styles]
    lines += [f"styles.{shown(name)}: added" for name in new.styles if name not in old.styles]
    before, after = dict(_flat(old)), dict(_flat(new))
    both = [name for name in before if name in after and before[name] != after[name]]
    return [f"{name}: {before[name]} → {after[name]}" for name in both] + lines


def _flat(group: BaseModel, place: str = "") -> Iterator[tuple[str, str]]:
    """Every setting's dotted name and how it reads."""
    for name in type(group).model_fields:
        value = getattr(group, name)
        if isinstance(value, BaseModel):
            yield from _flat(value, f"{place}{name}.")
        elif isinstance(value, dict):
            for key, each in value.items():
                yield from _flat(each, f"{place}{name}.{shown(key)}.")
        else:
            yield f"{place}{name}", _read_out(value)


def _read_out(value: object) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple) and all(isinstance(each, str) for each in value):
        return shown(" ".join(value)) or "none"
    if isinstance(value, tuple):
        return " + ".join(f"{shown(str(picture.file))} × {picture.weight:g}" for picture in value)
    return f"{value:.15g}" if isinstance(value, float) else shown(str(value))
