"""Plans what `styled paint` paints: which photos, in which styles, into which files. The whole plan is checked before
the first painting. This module writes no file."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from daemon.assets import STYLES
from daemon.cli.terminal import agrees
from daemon.config.checks import style_picture
from daemon.config.models import Config, Defaults, RecipeSettings, StylePicture, merged
from daemon.config.settings import Settings
from daemon.errors import OptionError
from daemon.filenames import FILM, OUTPUT_EXTENSIONS, OutputFormat, extension, is_picture
from daemon.text import escape, meant, words

KINDS = {ending: kind for kind, endings in OUTPUT_EXTENSIONS.items() for ending in endings}
MOST_NAMED = 5  # files that a message lists


@dataclass(frozen=True, slots=True)
class ChosenStyle:
    """A style by its name in config.yaml, a built-in picture, or a file."""

    name: str
    pictures: tuple[StylePicture, ...]
    settings: Settings


@dataclass(frozen=True, slots=True)
class PlannedPainting:
    """A photo in a style, and the painting's file."""

    photo: Path
    style: ChosenStyle
    out: Path

    @property
    def kind(self) -> OutputFormat:
        return KINDS[extension(self.out.name)]


def choose_styles(wanted: Sequence[str], config: Config | None, given: RecipeSettings) -> list[ChosenStyle]:
    """The styles of these names. `given`: the settings of the options, which win over the settings of `config`.

    Raises OptionError with a line for each style that is not there.
    """
    chosen, problems = [], []
    for value in wanted:
        try:
            chosen.append(_style(value, config, given))
        except ValueError as error:
            problems.append(f"style {escape(value)}: {error}")
    if problems:
        raise OptionError(problems)
    return chosen


def all_styles(config: Config | None) -> list[str]:
    """The names of every style of `config` or, without a config.yaml, of every built-in picture."""
    return list(config.styles) if config else _shipped()


def _shipped() -> list[str]:
    return [path.stem for path in sorted(STYLES.iterdir()) if is_picture(path.name)]


def named(wanted: Sequence[str]) -> list[str]:
    """Each style that a person names, once."""
    return list(dict.fromkeys(name for each in wanted for name in _split(each)))


def is_name(value: str) -> bool:
    """Whether `value` is the name of a style, rather than a file or builtin:NAME."""
    return not (value.startswith("builtin:") or "/" in value or is_picture(value) or os.path.lexists(value))


def _split(value: str) -> list[str]:
    """ "starry,ink" names two styles, unless a file has this name."""
    return [value] if os.path.lexists(value) else [each.strip() for each in value.split(",") if each.strip()]


def _style(value: str, config: Config | None, given: RecipeSettings) -> ChosenStyle:
    if config is not None and value in config.styles:
        style = config.styles[value]
        return ChosenStyle(value, style.all_pictures, merged(config.recipe, style, given))
    if is_name(value) and value not in _shipped():
        known = list(dict.fromkeys([*(config.styles if config else ()), *_shipped()]))
        hint = meant(value, known) or f"there are {words(map(escape, known), 'and')}, or write the path of a picture"
        raise ValueError(f"there is no style and no file of this name; {hint}")
    path = style_picture(f"builtin:{value}" if is_name(value) else value, Path.cwd())
    picture = StylePicture.model_construct(file=path, weight=1.0)
    return ChosenStyle(path.stem, (picture,), merged(Defaults(), given))


def workplace(options: Config, config: Config | None) -> tuple[Config, RecipeSettings]:
    """The machine's settings, from `options` or else from `config`, and the recipe settings of `options` alone."""
    recipe = options.recipe
    given = RecipeSettings.model_construct(**{name: getattr(recipe, name) for name in recipe.model_fields_set})
    if config is None:
        return options, given
    own = {name: getattr(options, name) for name in options.model_fields_set - {"recipe", "output"}}
    output = {name: getattr(options.output, name) for name in options.output.model_fields_set}
    return config.model_copy(update={**own, "output": config.output.model_copy(update=output)}), given


