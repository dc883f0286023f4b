"""The commands that make or look at pictures, without the daemon: paint, preview, info, repaint, styles, weights."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.options import MACHINE_OPTIONS, RECIPE_OPTIONS, ConfigOption, JsonOption, with_options
from daemon.cli.terminal import complain, in_force, nearest, say, sum_lines
from daemon.errors import ExitCode, OptionError
from daemon.text import duration

if TYPE_CHECKING:
    from daemon.cli.paint import Outcome


@with_options(RECIPE_OPTIONS, MACHINE_OPTIONS)
def paint(
    pictures: Annotated[
        list[str], typer.Argument(metavar="PHOTO", help="Photographs; without --style, the last one is the style.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="A .png, .jpg or .webp, or a folder; by default PHOTO-STYLE here.")
    ] = Path(),
    style: Annotated[
        list[str] | None,
        typer.Option("--style", "-s", help="Styles by name, or pictures, such as starry,ink; can be repeated."),
    ] = None,
    mask: Annotated[Path | None, typer.Option(help="White is painted, black stays a photograph.")] = None,
    film: Annotated[bool, typer.Option("--film", help="Also write OUT.film.webp, which shows the way.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace paintings, without asking.")] = False,
    config: ConfigOption = None,
    **settings: str | None,
) -> None:
    """Paint photographs in one or several styles.

    Needs neither the daemon nor its folders. A style is a name in config.yaml, a built-in picture, or a file.
    """
    from daemon.cli.paint import paint_all
    from daemon.cli.paint_plan import choose_styles, is_name, named, plan, workplace
    from daemon.config.load import from_options

    photos, wanted = (pictures, style) if style else (pictures[:-1], pictures[-1:])
    if not photos:
        raise OptionError([f"In which style? styled paint {pictures[0]} --style NAME"])
    options, names = from_options({name: text for name, text in settings.items() if text is not None}), named(wanted)
    found = nearest(config) if config or any(map(is_name, names)) else None
    machine, given = workplace(options, found)
    styles = choose_styles(names, found, given)
    paintings = plan([Path(each) for each in photos], styles, out, mask, overwrite=overwrite, film=film)
    raise typer.Exit(_say_sum(paint_all(paintings, machine, mask, _say_outcome, film=film)))


def _say_outcome(outcome: "Outcome") -> None:
    if outcome.flaw is None:
        say([f"{outcome.planned.out}  ({duration(outcome.seconds)})"])
    else:
        complain(f"{outcome.planned.photo}: {outcome.flaw}")


def _say_sum(outcomes: "Sequence[Outcome]") -> ExitCode:
    """Say how many paintings there are, if several were wanted. Returns the command's exit code."""
    failed = sum(outcome.flaw is not None for outcome in outcomes)
    if len(outcomes) > 1:
        say(sum_lines(len(outcomes) - failed, failed, sum(outcome.seconds for outcome in outcomes)))
    return ExitCode.FAILURE if failed else ExitCode.DONE


@with_options(RECIPE_OPTIONS, MACHINE_OPTIONS)
def preview(
    photo: Annotated[Path, typer.Argument(help="The photograph.", dir_okay=False, exists=True)],
    styles: Annotated[
        str | None, typer.Option("--styles", "-s", help="Such as ink,own.jpg; by default all of config.yaml.")
    ] = None,
    strengths: Annotated[str, typer.Option(help="Such as 0.5,1,2: the style's weight, times each.")] = "1",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The sheet, a PNG; by default PHOTO-preview.png here.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the sheet, without asking.")] = False,
    config: ConfigOption = None,
    **settings: str | None,
) -> None:
    """Show a photograph in several styles on one sheet.

    Each small painting has its line for config.yaml, which makes it large.
    """
    from daemon.cli.paint_plan import all_styles, check_target, choose_styles, named, workplace
    from daemon.cli.preview import SIZE, looks
    from daemon.cli.preview import preview as paint_sheet
    from daemon.config.load import from_options

    sheet = out or Path(f"{photo.stem}-preview.png")
    found = nearest(config)
    given = {"size": str(SIZE)} | {name: text for name, text in settings.items() if text is not None}
    machine, own = workplace(from_options(given), found)
    chosen_styles = choose_styles(named([styles]) if styles else all_styles(found), found, own)
    wanted = looks(chosen_styles, _numbers(strengths), found)
    inputs = [photo, *(picture.file for each in chosen_styles for picture in each.pictures)]
    check_target(sheet, inputs, overwrite=overwrite, endings=(".png",))
    paint_sheet(photo, wanted, machine, sheet)
    say([str(sheet), "Each look, large: a line below `styles:` in config.yaml", *(f"  {look.line}" for look in wanted)])


