"""The commands that run the daemon or look at its settings: run, init, demo, check, status."""

import json
import logging
from pathlib import Path
from typing import Annotated

import typer

from daemon.cli.options import ConfigOption, JsonOption
from daemon.cli.terminal import chosen, complain, in_force, say
from daemon.errors import ConfigError, ExitCode
from daemon.events import Event, about


def run(
    config: ConfigOption = None,
    once: Annotated[bool, typer.Option("--once", help="Paint what is in the inbox, then exit.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say only what needs a person.")] = False,
    events: Annotated[Path | None, typer.Option(help="Append what happens to this file, a line of JSON each.")] = None,
) -> None:
    """Watch the inbox and paint what is dropped there, until Ctrl+C."""
    from daemon.config.load import load
    from daemon.console.console import Console
    from daemon.service.service import Service, handle_signals

    path = chosen(config)
    settings = load(path, starting=True)
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


def init(folder: Annotated[Path, typer.Argument(help="Your folder; by default this one.")] = Path()) -> None:
    """Make a folder of your own, with a commented config.yaml."""
    from daemon.cli.init import init as make

    say(list(make(folder)))


def demo(
    folder: Annotated[Path, typer.Argument(help="A new folder, or of an earlier demo.")] = Path("styled-demo"),
    size: Annotated[int, typer.Option(min=16, help="Long side of the paintings, in pixels.")] = 384,
) -> None:
    """Run the daemon on pictures that ship with it.

    Says where to look. Run again, it goes on where it was stopped.
    """
    from daemon.cli.demo import run_demo

    raise typer.Exit(run_demo(folder, size))


def check(
    config: ConfigOption = None,
    deep: Annotated[bool, typer.Option("--deep", help="Also load the model on its device.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say only what is wrong.")] = False,
) -> None:
    """Check the settings, the folders and the rights.

    Says also what would happen to each waiting file.
    """
    from daemon.cli.checking import become_owner, load_model, probe
    from daemon.cli.output import tree_lines, what_would_happen
    from daemon.config.load import load
    from daemon.service.preflight import check_all

    path = chosen(config)
    if said := become_owner(path):
        complain(said)
    settings = load(path)
    check_all(settings, lambda picture: probe(picture, settings.max_megapixels), load_model if deep else None)
    if quiet:
        return
    say([f"{path}: the configuration is right."])
    say(tree_lines(settings.root / "inbox", what_would_happen(settings)))


def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say what a running daemon is doing."""
    from daemon.cli.output import read_status, status_lines

    found = read_status(in_force(config).root)
    say([json.dumps(found)] if as_json else status_lines(found))
