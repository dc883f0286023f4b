"""Messages between the daemon and its child processes; open files travel along as descriptors.

Calls are pickles, because a child may trust the daemon. Answers are not: see answers.py.
"""

import io
import logging
import pickle
from collections.abc import Callable
from multiprocessing import reduction
from multiprocessing.connection import Connection as Connection
from multiprocessing.connection import wait
from typing import Any

from daemon.processes.answers import AnswerError, fields_of, receive_answer
from daemon.storage.files import Handle

log = logging.getLogger("styled")

Progress = Callable[..., None]
# Makes the object that a child holds; a name, "package.module:Class", is resolved in the child.
Factory = str | Callable[..., Any]


class _Pickler(pickle.Pickler):
    """Takes the descriptors out of a message; they travel beside its bytes."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=5)
        self.handles: list[Handle] = []

    def persistent_id(self, obj: object) -> int | None:
        if not isinstance(obj, Handle):
            return None
        self.handles.append(obj)
        return len(self.handles) - 1


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, handles: list[Handle]) -> None:
        super().__init__(file)
        self.handles = handles

    def persistent_load(self, pid: int) -> Handle:
        return self.handles[pid]


def send(connection: Connection, message: object) -> None:
    """Send a call: any picklable message; the child gets a descriptor of its own for each Handle in the message."""
    buffer = io.BytesIO()
    pickler = _Pickler(buffer)
    pickler.dump(message)
    connection.send_bytes(len(pickler.handles).to_bytes(2, "big") + buffer.getvalue())
    for handle in pickler.handles:
        reduction.send_handle(connection, handle.fd, None)


def receive(connection: Connection) -> Any:
    """The next call, in a child. Raises EOFError or OSError if the other side has gone."""
    data = connection.recv_bytes()
    count = int.from_bytes(data[:2], "big")
    handles = [Handle(reduction.recv_handle(connection)) for _ in range(count)]
    return _Unpickler(io.BytesIO(data[2:]), handles).load()


class SilentError(Exception):
    """The other side gave no sign of life for as long as the caller waits."""


class GoneError(Exception):
    """The other side has closed the connection."""


class CrashError(Exception):
    """The child ended with this traceback."""


def answer_of(connection: Connection, progress: Progress | None, patience: float | None) -> Any:
    """The answer to a call. `patience`: seconds to wait for each message; None: for ever.

    Raises SilentError, GoneError, CrashError, or the error that is the answer.
    """
    while True:
        if not wait([connection], patience):
            raise SilentError
        try:
            kind, value = receive_answer(connection)
        except (EOFError, OSError, AnswerError):
            raise GoneError from None
        if kind == "result":
            return value
        if kind == "progress" and progress is not None:
            progress(*value)
        elif kind == "log":
            level, message, fields = value
            log.log(level, "%s", message, extra=fields_of(fields))
        elif kind == "error" and isinstance(value, Exception):
            raise value
        elif kind == "crash":
            raise CrashError(value)