def _numbers(text: str) -> list[float]:
    """Raises OptionError if `text` is not a list such as 0.5,1,2."""
    try:
        numbers = list(dict.fromkeys(float(each) for each in text.split(",")))
    except ValueError:
        numbers = []
    if not numbers or not all(0 <= number <= 1000 for number in numbers):
        raise OptionError([f"--strengths: '{text}' cannot be used; write numbers from 0 to 1000, such as 0.5,1,2"])
    return numbers


def info(
    painting: Annotated[Path, typer.Argument(help="A painting of styled's.", dir_okay=False, exists=True)],
    as_json: JsonOption = False,
) -> None:
    """Say how a painting was made, from the record in its file."""
    from daemon.cli.output import info_lines, read_provenance

    record = read_provenance(painting)
    say([record.to_json()] if as_json else info_lines(record))


def repaint(
    painting: Annotated[Path, typer.Argument(help="A painting of styled's.", dir_okay=False, exists=True)],
    source: Annotated[Path, typer.Argument(help="The photograph that it was made from.", dir_okay=False, exists=True)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the new painting goes; with the same ending.")],
    style: Annotated[list[Path] | None, typer.Option(help="Where a style picture is now; can be repeated.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT, without asking.")] = False,
    config: ConfigOption = None,
) -> None:
    """Make a painting again from its record.

    Bit for bit the same on the same kind of machine with the same versions.
    """
    from daemon.cli.output import comparison_lines
    from daemon.cli.repaint import repaint as again

    found = again(painting, source, out, style or [], nearest(config), overwrite=overwrite)
    say(comparison_lines(out, found.same, found.largest, found.differing))


def styles(
    config: ConfigOption = None,
    sheet: Annotated[Path | None, typer.Option(help="Also show their pictures on this sheet, a PNG.")] = None,
    photo: Annotated[
        Path | None, typer.Option(help="Show this photograph in each style instead.", dir_okay=False, exists=True)
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the sheet, without asking.")] = False,
) -> None:
    """List the styles: their pictures, their settings, their folders."""
    from daemon.cli.output import style_lines
    from daemon.cli.paint_plan import check_target

    settings = in_force(config)
    pictures = [each.file for style in settings.styles.values() for each in style.all_pictures]
    if photo is not None and sheet is None:
        raise OptionError(["--photo needs --sheet FILE.png, where the photograph is shown in each style"])
    if sheet is not None:
        check_target(sheet, pictures, overwrite=overwrite, endings=(".png",))
    say(style_lines(settings))
    if sheet is not None and photo is None:
        from daemon.cli.preview import show_styles

        show_styles(settings, sheet)
        say([f"Their pictures: {sheet}"])
    elif sheet is not None and photo is not None:
        preview(photo=photo, out=sheet, overwrite=True, config=config)  # as `check_target` found


def weights(
    source: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="Take them from this file, vgg19-dcbb9e9d.pth.")
    ] = None,
    url: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Fetch, verify and store the ImageNet weights once.

    The daemon uses them from its next start on.
    """
    from daemon.console.bars import fetching
    from daemon.transfer.errors import WeightsError
    from daemon.transfer.network.imagenet import fetch, take

    try:
        if source is not None:
            stored = take(source)
        else:
            with fetching("VGG19, ImageNet") as progress:
                stored = fetch(url=url, progress=progress)
    except WeightsError as error:
        complain(str(error))
        raise typer.Exit(ExitCode.FAILURE) from None
    print(f"{stored.path}\nSHA-256 {stored.sha256}, layers down to {stored.deepest}")
    print("`weights: auto` uses them from the daemon's next start on.")