def plan(
    photos: Sequence[Path],
    styles: Sequence[ChosenStyle],
    out: Path,
    mask: Path | None,
    *,
    overwrite: bool,
    film: bool = False,
) -> list[PlannedPainting]:
    """Every photo in every style. `out`: a file for a single painting, otherwise a folder, which is not made yet.
    `film`: each painting gets a film beside it.

    Raises OptionError with every reason for which a painting could not be stored.
    """
    pairs = [(photo, style) for photo in photos for style in styles]
    if len(pairs) > 1 and is_picture(out.name) and not out.is_dir():
        raise OptionError([f"{len(pairs)} paintings need a folder, and {out} is the name of a picture; --out FOLDER"])
    folder = out.is_dir() or len(pairs) > 1 or not extension(out.name)
    paintings = [
        PlannedPainting(photo, style, out / name_of(photo, style) if folder else out) for photo, style in pairs
    ]
    inputs = [*photos, *(picture.file for style in styles for picture in style.pictures), *([mask] if mask else [])]
    missing = [f"there is no file {photo}" for photo in (*photos, *([mask] if mask else [])) if not photo.is_file()]
    outs = [each.out for each in paintings]
    outs += [film_of(each) for each in outs] if film else []
    if problems := [*missing, *_refused(outs, inputs, make=folder)]:
        raise OptionError(problems)
    _ask_to_replace(outs, overwrite)
    return paintings


def film_of(painting: Path) -> Path:
    return painting.with_name(painting.stem + FILM)


def name_of(photo: Path, style: ChosenStyle) -> str:
    """venice.jpg in the style ink: venice-ink.jpg. A format in which styled does not write becomes PNG."""
    ending = photo.suffix if photo.suffix.lower() in KINDS else ".png"
    return f"{photo.stem}-{style.name}{ending}"


def check_target(out: Path, inputs: Iterable[Path], *, overwrite: bool, endings: Sequence[str] = tuple(KINDS)) -> None:
    """Raises OptionError if a picture cannot be stored as `out`, or would replace one of `inputs`."""
    if extension(out.name) not in endings:
        raise OptionError([f"{out} does not end in {words(endings)}; choose a name with such an ending"])
    if problems := list(_refused([out], inputs, make=False)):
        raise OptionError(problems)
    _ask_to_replace([out], overwrite)


def _ask_to_replace(outs: Sequence[Path], overwrite: bool) -> None:
    """Raises OptionError if a file of `outs` exists, unless `overwrite` or a person at the terminal says to replace."""
    taken = [out for out in outs if os.path.lexists(out)]
    if not taken or overwrite:
        return
    names = [str(path) for path in taken[:MOST_NAMED]]
    more = [f"{len(taken) - MOST_NAMED} more"] if len(taken) > MOST_NAMED else []
    said = f"{words([*names, *more], 'and')} {'exists' if len(taken) == 1 else 'exist'} already"
    if not agrees(f"{said}. Replace {'this file' if len(taken) == 1 else 'these files'}?"):
        raise OptionError([f"{said}; choose another name, or add --overwrite"])


def _refused(outs: Sequence[Path], inputs: Iterable[Path], *, make: bool) -> Iterator[str]:
    """Why the paintings cannot be stored; nothing is yielded if they can. `make`: their folder is made if missing."""
    seen: set[Path] = set()
    kept = {status: path for path in inputs if (status := _identity(path))}
    for out in outs:
        if extension(out.name) not in KINDS:
            yield f"{out} does not end in .png, .jpg or .webp; choose a name with such an ending"
        elif (identity := _identity(out)) and identity in kept:
            same = "" if os.path.abspath(out) == os.path.abspath(kept[identity]) else f" is {kept[identity]}, and"
            yield f"{out}{same} is needed to paint, so no painting may replace this file; choose another name"
        elif out in seen:
            yield f"two paintings would be called {out}; rename a photograph, or paint the two one after the other"
        elif out.is_dir():
            yield f"{out} is a folder; choose another name"
        seen.add(out)
    for folder in dict.fromkeys(out.parent for out in outs):
        if why := _unwritable(folder.parent if make and not os.path.lexists(folder) else folder):
            yield why


def _unwritable(folder: Path) -> str:
    """Why no file can be made in `folder`; "" if a file can."""
    if not folder.is_dir():
        return f"there is no folder {folder}; make it, or choose another"
    allowed = os.access(folder, os.W_OK | os.X_OK)
    return "" if allowed else f"you have no right to write in {folder}; choose another folder"


def _identity(path: Path) -> tuple[int, int] | None:
    """A value that is equal for two names of the same file; None if there is no such file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
