"""The commands that make or look at one picture, without the daemon: paint, info, repaint, styles, weights."""

from pathlib import Path
from typing import Annotated

import typer

from daemon.cli.options import MACHINE_OPTIONS, RECIPE_OPTIONS, ConfigOption, JsonOption, with_options
from daemon.cli.terminal import complain, in_force, nearest, say, sum_lines
from daemon.errors import ExitCode, OptionError
from daemon.text import duration


@with_options(RECIPE_OPTIONS, MACHINE_OPTIONS)
def paint(
    pictures: Annotated[
        list[str], typer.Argument(metavar="PHOTO", help="Photographs; without --style, the last one is the style.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The painting: .png, .jpg or .webp; a folder for several.")],
    style: Annotated[
        list[str] | None,
        typer.Option("--style", "-s", help="Styles by name, or pictures, such as starry,ink; can be repeated."),
    ] = None,
    mask: Annotated[Path | None, typer.Option(help="White is painted, black stays a photograph.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace paintings that exist.")] = False,
    config: ConfigOption = None,
    **settings: str | None,
) -> None:
    """Paint photographs in one or several styles, without the daemon and its folders."""
    from daemon.cli.paint import Outcome, paint_all
    from daemon.cli.paint_plan import choose_styles, is_name, named, plan, workplace
    from daemon.config.load import from_options

    if not style and len(pictures) < 2:
        raise OptionError([f"In which style? styled paint {pictures[0]} --style NAME -o {out}"])
    photos, wanted = (pictures, style) if style else (pictures[:-1], pictures[-1:])
    options = from_options({name: text for name, text in settings.items() if text is not None})
    found = nearest(config) if config or any(map(is_name, named(wanted))) else None
    machine, given = workplace(options, found)
    styles = choose_styles(wanted, found, given)
    paintings = plan([Path(each) for each in photos], styles, out, mask, overwrite=overwrite)
    outcomes: list[Outcome] = []

    def settled(outcome: Outcome) -> None:
        outcomes.append(outcome)
        if outcome.flaw is None:
            say([f"{outcome.planned.out}  ({duration(outcome.seconds)})"])
        else:
            complain(f"{outcome.planned.photo}: {outcome.flaw}")

    paint_all(paintings, machine, mask, settled)
    failed = sum(outcome.flaw is not None for outcome in outcomes)
    if len(paintings) > 1:
        say(sum_lines(len(paintings) - failed, failed, sum(outcome.seconds for outcome in outcomes)))
    raise typer.Exit(ExitCode.FAILURE if failed else ExitCode.DONE)


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
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT if it exists.")] = False,
    config: ConfigOption = None,
) -> None:
    """Make a painting again from its record: bit for bit the same on the same kind of machine and versions."""
    from daemon.cli.output import comparison_lines
    from daemon.cli.repaint import repaint as again

    found = again(painting, source, out, style or [], nearest(config), overwrite=overwrite)
    say(comparison_lines(out, found.same, found.largest, found.differing))


def styles(
    config: ConfigOption = None,
    sheet: Annotated[Path | None, typer.Option(help="Also put their pictures side by side into this JPEG.")] = None,
) -> None:
    """List the styles: their pictures, their settings, their folders."""
    from daemon.cli.output import style_lines

    settings = in_force(config)
    say(style_lines(settings))
    if sheet is not None:
        from daemon.pictures import sheets

        with sheet.open("wb") as file:
            sheets.sheet([[each.file for each in style.all_pictures] for style in settings.styles.values()], file)


def weights(
    source: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="Take them from this file, vgg19-dcbb9e9d.pth.")
    ] = None,
    url: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Fetch, verify and store the ImageNet weights once; the daemon uses them from its next start on."""
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
