"""`styled`: its commands, and the exit codes of errors. Only this module and the commands end the process."""

import contextlib
import grp
import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from daemon import __version__
from daemon.cli import commands_folders, commands_pictures, commands_service
from daemon.cli.terminal import complain
from daemon.errors import ConfigError, ExitCode, JobError, NoConfigError, OptionError, StartLater

app = typer.Typer(
    name="styled",
    help="The style daemon: drop photographs into a folder, collect paintings from another.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    commands_service.run,
    commands_pictures.paint,
    commands_pictures.preview,
    commands_pictures.info,
    commands_pictures.repaint,
    commands_service.init,
    commands_service.demo,
    commands_service.check,
    commands_service.status,
    commands_folders.why,
    commands_pictures.styles,
    commands_folders.doctor,
    commands_folders.retry,
    commands_pictures.weights,
):
    app.command()(command)


def run_command() -> None:
    """Run the command of this process: its errors become words and an exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that cannot show a letter shows its escape
    try:
        app()
    except OptionError as error:
        complain(*error.problems)
        sys.exit(ExitCode.USAGE)
    except StartLater as error:
        complain("styled cannot start now:", *(f"  {problem}" for problem in error.problems))
        sys.exit(ExitCode.FAILURE)
    except ConfigError as error:
        lines = [f"  {problem}" for problem in error.problems]
        complain(*(error.problems if isinstance(error, NoConfigError) else ["The configuration is wrong:", *lines]))
        sys.exit(ExitCode.CONFIGURATION)
    except JobError as error:
        complain(error.reason, error.advice)
        sys.exit(ExitCode.FAILURE)
    except OSError as error:
        complain(*_refusal(error))
        sys.exit(ExitCode.FAILURE)


def _refusal(error: OSError) -> list[str]:
    """What the system refused and, if this user lacks the right, who has the right."""
    name = f"{error.filename}: " if error.filename else ""
    lines = [f"{name}{error.strerror or error}"]
    if isinstance(error, PermissionError) and isinstance(error.filename, str):
        group = _group_of(Path(error.filename).absolute())
        lines.append(f"Only the user that runs styled and the members of the group {group} may look there.")
    return lines


def _group_of(path: Path) -> str:
    """The group of the innermost folder around `path` that this user can see."""
    group = 0
    for folder in path.parents:
        with contextlib.suppress(OSError):
            group = folder.stat().st_gid
            break
    try:
        return grp.getgrgid(group).gr_name
    except KeyError:
        return str(group)


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
