"""The commands, their arguments and their exit codes. Only here does the process exit.

Each command is one function and imports inside it what it needs: `styled status` must not load Pillow or torch.
"""

import json
import logging
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from daemon import __version__
from daemon.errors import ConfigError, ExitCode, JobError
from daemon.events import Event, about
from daemon.text import one_line

app = typer.Typer(
    name="styled",
    help="The style daemon: drop photographs into a folder, collect paintings from another.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="The configuration; by default config.yaml here, then /etc/styled/config.yaml."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


def run_command() -> None:
    """What the process runs: the command's errors become words and an exit code."""
    try:
        app()
    except ConfigError as error:
        _complain("The configuration is wrong:", *(f"  {problem}" for problem in error.problems))
        sys.exit(ExitCode.CONFIGURATION)
    except JobError as error:
        _complain(error.reason, error.advice)
        sys.exit(ExitCode.FAILURE)


def _complain(*lines: str) -> None:
    from daemon.console.console import complain

    complain(*lines)


def _say(lines: Iterable[str]) -> None:
    """Print each on one line, whatever the names of files in it."""
    print("\n".join(map(one_line, lines)))


def _version(wanted: bool) -> None:
    if wanted:
        print(f"styled {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command()
def run(
    config: ConfigOption = None,
    once: Annotated[bool, typer.Option("--once", help="Paint what is in the inbox, then exit.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say only what needs a person.")] = False,
    events: Annotated[Path | None, typer.Option(help="Append what happens to this file, a line of JSON each.")] = None,
) -> None:
    """Watch the inbox and paint what is dropped there, until Ctrl+C."""
    from daemon.config.load import find, load
    from daemon.console.console import Console
    from daemon.service.service import Service, handle_signals

    path = find(config)
    settings = load(path)
    with Console(settings, verbosity=verbose - quiet, events=events) as console:
        service = Service(path, settings, console.refresh)
        handle_signals(service)
        try:
            code = service.run(once=once)
        except ConfigError:
            raise
        except Exception:
            logging.getLogger("styled").critical(
                "the daemon ended unexpectedly", exc_info=True, extra=about(Event.CRASHED)
            )
            code = ExitCode.FAILURE
    raise typer.Exit(code)


@app.command()
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
    _say([f"{out}  ({seconds:.1f} s)"])


@app.command()
def info(
    painting: Annotated[Path, typer.Argument(help="A painting of styled's.", dir_okay=False, exists=True)],
    as_json: JsonOption = False,
) -> None:
    """Say how a painting was made, from the record in its file."""
    from daemon.cli.output import info_lines, read_provenance

    record = read_provenance(painting)
    _say([record.to_json()] if as_json else info_lines(record))


@app.command()
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
    _say(comparison_lines(out, found.same, found.largest, found.differing))


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="A new folder for the demonstration.")] = Path("styled-demo"),
    size: Annotated[int, typer.Option(min=16, help="Long side of the paintings, in pixels.")] = 256,
) -> None:
    """Run the whole daemon on pictures that ship with it, and say where to look."""
    from daemon.cli.demo import run_demo

    raise typer.Exit(run_demo(folder, size))


@app.command()
def check(
    config: ConfigOption = None,
    deep: Annotated[bool, typer.Option("--deep", help="Also load the model on its device.")] = False,
) -> None:
    """Validate the configuration, the folders and the rights, and say what would happen to each waiting file."""
    from daemon.cli.output import tree_lines, what_would_happen
    from daemon.config.load import find, load
    from daemon.service.preflight import check_all

    path = find(config)
    settings = load(path)
    check_all(settings, _probe, deep=deep)
    _say([f"{path}: the configuration is right."])
    _say(tree_lines(settings.root / "inbox", what_would_happen(settings)))


def _probe(path: Path) -> None:
    """Raises JobError if this style picture cannot be read."""
    from daemon.assets import STYLES

    if path.parent == STYLES:
        return  # tested before it was packed, so no decoder has to be loaded for it
    from daemon.pictures.probing import probe

    with path.open("rb") as file:
        probe(file)


@app.command()
def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say what a running daemon is doing."""
    from daemon.cli.output import read_status, status_lines
    from daemon.config.load import find, load

    found = read_status(load(find(config)).root)
    _say([json.dumps(found)] if as_json else status_lines(found))


@app.command()
def why(
    file: Annotated[str, typer.Argument(help="A path, or STYLE/NAME as it was dropped.")], config: ConfigOption = None
) -> None:
    """Say what became of a file: growing, ignored, queued, in work, delivered or failed, and why."""
    from daemon.cli.output import read_status
    from daemon.cli.why import why as explain
    from daemon.config.load import find, load

    settings = load(find(config))
    _say(explain(file, settings, read_status(settings.root)))


@app.command()
def styles(
    config: ConfigOption = None,
    sheet: Annotated[Path | None, typer.Option(help="Also put their pictures side by side into this JPEG.")] = None,
) -> None:
    """List the styles: their pictures, their settings, their folders."""
    from daemon.cli.output import style_lines
    from daemon.config.load import find, load

    settings = load(find(config))
    _say(style_lines(settings))
    if sheet is not None:
        from daemon.pictures import sheets

        with sheet.open("wb") as file:
            sheets.sheet([[each.file for each in style.all_pictures] for style in settings.styles.values()], file)


@app.command()
def doctor(
    config: ConfigOption = None,
    mend: Annotated[bool, typer.Option("--repair", help="Repair what can be repaired without you.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Count every picture that was ever taken, name each file that does not add up, and say what to do."""
    from daemon.cli.output import doctor_lines
    from daemon.config.load import find, load
    from daemon.jobs.audit import examine, repair

    settings = load(find(config))
    report = examine(settings)
    repaired = repair(report) if mend else []
    if repaired:
        report = examine(settings)
    if as_json:
        print(json.dumps(report.as_dict() | {"repaired": [finding.path for finding in repaired]}))
    else:
        _say(doctor_lines(report, repaired))
    raise typer.Exit(ExitCode.DONE if report.adds_up and not report.findings else ExitCode.FAILURE)


@app.command()
def retry(
    files: Annotated[list[str] | None, typer.Argument(help="Pictures in failed/: a path, or style/photo.jpg.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every picture in failed/ with its reason.")] = False,
    config: ConfigOption = None,
) -> None:
    """Put failed pictures back into the inbox, with their sidecars, for another try."""
    from daemon.cli.retry import all_failed
    from daemon.cli.retry import retry as put_back
    from daemon.config.load import find, load
    from daemon.storage.layout import Folders

    if bool(files) == every:
        raise JobError("Say which pictures to try again.", "styled retry FILE…, or styled retry --all")
    folders = Folders(load(find(config)).root)
    wanted = [str(path) for path in all_failed(folders)] if every else files or []
    code = ExitCode.DONE
    for file in wanted:
        try:
            _say([str(put_back(folders, file))])
        except JobError as error:
            _complain(str(error))
            code = ExitCode.FAILURE
        except OSError as error:
            _complain(f"{file}: {error.strerror}")
            code = ExitCode.FAILURE
    raise typer.Exit(code)


@app.command()
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
        _complain(str(error))
        raise typer.Exit(ExitCode.FAILURE) from None
    print(f"{stored.path}\nSHA-256 {stored.sha256}, layers down to {stored.deepest}")
    print("`weights: auto` uses them from the daemon's next start on.")
