"""`styled preview`: a photograph in several styles and strengths, small, on a sheet."""

import dataclasses
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from daemon.cli.paint import paint, read_photo, stylizer
from daemon.cli.paint_plan import ChosenStyle
from daemon.config.models import Config, Defaults, RecipeSettings, merged
from daemon.config.yaml_text import style_line
from daemon.console.bars import bars
from daemon.errors import JobError
from daemon.pictures.sheets import Tile, grid, sheet, tile
from daemon.provenance import picture_name
from daemon.storage.files import write_atomically
from daemon.transfer.recipe import Recipe
from daemon.transfer.recipe_check import LAYERS_OF, SETTINGS

SIZE = 200  # px, the long side of each small painting, unless an option gives another


@dataclass(frozen=True, slots=True)
class Look:
    """A style in a strength: its name, and its line for config.yaml."""

    style: ChosenStyle
    strength: float
    line: str

    @property
    def title(self) -> str:
        return self.style.name if self.strength == 1 else f"{self.style.name}, strength {self.strength:g}"


def looks(styles: Sequence[ChosenStyle], strengths: Sequence[float], config: Config | None) -> list[Look]:
    """Every style in every strength, by which its own style_weight is multiplied."""
    base = config.recipe if config else Defaults()
    found = []
    for style in styles:
        for strength in strengths:
            recipe = style.settings.recipe
            recipe = dataclasses.replace(recipe, style_weight=recipe.style_weight * strength)
            pictures = [
                (name if (name := picture_name(each.file)).startswith("builtin:") else str(each.file), each.weight)
                for each in style.pictures
            ]
            name = style.name if strength == 1 else f"{style.name}-{strength:g}"
            changed = dataclasses.replace(style, settings=dataclasses.replace(style.settings, recipe=recipe))
            found.append(Look(changed, strength, style_line(name, pictures, _own(recipe, base))))
    return found


def _own(recipe: Recipe, base: Defaults) -> dict[str, object]:
    """The settings that a style needs in config.yaml for this recipe, if `base` is the recipe of all styles."""
    own: dict[str, object] = {} if recipe.preset == base.preset else {"preset": recipe.preset}
    inherited = merged(base, RecipeSettings(preset=recipe.preset)).recipe
    for name in SETTINGS:
        value = getattr(recipe, name)
        if value != getattr(inherited, name) or (name == "scales" and recipe.finer != inherited.finer):
            own[name] = dict(value) if name in LAYERS_OF else value
    return own


def preview(photo: Path, wanted: Sequence[Look], machine: Config, out: Path) -> None:
    """Paint each look small and write the sheet, a PNG, into `out`. Raises OptionError and JobError."""
    painter = stylizer(machine, [each.style for each in wanted])
    tiles: list[Tile] = []
    with bars(len(wanted)) as bar:
        for look in wanted:
            settings = look.style.settings
            content, _ = read_photo(photo, settings.long_side(painter.device), enlarge=False)
            tiles = tiles or [Tile(content.pixels, photo.name, "the photograph")]
            pictures = [(picture.file, picture.weight) for picture in look.style.pictures]
            with bar.picture(look.title) as show:
                result = paint(painter, content, pictures, settings.recipe, show)
            tiles.append(Tile(result.painting, look.title, look.line))
            bar.next()
    _store(_rows(tiles, wanted), out)


def show_styles(config: Config, out: Path) -> None:
    """Write a sheet with the pictures of all styles and their names. Raises JobError."""
    try:
        tiles = [
            tile(each.file, name, f"{picture_name(each.file)}, weight {each.weight:g}" if style.pictures else "")
            for name, style in config.styles.items()
            for each in style.all_pictures
        ]
    except OSError as error:
        raise JobError(f"{error.filename}: {error.strerror}.", "Check the name and the rights.") from None
    _store(grid(tiles), out)


def _store(rows: Sequence[Sequence[Tile]], out: Path) -> None:
    file = io.BytesIO()
    sheet(rows, file, kind="png")
    try:
        write_atomically(out, file.getbuffer(), durable=True)
    except OSError as error:
        raise JobError(f"{out} cannot be written: {error.strerror}.", "Check the folder and its rights.") from None


def _rows(tiles: list[Tile], wanted: Sequence[Look]) -> list[list[Tile]]:
    """A row for each style if there are several strengths; the photo is alone in the first row."""
    across = len({look.strength for look in wanted})
    if across == 1:
        return grid(tiles)
    return [tiles[:1], *(tiles[start : start + across] for start in range(1, len(tiles), across))]
