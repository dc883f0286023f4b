"""`styled`: its commands, and the exit codes of what goes wrong. Only here does the process exit."""

import sys
from typing import Annotated

import typer

from daemon import __version__
from daemon.cli import commands_folders, commands_pictures, commands_service
from daemon.cli.terminal import complain
from daemon.errors import ConfigError, ExitCode, JobError, OptionError

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
    commands_pictures.info,
    commands_pictures.repaint,
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
    """What the process runs: the command's errors become words and an exit code."""
    try:
        app()
    except OptionError as error:
        complain(*error.problems)
        sys.exit(ExitCode.USAGE)
    except ConfigError as error:
        complain("The configuration is wrong:", *(f"  {problem}" for problem in error.problems))
        sys.exit(ExitCode.CONFIGURATION)
    except JobError as error:
        complain(error.reason, error.advice)
        sys.exit(ExitCode.FAILURE)


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
