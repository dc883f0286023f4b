"""The commands that make or look at one picture, without the daemon: paint, info, repaint, styles, weights."""

from pathlib import Path
from typing import Annotated, Any

import typer

from daemon.cli.options import ConfigOption, JsonOption
from daemon.cli.terminal import chosen, complain, say
from daemon.errors import ExitCode


def paint(
    photo: Annotated[Path, typer.Argument(help="The photograph.", dir_okay=False, exists=True)],
    style: Annotated[str, typer.Argument(help="The style picture: a file, or builtin:NAME such as builtin:starry.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the painting goes; .png, .jpg or .webp.")],
    preset: Annotated[str, typer.Option(help="fine, tutorial, gatys or draft.")] = "fine",
    size: Annotated[str, typer.Option(help="Long side in pixels, auto, or original.")] = "auto",
    style_weight: Annotated[float, typer.Option(help="More than 1: more of the style.")] = 1.0,
    keep_colors: Annotated[str, typer.Option(help="no, luminance or statistics.")] = "no",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    weights: Annotated[str, typer.Option(help="auto, embedded, imagenet or a file.")] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT if it exists.")] = False,
) -> None:
    """Paint one photograph in the style of one picture, without folders or configuration."""
    from daemon.cli.paint import paint_one

    settings: dict[str, Any] = {
        "preset": preset,
        "size": int(size) if size.isdecimal() else size,
        "style_weight": style_weight,
        "keep_colors": keep_colors,
    }
    seconds = paint_one(photo, style, out, settings, device=device, weights=weights, overwrite=overwrite)
    say([f"{out}  ({seconds:.1f} s)"])


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
    config: ConfigOption = None,
) -> None:
    """Make a painting again from its record: bit for bit the same on the same kind of machine and versions."""
    from daemon.cli.output import comparison_lines
    from daemon.cli.repaint import repaint as again
    from daemon.config.load import SYSTEM_CONFIG, load

    near = config or next((path for path in (Path("config.yaml"), SYSTEM_CONFIG) if path.is_file()), None)
    found = again(painting, source, out, style or [], load(near) if near else None)
    say(comparison_lines(out, found.same, found.largest, found.differing))


def styles(
    config: ConfigOption = None,
    sheet: Annotated[Path | None, typer.Option(help="Also put their pictures side by side into this JPEG.")] = None,
) -> None:
    """List the styles: their pictures, their settings, their folders."""
    from daemon.cli.output import style_lines
    from daemon.config.load import load

    settings = load(chosen(config))
    say(style_lines(settings))
    if sheet is not None:
        from daemon.pictures import sheets

        with sheet.open("wb") as file:
            sheets.sheet([[each.file for each in style.all_pictures] for style in settings.styles.values()], file)


def weights(
    url: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Fetch, verify and store the ImageNet weights once; the daemon uses them from its next start on."""
    from daemon.console.console import fetching
    from daemon.transfer.errors import WeightsError
    from daemon.transfer.network.weights import fetch

    try:
        with fetching("VGG19, ImageNet") as progress:
            stored = fetch(url=url, progress=progress)
    except WeightsError as error:
        complain(str(error))
        raise typer.Exit(ExitCode.FAILURE) from None
    print(f"{stored.path}\nSHA-256 {stored.sha256}, layers down to {stored.deepest}")
    print("`weights: auto` uses them from the daemon's next start on.")
