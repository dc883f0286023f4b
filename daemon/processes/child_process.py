"""The child's side of a child process: answer calls, forward log records, end with the parent."""

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
from daemon.processes.answers import fields_of, send_answer
from daemon.processes.messages import Factory, receive
from daemon.text import escape

log = logging.getLogger("styled")

Answer = Callable[[str, object], None]  # (kind, value), see messages.answer_of


class LogForwarder(logging.Handler):
    """Sends log records, with their event and its fields, to the daemon's log, on the connection of the answers."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self._answer = answer

    def emit(self, record: logging.LogRecord) -> None:
        self._answer("log", (record.levelno, record.getMessage(), fields_of(vars(record))))

    def install(self) -> None:
        """Become the only handler of this process's records."""
        log.addHandler(self)
        log.setLevel(logging.DEBUG)
        log.propagate = False


def serve(connection: Connection, factory: Factory, arguments: tuple[object, ...]) -> None:
    """The child's life: make the resident object, answer calls, end with the parent or at the first bug."""
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, daemon=True).start()
    lock = threading.Lock()

    def answer(kind: str, value: object) -> None:
        with lock:
            send_answer(connection, kind, value)

    LogForwarder(answer).install()
    try:
        try:
            make = pkgutil.resolve_name(factory) if isinstance(factory, str) else factory
            resident = make(*arguments)
            answer("result", resident.ready_info)
        except ConfigError as error:
            answer("error", error)
            return
        while True:
            _serve_once(connection, resident, answer)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the daemon has gone
    except BaseException:
        with contextlib.suppress(OSError):
            answer("crash", traceback.format_exc(limit=-8))
        os._exit(1)


def _serve_once(connection: Connection, resident: Any, answer: Answer) -> None:
    """Answer one call. A function of its own, so that its variables, above all shared arrays, are freed before the next
    call."""
    method, parameters, reports = receive(connection)
    keywords = {"progress": lambda *report: answer("progress", report)} if reports else {}
    try:
        result = getattr(resident, method)(*parameters, **keywords)
        answer("result", result)
    except (ConfigError, JobError, *getattr(resident, "answers_with", ())) as error:
        answer("error", error)


def catch_output(who: str) -> None:
    """Send what C libraries print on the standard streams to the log, as `who` said it, at level debug."""
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
    time.sleep(0.2)  # let an answer that is being written end first
    os._exit(0)
