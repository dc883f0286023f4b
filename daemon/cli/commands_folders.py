"""The commands that look into the folders or repair something there: why, doctor, retry."""

import json
from typing import Annotated

import typer

from daemon.cli.options import ConfigOption, JsonOption
from daemon.cli.terminal import complain, in_force, say
from daemon.errors import ExitCode, JobError


def why(
    file: Annotated[str, typer.Argument(help="A path, or STYLE/NAME as it was dropped.")], config: ConfigOption = None
) -> None:
    """Say what became of a file, and why.

    The file may be growing, ignored, queued, in work, delivered or failed.
    """
    from daemon.cli.output import read_status
    from daemon.cli.why import why as explain

    settings = in_force(config)
    say(explain(file, settings, read_status(settings.root)))


def doctor(
    config: ConfigOption = None,
    mend: Annotated[bool, typer.Option("--repair", help="Repair what can be repaired without you.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Count every picture, and name each file that does not add up.

    Says what to do with such a file.
    """
    from daemon.cli.output import doctor_lines
    from daemon.jobs.audit import examine, repair

    settings = in_force(config)
    report = examine(settings)
    repaired = repair(report) if mend else []
    if repaired:
        report = examine(settings)
    if as_json:
        say([json.dumps(report.as_dict() | {"repaired": [finding.path for finding in repaired]})])
    else:
        say(doctor_lines(report, repaired))
    raise typer.Exit(ExitCode.DONE if report.adds_up and not report.findings else ExitCode.FAILURE)


def retry(
    files: Annotated[list[str] | None, typer.Argument(help="Pictures in failed/: a path, or style/photo.jpg.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every picture in failed/ with its reason.")] = False,
    config: ConfigOption = None,
) -> None:
    """Put failed pictures back into the inbox for another try.

    Their sidecars and masks go with them.
    """
    from daemon.cli.retry import all_failed
    from daemon.cli.retry import retry as put_back
    from daemon.storage.layout import Folders

    if bool(files) == every:
        raise JobError("Say which pictures to try again.", "styled retry FILE…, or styled retry --all")
    folders = Folders(in_force(config).root)
    wanted = [str(path) for path in all_failed(folders)] if every else files or []
    code = ExitCode.DONE
    for file in wanted:
        try:
            say([str(put_back(folders, file))])
        except JobError as error:
            complain(str(error))
            code = ExitCode.FAILURE
        except OSError as error:
            complain(f"{file}: {error.strerror}")
            code = ExitCode.FAILURE
    raise typer.Exit(code)
