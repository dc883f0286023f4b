"""The child's side of a child process: answer calls, forward log lines, end with the parent."""

import contextlib
import logging
import os
import pkgutil
import signal
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing import parent_process
from multiprocessing.connection import Connection as Connection
from typing import Any

from daemon.errors import ConfigError, JobError
from daemon.processes.messages import Factory, receive, send
from daemon.text import escape

log = logging.getLogger("styled")


class LogForwarder(logging.Handler):
    """A child's log lines are the daemon's: they go up the same line as its answers."""

    def __init__(self, answer: Callable[[str, object], None]) -> None:
        super().__init__()
        self._answer = answer

    def emit(self, record: logging.LogRecord) -> None:
        self._answer("log", (record.levelno, "%s", record.getMessage()))


def serve(connection: Connection, factory: Factory, arguments: tuple[object, ...]) -> None:
    """The child's life: make the object, answer calls, end with the parent or at the first surprise."""
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, daemon=True).start()
    lock = threading.Lock()

    def answer(kind: str, value: object) -> None:
        with lock:
            send(connection, (kind, value))

    log.addHandler(LogForwarder(answer))
    log.setLevel(logging.DEBUG)
    log.propagate = False
    try:
        try:
            make = pkgutil.resolve_name(factory) if isinstance(factory, str) else factory
            resident = make(*arguments)
            answer("result", resident.hello)
        except ConfigError as error:
            answer("error", error)
            return
        while True:
            _serve_once(connection, resident, answer)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the daemon is gone
    except BaseException:
        with contextlib.suppress(OSError):
            answer("crash", traceback.format_exc(limit=-8))
        os._exit(1)


def _serve_once(connection: Connection, resident: Any, answer: Callable[[str, object], None]) -> None:
    """One call. A function of its own, so that nothing of it, canvases above all, is held until the next one."""
    method, parameters = receive(connection)
    try:
        result = getattr(resident, method)(*parameters, progress=lambda *p: answer("progress", p))
        answer("result", result)
    except (ConfigError, JobError, *getattr(resident, "answers_with", ())) as error:
        answer("error", error)


def catch_output(who: str) -> None:
    """Libraries in C complain on the standard streams, in words for programmers: into the log with that."""
    ours, theirs = os.pipe()
    os.dup2(theirs, 1)
    os.dup2(theirs, 2)
    os.close(theirs)

    def forward() -> None:
        with os.fdopen(ours, errors="replace") as lines:
            for line in lines:
                log.debug("%s said: %s", who, escape(line.rstrip()[:500]))

    threading.Thread(target=forward, name="output", daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
    time.sleep(0.2)  # let an answer in hand get out of the way
    os._exit(0)
