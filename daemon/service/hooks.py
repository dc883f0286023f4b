"""The user's own commands after a delivery or a failure: a list of arguments, never a shell's line."""

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
from daemon.jobs.record import JobResult
from daemon.text import escape

log = logging.getLogger("styled")

MOST_WAITING = 10_000
SAID = 500  # characters of a failing command's last words
NOT_THEIRS = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


class Hooks:
    """Runs them one after another in a thread of its own, each for a limited time."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[tuple[list[str], float] | None] = queue.Queue(MOST_WAITING)
        self._closed = threading.Event()
        self._lock = threading.Lock()  # guards the next
        self._running: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="hooks", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, finished: JobResult, hooks: HookCommands) -> None:
        """Run the command for this end of a way when those before it are done."""
        command = hooks.on_delivered if finished.delivered else hooks.on_failed
        if not command:
            return
        try:
            self._waiting.put_nowait((filled(command, finished), hooks.seconds))
        except queue.Full:
            log.warning("%s: %d commands wait already; this one is not run", escape(command[0]), MOST_WAITING)

    def close(self) -> None:
        """Those that wait are not run any more; the one that runs is ended."""
        self._closed.set()
        with self._lock:
            if self._running is not None:
                _end(self._running)
        if self._thread.is_alive():
            self._waiting.queue.clear()
            self._waiting.put(None)

    def _run(self) -> None:
        while (task := self._waiting.get()) is not None and not self._closed.is_set():
            try:
                self._call(*task)
            except OSError as error:
                log.warning("the command %s cannot be run: %s", escape(task[0][0]), error.strerror)
            except Exception:
                log.exception("the command %s", escape(task[0][0]))

    def _call(self, command: list[str], seconds: float) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in NOT_THEIRS}
        with tempfile.TemporaryFile() as words:
            with self._lock:
                if self._closed.is_set():
                    return
                self._running = process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=words, stderr=words, env=environment,
                    start_new_session=True,
                )  # fmt: skip
            try:
                code = process.wait(seconds)
            except subprocess.TimeoutExpired:
                log.warning("the command %s took longer than %g s and was ended", escape(command[0]), seconds)
                return
            finally:
                with self._lock:
                    _end(process)
                    self._running = None
            if code and not self._closed.is_set():
                words.seek(0, os.SEEK_END)
                words.seek(max(0, words.tell() - SAID))
                said = escape(words.read().decode(errors="replace").strip())
                log.warning("the command %s ended with %d: %s", escape(command[0]), code, said or "it said nothing")


def filled(command: Sequence[str], finished: JobResult) -> list[str]:
    """The arguments with {path}, {file}, {style}, {reason} and {seconds} replaced, each within its own argument."""
    values: Mapping[str, str] = {
        "path": str(finished.path),
        "file": finished.place,
        "style": finished.style,
        "reason": escape(finished.reason),
        "seconds": f"{finished.seconds:.1f}",
    }
    return [re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], match[0]), each) for each in command]


def _end(process: "subprocess.Popen[bytes]") -> None:
    """The command and whatever it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
