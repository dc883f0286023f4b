"""Reading config.yaml and sidecars: every problem at once, each with its dotted name."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from daemon.config.checks import cross_checks
from daemon.config.models import (
    Config,
    Defaults,
    GalleryPage,
    HookCommands,
    Output,
    Sidecar,
    Style,
    StylePicture,
)
from daemon.config.yaml_text import parse_yaml
from daemon.errors import ConfigError, JobError, NoConfigError, OptionError
from daemon.filenames import EVERY_STYLE
from daemon.text import escape, meant, quoted, words

SYSTEM_CONFIG = Path("/etc/styled/config.yaml")
LARGEST = 1 << 20  # bytes of a config.yaml
LARGEST_SIDECAR = 1 << 16  # bytes; every user who may drop a photo may drop a sidecar
NAMED = 5  # problems of a sidecar that are named


def find(path: Path | None) -> Path:
    """The file to use: `path`, or ./config.yaml, or the system's. Raises ConfigError if there is no such file."""
    if path is not None:
        return path
    for candidate in (Path("config.yaml"), SYSTEM_CONFIG):
        if os.path.lexists(candidate):
            return candidate
    raise NoConfigError(
        [
            f"There is no config.yaml in this folder, and no {SYSTEM_CONFIG}. Go to the folder of your config.yaml, "
            "name the file with --config FILE, or make one: styled init"
        ]
    )


def load(path: Path, *, starting: bool = False) -> Config:
    """Read and validate config.yaml, without side effects. Raises ConfigError with every problem. `starting`: a missing
    style picture is no problem, because its style can wait for the picture."""
    name = escape(str(path))
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except FileNotFoundError:
        line = "styles: {starry: {picture: builtin:starry}}"
        why = f"there is no such file; name yours with --config FILE, or make this file with the line: {line}"
        raise ConfigError([f"{name}: {why}"]) from None
    except IsADirectoryError:
        raise ConfigError([f"{name}: is a folder; name the file in this folder"]) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no file can have this name"
        way_out = "the user that runs styled needs the right to read it"
        raise ConfigError([f"{name}: cannot be read ({why}); {way_out}"]) from None
    data, problems = parse_yaml(raw, name, LARGEST)
    styles = data.get("styles")
    if isinstance(styles, dict) and styles and data.get("default_style") is None:
        data = {**data, "default_style": next(iter(styles))}
    config, misfits = _validate(Config, data, path.absolute().parent, starting=starting)
    problems += [*misfits, *cross_checks(data)]
    if problems and starting:
        return load(path)  # to name the missing pictures, too
    if problems or config is None:
        raise ConfigError(problems)
    return config


def load_sidecar(raw: bytes, name: str, styles: Collection[str]) -> Sidecar:
    """The settings of one photo, from its photo.jpg.yaml. `styles`: those of config.yaml. Raises JobError with the
    first problems."""
    settings = None
    try:
        data, problems = parse_yaml(raw, escape(name), LARGEST_SIDECAR)
        settings, misfits = _validate(Sidecar, data, Path())
        problems += [*misfits, *(_unknown(each, styles) for each in (settings.style if settings else ()))]
        problems = [problem for problem in problems if problem]
    except ConfigError as error:
        problems = [problem.removeprefix(f"{escape(name)}: ") for problem in error.problems]
    if problems or settings is None:
        advice = "Correct the settings in that file, or remove the file, and try again."
        said = problems[:NAMED] + ([f"and {len(problems) - NAMED} more"] if len(problems) > NAMED else [])
        raise JobError(f"The settings in {escape(name)} cannot be used: {' | '.join(said)}.", advice)
    return settings


def _unknown(style: str, styles: Collection[str]) -> str:
    """Why a sidecar cannot name this style; "" if it can."""
    if style in styles or style == EVERY_STYLE:
        return ""
    return f"style: there is no style {quoted(style)}; {meant(style, styles) or f'write {words(map(escape, styles))}'}"


def from_options(values: Mapping[str, str]) -> Config:
    """The settings that the options of a command give, without a style. `values`: the text of each option that was
    given, by its setting's name. Raises OptionError with every problem."""
    data: dict[str, Any] = {"recipe": {}, "output": {}}
    for name, text in values.items():
        group = "recipe" if name in Defaults.model_fields else "output" if name in Output.model_fields else ""
        (data[group] if group else data)[name] = text
    config, problems = _validate(Config, data, Path.cwd())
    if config is None:
        raise OptionError([_as_option(problem) for problem in problems])
    return config


def _as_option(problem: str) -> str:
    name, _, rest = problem.partition(": ")
    return f"--{name.rpartition('.')[2].replace('_', '-')}: {rest}"


_Model = TypeVar("_Model", Config, Sidecar)


def _validate(
    model: type[_Model], data: object, folder: Path, *, starting: bool = False
) -> tuple[_Model | None, list[str]]:
    try:
        return model.model_validate(data, context={"folder": folder, "starting": starting}), []
    except ValidationError as error:
        errors = error.errors(include_url=False)
        # pydantic also calls a list "too short" if all its pictures were refused, which says nothing new
        real = [each for each in errors if each["type"] != "too_short" or not each["input"]]
        return None, [_problem(model, each) for each in real]


def _problem(model: type[BaseModel], error: Mapping[str, Any]) -> str:
    """pydantic's error as `dotted.name: what is wrong; what would be right`; lists count from 1."""
    place = tuple(error["loc"])
    name = ".".join(str(part + 1) if isinstance(part, int) else escape(part) for part in place)
    kind = error["type"]
    if kind == "value_error":
        return f"{name}: {error['ctx']['error']}"
    if kind == "extra_forbidden":
        return f"{name}: unknown setting; {_nearest(model, place)}"
    if kind == "missing":
        return f"{name}: is missing; add it"
    if kind == "too_short":
        return f"{name}: is empty; write at least one picture"
    if kind == "dict_type":
        return f"{name}: {quoted(error['input'])} is not a group of styles; write each style as name: {{picture: FILE}}"
    return f"{name}: {quoted(error['input'])} is not a list; write for example [{{file: a.jpg, weight: 2}}]"


def _nearest(model: type[BaseModel], place: tuple[str | int, ...]) -> str:
    """What the user may have meant by an unknown setting at this place."""
    unknown = str(place[-1])
    groups: dict[str, type[BaseModel]] = {
        "output": Output,
        "recipe": Defaults,
        "hooks": HookCommands,
        "gallery": GalleryPage,
        "styles": Style,
    }
    if len(place) > 1:
        model = StylePicture if len(place) > 3 else groups[str(place[0])]
    known = list(model.model_fields)
    elsewhere = {n: f"{g}.{n}" for g in ("output", "recipe", "hooks", "gallery") for n in groups[g].model_fields}
    if model is Config and unknown.lower() in elsewhere:
        return f"did you mean {elsewhere[unknown.lower()]}?"
    return meant(unknown, known) or f"known here are {words(known, 'and')}"
