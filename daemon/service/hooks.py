"""The user's own commands after a delivery or a failure: lists of arguments, never a line for a shell."""

import contextlib
import logging
import os
import queue
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence

from daemon.config.models import HookCommands
from daemon.events import Event, about
from daemon.jobs.record import JobResult
from daemon.text import escape, one_line

log = logging.getLogger("styled")

MOST_WAITING = 10_000
LONGEST_REASON = 2000  # characters in an argument
LAST_WORDS = 500  # bytes of a failed command's output that are logged
# systemd means these for the daemon alone
PRIVATE = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


class Hooks:
    """Runs the commands in a thread, one after another, each for a limited time."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[tuple[list[str], Mapping[str, str], float] | None] = queue.Queue(MOST_WAITING)
        self._closed = threading.Event()
        self._lock = threading.Lock()  # guards the next
        self._running: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="hooks", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, result: JobResult, hooks: HookCommands) -> None:
        """Run the command for this result after all commands that wait."""
        command = hooks.on_delivered if result.delivered else hooks.on_failed
        if not command:
            return
        try:
            self._waiting.put_nowait((filled(command, result), variables(result), hooks.seconds))
        except queue.Full:
            _warn(command, f"is not run: {MOST_WAITING} commands wait already")

    def close(self) -> None:
        """End the running command; the commands that wait are not run."""
        self._closed.set()
        with self._lock:
            if self._running is not None:
                _end(self._running)
        if self._thread.is_alive():
            self._waiting.queue.clear()
            self._waiting.put(None)

    def _run(self) -> None:
        while (task := self._waiting.get()) is not None and not self._closed.is_set():
            command, variables, seconds = task
            try:
                self._call(command, variables, seconds)
            except OSError as error:
                _warn(command, f"cannot be run: {error.strerror}")
            except Exception:
                log.exception("the command %s", escape(command[0]), extra=about(Event.HOOK_FAILED))

    def _call(self, command: list[str], variables: Mapping[str, str], seconds: float) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in PRIVATE}
        environment |= variables
        with tempfile.TemporaryFile() as output:
            with self._lock:
                if self._closed.is_set():
                    return
                self._running = process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment,
                    start_new_session=True,
                )  # fmt: skip
            try:
                code = process.wait(seconds)
            except subprocess.TimeoutExpired:
                _warn(command, f"took longer than {seconds:g} s and was ended")
                return
            finally:
                with self._lock:
                    _end(process)
                    self._running = None
            if code and not self._closed.is_set():
                output.seek(0, os.SEEK_END)
                output.seek(max(0, output.tell() - LAST_WORDS))
                words = escape(output.read().decode(errors="replace").strip())
                _warn(command, f"ended with {code}: {words or 'without a word'}")


def filled(command: Sequence[str], result: JobResult) -> list[str]:
    """The arguments with {path}, {file}, {style}, {reason}, {seconds} (of painting) and {waited} (seconds before and
    after) replaced, each within its own argument.

    Control characters are escaped, so that no name adds a line to a mail or a log; STYLED_PATH in the command's
    environment has the path byte for byte.
    """
    values: Mapping[str, str] = {
        "path": one_line(str(result.path)),
        "file": one_line(result.place),
        "style": one_line(result.style),
        "reason": one_line(result.reason[:LONGEST_REASON]),
        **_times(result),
    }
    return [re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], match[0]), each) for each in command]


def variables(result: JobResult) -> Mapping[str, str]:
    """The variables in a command's environment."""
    times = {f"STYLED_{name.upper()}": value for name, value in _times(result).items()}
    return {"STYLED_PATH": str(result.path), **times}


def _times(result: JobResult) -> Mapping[str, str]:
    return {"seconds": f"{result.seconds:.1f}", "waited": f"{result.waited:.1f}"}


def _warn(command: Sequence[str], what: str) -> None:
    log.warning("the command %s %s", escape(command[0]), what, extra=about(Event.HOOK_FAILED))


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill the command and every process that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
