"""The command `styled`: in a process of its own, or quicker in this one."""

import contextlib
import io
import subprocess
import sys
from pathlib import Path
from unittest import mock

from daemon.__main__ import main


def styled(*arguments: object, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "daemon", *map(str, arguments)]
    nothing = subprocess.DEVNULL
    return subprocess.run(command, stdin=nothing, capture_output=True, text=True, cwd=cwd, check=False, timeout=600)


def styled_here(*arguments: object, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """The same without a start of Python: for commands that start no process and change nothing in this one."""
    command = ["styled", *map(str, arguments)]
    code: object = 0
    with (
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(io.StringIO()) as err,
        contextlib.chdir(cwd or Path.cwd()),
        mock.patch.object(sys, "argv", command),
        mock.patch.object(sys, "stdin", io.StringIO()),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    assert isinstance(code, int)
    return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())
